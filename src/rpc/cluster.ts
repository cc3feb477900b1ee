/** etcdserverpb.Cluster, as far as one member goes: the list. */
import type { Method, ServerStream } from "../grpc/index.ts";
import type { ClusterMember } from "../member/index.ts";
import {
  decodeMessage,
  encodeMessage,
  MemberListRequestSchema,
  MemberListResponseSchema,
} from "../wire/index.ts";
import { attempt, failCall, type RpcContext } from "./context.ts";

export function clusterMethods(context: RpcContext): [string, Method][] {
  return [
    [
      "/etcdserverpb.Cluster/MemberList",
      { kind: "unary", handle: (call, request) => memberList(context, call, request) },
    ],
  ];
}

function memberList(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const { member } = context;
  const answer = () => attempt(context, call, () => call.respond(encodeList(context)));
  if (!decodeMessage(MemberListRequestSchema, bytes).linearizable) return answer();
  member.readIndex({ done: answer, refused: (error) => failCall(call, error) });
}

/** The revision in the header stays 0 (FR-27, CL-11). */
function encodeList(context: RpcContext): Buffer {
  const { member } = context;
  return encodeMessage(MemberListResponseSchema, {
    header: {
      clusterId: member.clusterId,
      memberId: member.id,
      raftTerm: BigInt(member.raftTerm),
    },
    members: member.members().map(memberInit),
  });
}

function memberInit(member: ClusterMember) {
  return {
    ID: member.id,
    name: member.name,
    peerURLs: [...member.peerUrls],
    clientURLs: [...member.clientUrls],
    isLearner: member.isLearner,
  };
}
