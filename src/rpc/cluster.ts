/** etcdserverpb.Cluster (surface 5): who the members are, and changes of that. */
import { errors } from "../errors/index.ts";
import type { Method, ServerStream } from "../grpc/index.ts";
import {
  checkPeerUrls,
  type ClusterMember,
  type MembershipChange,
  type Waiter,
} from "../member/index.ts";
import {
  decodeMessage,
  encodeMessage,
  MemberAddRequestSchema,
  MemberAddResponseSchema,
  MemberListRequestSchema,
  MemberListResponseSchema,
  MemberPromoteRequestSchema,
  MemberPromoteResponseSchema,
  MemberRemoveRequestSchema,
  MemberRemoveResponseSchema,
  MemberUpdateRequestSchema,
  MemberUpdateResponseSchema,
} from "../wire/index.ts";
import { attempt, failCall, type RpcContext } from "./context.ts";

type Handle = (context: RpcContext, call: ServerStream, bytes: Buffer) => void;

const HANDLERS: readonly (readonly [string, Handle])[] = [
  ["MemberAdd", memberAdd],
  ["MemberRemove", memberRemove],
  ["MemberUpdate", memberUpdate],
  ["MemberPromote", memberPromote],
  ["MemberList", memberList],
];

export function clusterMethods(context: RpcContext): [string, Method][] {
  return HANDLERS.map(([name, handle]) => [
    `/etcdserverpb.Cluster/${name}`,
    { kind: "unary", handle: (call, request) => handle(context, call, request) },
  ]);
}

function memberAdd(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const { peerURLs, isLearner } = decodeMessage(MemberAddRequestSchema, bytes);
  const refusal = checkPeerUrls(peerURLs);
  if (refusal !== undefined) return failCall(call, refusal);
  const encode = ({ member, members }: MembershipChange) => {
    // Whoever was added may be gone again: then nothing is left to tell of it.
    if (member === undefined) throw errors.MemberNotFound;
    return encodeMessage(MemberAddResponseSchema, {
      header: clusterHeader(context),
      member: memberInit(member),
      members: members.map(memberInit),
    });
  };
  context.member.addMember(peerURLs, isLearner, answer(context, call, encode));
}

function memberRemove(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const { ID } = decodeMessage(MemberRemoveRequestSchema, bytes);
  const encode = (change: MembershipChange) =>
    encodeMessage(MemberRemoveResponseSchema, listInit(context, change));
  context.member.removeMember(ID, answer(context, call, encode));
}

/** The URLs are checked as those of a new member: bad ones would be everybody's (CL-06, DV-02). */
function memberUpdate(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const { ID, peerURLs } = decodeMessage(MemberUpdateRequestSchema, bytes);
  const refusal = checkPeerUrls(peerURLs);
  if (refusal !== undefined) return failCall(call, refusal);
  const encode = (change: MembershipChange) =>
    encodeMessage(MemberUpdateResponseSchema, listInit(context, change));
  context.member.updateMember(ID, peerURLs, answer(context, call, encode));
}

function memberPromote(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const { ID } = decodeMessage(MemberPromoteRequestSchema, bytes);
  const encode = (change: MembershipChange) =>
    encodeMessage(MemberPromoteResponseSchema, listInit(context, change));
  context.member.promoteMember(ID, answer(context, call, encode));
}

function answer(
  context: RpcContext,
  call: ServerStream,
  encode: (change: MembershipChange) => Buffer,
): Waiter<MembershipChange> {
  return {
    done: (change) => attempt(context, call, () => call.respond(encode(change))),
    refused: (error) => failCall(call, error),
  };
}

function memberList(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const { member } = context;
  const list = () =>
    attempt(context, call, () => {
      const change = { member: undefined, members: member.members() };
      call.respond(encodeMessage(MemberListResponseSchema, listInit(context, change)));
    });
  if (!decodeMessage(MemberListRequestSchema, bytes).linearizable) return list();
  member.readIndex({ done: list, refused: (error) => failCall(call, error) });
}

/** The revision in the header stays 0 (FR-27, CL-11). */
function clusterHeader({ member }: RpcContext) {
  return {
    clusterId: member.clusterId,
    memberId: member.id,
    raftTerm: BigInt(member.raftTerm),
  };
}

function listInit(context: RpcContext, { members }: MembershipChange) {
  return { header: clusterHeader(context), members: members.map(memberInit) };
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
