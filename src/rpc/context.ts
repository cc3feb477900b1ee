/**
 * What every service shares: the member, one scratch writer, the limits and the version that we
 * answer as. Encoding into the scratch writer and `call.respond` happen in one go, so one writer
 * is enough for all calls.
 */
import { type ByteWriter, MalformedError } from "../base/index.ts";
import { Code, EtcdError, errors } from "../errors/index.ts";
import type { ServerCall } from "../grpc/index.ts";
import type { Member } from "../member/index.ts";
import type { Logger, Timers } from "../seam/index.ts";
import type { ResponseHeader } from "../wire/index.ts";

export interface RpcOptions {
  readonly member: Member;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly txnOpsMax: number;
  readonly requestBytesMax: number;
  /** "3.7.1": the version that Status answers. */
  readonly serverVersion: string;
  /** Answers to keys_only hold the lease, as before 3.7 (KV-06). */
  readonly keysOnlyWithLease: boolean;
  /** Streams that want a leader are ended after three of it without one (FR-21). */
  readonly electionTimeoutMs: number;
}

export interface RpcContext extends RpcOptions {
  readonly writer: ByteWriter;
}

export function headerOf(member: Member, revision: number): ResponseHeader {
  return {
    clusterId: member.clusterId,
    memberId: member.id,
    revision,
    raftTerm: member.raftTerm,
  };
}

/** The same for messages of the generated codecs, at the current revision. */
export function coldHeader({ member }: RpcContext) {
  return {
    clusterId: member.clusterId,
    memberId: member.id,
    revision: BigInt(member.currentRevision),
    raftTerm: BigInt(member.raftTerm),
  };
}

export function failCall(call: ServerCall, error: EtcdError): void {
  call.fail(error.code, error.message);
}

/**
 * Runs one step of a call; what it throws ends the call and nothing else. Every step goes through
 * here: handlers by services.ts, and what runs later by its own file.
 */
export function attempt(context: RpcContext, call: ServerCall, step: () => void): void {
  try {
    step();
  } catch (error) {
    failThrown(context, call, error);
  }
}

/** Names of the errors that say: what is read is not what was written. */
const DAMAGE: ReadonlySet<string> = new Set([
  "CorruptRecord",
  "DamagedTable",
  "LostRecord",
  "RecordsMissing",
]);

export function failThrown(context: RpcContext, call: ServerCall, error: unknown): void {
  if (error instanceof EtcdError) return failCall(call, error);
  if (error instanceof MalformedError) {
    call.fail(Code.INTERNAL, `grpc: error unmarshalling request: ${error.message}`);
    return;
  }
  const cause = error instanceof Error ? error : new Error(String(error));
  context.logger.error("request failed", {
    path: call.path,
    error: cause.message,
    stack: cause.stack,
  });
  if (DAMAGE.has(cause.name)) {
    context.member.reportCorruption(cause);
    return failCall(call, errors.Corrupt);
  }
  call.fail(Code.INTERNAL, `etcdserver: ${cause.message}`);
}

/** A call that answers by a promise. */
export function attemptAsync(
  context: RpcContext,
  call: ServerCall,
  step: () => Promise<void>,
): void {
  step().catch((error: unknown) => failThrown(context, call, error));
}
