/** etcdserverpb.Maintenance (surface 6): about members, not about the keys. */
import { errors } from "../errors/index.ts";
import type { Method, ServerStream } from "../grpc/index.ts";
import type { SnapshotStream } from "../member/index.ts";
import {
  type AlarmMember,
  alarmName,
  decodeAlarmRequest,
  DefragmentResponseSchema,
  decodeMessage,
  encodeAlarmResponse,
  encodeMessage,
  HashKVRequestSchema,
  HashKVResponseSchema,
  HashResponseSchema,
  MoveLeaderRequestSchema,
  MoveLeaderResponseSchema,
  SnapshotResponseSchema,
  StatusResponseSchema,
} from "../wire/index.ts";
import {
  attempt,
  attemptAsync,
  coldHeader,
  failCall,
  headerOf,
  type RpcContext,
} from "./context.ts";
import { downgrade } from "./downgrade.ts";
import { checkAlarm } from "./validate.ts";

export function maintenanceMethods(context: RpcContext): [string, Method][] {
  const path = (name: string) => `/etcdserverpb.Maintenance/${name}`;
  return [
    [path("Alarm"), { kind: "unary", handle: (call, bytes) => alarm(context, call, bytes) }],
    [path("Status"), { kind: "unary", handle: (call) => status(context, call) }],
    [path("Hash"), { kind: "unary", handle: (call) => hash(context, call) }],
    [path("HashKV"), { kind: "unary", handle: (call, bytes) => hashKv(context, call, bytes) }],
    [
      path("MoveLeader"),
      { kind: "unary", handle: (call, bytes) => moveLeader(context, call, bytes) },
    ],
    [
      path("Downgrade"),
      { kind: "unary", handle: (call, bytes) => downgrade(context, call, bytes) },
    ],
    [path("Defragment"), { kind: "unary", handle: (call) => defragment(context, call) }],
    [
      path("Snapshot"),
      { kind: "stream", type: "server_stream", handle: (call) => snapshot(context, call) },
    ],
  ];
}

function alarm(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const request = decodeAlarmRequest(bytes);
  const refusal = checkAlarm(request);
  if (refusal !== undefined) return failCall(call, refusal);
  context.member.propose(
    { kind: "alarm", alarm: request },
    {
      done: (response) => {
        if (response.kind !== "alarm") return failCall(call, errors.Stopped);
        const { member, writer } = context;
        writer.reset();
        encodeAlarmResponse(writer, headerOf(member, response.revision), response.alarms);
        call.respond(writer.view());
      },
      refused: (error) => failCall(call, error),
    },
  );
}

/** As Status lists an alarm (MA-03). */
function formatAlarm({ memberId, alarm }: AlarmMember): string {
  return `memberID:${memberId} alarm:${alarmName(alarm)}`;
}

function status(context: RpcContext, call: ServerStream): void {
  const { member, serverVersion } = context;
  const now = member.status();
  const problems = member.alarms().map(formatAlarm);
  if (now.leader === 0n) problems.unshift(errors.NoLeader.message);
  call.respond(
    encodeMessage(StatusResponseSchema, {
      header: coldHeader(context),
      version: serverVersion,
      dbSize: BigInt(now.dbSizeBytes),
      leader: now.leader,
      raftIndex: BigInt(now.raftIndex),
      raftTerm: BigInt(now.raftTerm),
      raftAppliedIndex: BigInt(now.raftAppliedIndex),
      errors: problems,
      dbSizeInUse: BigInt(now.dbSizeInUseBytes),
      isLearner: now.isLearner,
      storageVersion: member.clusterVersion ?? "",
      dbSizeQuota: BigInt(now.quotaBytes),
      downgradeInfo: { ...member.downgrade },
    }),
  );
}

function hash(context: RpcContext, call: ServerStream): void {
  attemptAsync(context, call, async () => {
    const value = await context.member.hash();
    call.respond(encodeMessage(HashResponseSchema, { header: coldHeader(context), hash: value }));
  });
}

function hashKv(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const { revision } = decodeMessage(HashKVRequestSchema, bytes);
  attemptAsync(context, call, async () => {
    const outcome = await context.member.hashKv(Number(revision));
    if ("code" in outcome) return failCall(call, outcome);
    call.respond(
      encodeMessage(HashKVResponseSchema, {
        header: coldHeader(context),
        hash: outcome.hash,
        compactRevision: BigInt(outcome.compactRevision),
        hashRevision: BigInt(outcome.hashRevision),
      }),
    );
  });
}

/** Asked of the leader, for a voter (MA-08). The answer has no header (FR-28). */
function moveLeader(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const { member } = context;
  const { targetID } = decodeMessage(MoveLeaderRequestSchema, bytes);
  if (member.leader !== member.id) return failCall(call, errors.NotLeader);
  const target = member.members().find(({ id }) => id === targetID);
  if (target === undefined || target.isLearner) return failCall(call, errors.BadLeaderTransferee);
  const done = () =>
    attempt(context, call, () => call.respond(encodeMessage(MoveLeaderResponseSchema, {})));
  if (targetID === member.id) return done();
  member.moveLeader(targetID, { done, refused: (error) => failCall(call, error) });
}

/** The answer has no header (FR-28). */
function defragment(context: RpcContext, call: ServerStream): void {
  attemptAsync(context, call, async () => {
    await context.member.defragment();
    call.respond(encodeMessage(DefragmentResponseSchema, {}));
  });
}

/** The file in pieces, then its SHA-256 in a message of its own (MA-07). */
function snapshot(context: RpcContext, call: ServerStream): void {
  call.onMessage = () => {
    call.onMessage = undefined;
    attemptAsync(context, call, () => sendSnapshot(context, call));
  };
}

async function sendSnapshot(context: RpcContext, call: ServerStream): Promise<void> {
  const stream: SnapshotStream = await context.member.snapshot();
  for await (const { remainingBytes, blob } of stream.chunks) {
    if (call.cancelled) return;
    const message = encodeMessage(SnapshotResponseSchema, {
      remainingBytes: BigInt(remainingBytes),
      blob,
      version: stream.version,
    });
    if (!call.send(message)) await drained(call);
  }
  attempt(context, call, () => call.end());
}

/** Settles when the call has room again or is over. */
function drained(call: ServerStream): Promise<void> {
  if (call.cancelled) return Promise.resolve();
  return new Promise((resolve) => {
    call.onDrain = resolve;
    call.onCancel = resolve;
  });
}
