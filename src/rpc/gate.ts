/**
 * Who is let in before a service sees the call: clients that want a leader only while there is one
 * (FR-21), at a learner only what it may answer (FR-25), and nobody who asks for the member's state
 * while that is in doubt (care/).
 */
import { type EtcdError, errors } from "../errors/index.ts";
import type { ServerCall, ServerStream } from "../grpc/index.ts";
import type { Member } from "../member/index.ts";
import type { Timer, Timers } from "../seam/index.ts";
import { decodeRangeRequest } from "../wire/index.ts";
import { failCall } from "./context.ts";

/** A stream costs its client much more to open again than a call, so it is ended this late. */
const ELECTIONS_WITHOUT_LEADER = 3;
const STATUS = "/etcdserverpb.Maintenance/Status";
const SNAPSHOT = "/etcdserverpb.Maintenance/Snapshot";
const STATE_SERVICES = ["/etcdserverpb.KV/", "/etcdserverpb.Lease/", "/etcdserverpb.Watch/"];
const RANGE = "/etcdserverpb.KV/Range";

export interface GateOptions {
  readonly member: Member;
  readonly timers: Timers;
  readonly electionTimeoutMs: number;
}

export class Gate {
  readonly #options: GateOptions;
  /** Streams that want a leader and are open. */
  readonly #streams = new Set<ServerStream>();
  readonly #forgetLeader: () => void;
  #patience: Timer | undefined = undefined;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#forgetLeader = options.member.onLeaderChange((leader) => this.#onLeader(leader));
  }

  /** Why a unary call is refused; undefined = it is not. */
  unary(call: ServerCall, request: Buffer): EtcdError | undefined {
    const { member } = this.#options;
    if (member.isLearner && !isForLearner(call.path, request)) {
      return errors.NotSupportedForLearner;
    }
    if (member.isQuarantined && isOfState(call.path)) return errors.Corrupt;
    return member.leader === 0n && wantsLeader(call) ? errors.NoLeader : undefined;
  }

  /** The same for a stream that begins; from then on it is ended when the leader is lost. */
  stream(call: ServerStream): EtcdError | undefined {
    const { member } = this.#options;
    if (member.isLearner && call.path !== SNAPSHOT) return errors.NotSupportedForLearner;
    if (member.isQuarantined && isOfState(call.path)) return errors.Corrupt;
    if (!wantsLeader(call)) return undefined;
    if (member.leader === 0n) return errors.NoLeader;
    this.#streams.add(call);
    call.onEnd = () => this.#streams.delete(call);
    return undefined;
  }

  close(): void {
    this.#forgetLeader();
    this.#patience?.cancel();
    this.#streams.clear();
  }

  #onLeader(leader: bigint): void {
    this.#patience?.cancel();
    this.#patience = undefined;
    if (leader !== 0n) return;
    const { timers, electionTimeoutMs } = this.#options;
    const delayMs = ELECTIONS_WITHOUT_LEADER * electionTimeoutMs;
    this.#patience = timers.after(delayMs, () => this.#endStreams());
  }

  #endStreams(): void {
    this.#patience = undefined;
    for (const call of [...this.#streams]) {
      failCall(call, errors.NoLeader);
      // As when the client had gone: the handler lets go of what it holds.
      call.onCancel?.();
    }
    this.#streams.clear();
  }
}

function wantsLeader(call: ServerCall): boolean {
  return call.metadata("hasleader") === "true";
}

/** What answers from the state. Snapshots of one in doubt are for nobody either. */
function isOfState(path: string): boolean {
  return path === SNAPSHOT || STATE_SERVICES.some((service) => path.startsWith(service));
}

function isForLearner(path: string, request: Buffer): boolean {
  return path === STATUS || (path === RANGE && decodeRangeRequest(request).serializable);
}
