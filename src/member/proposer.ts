/**
 * From an operation to a proposal that waits for the next batch: what is refused before anything is
 * proposed (quota, back-pressure, size, a member that stops), and the id by which it is found.
 */
import { type ApplyResponse, costOfOperation } from "../apply/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import type { Timers } from "../seam/index.ts";
import { marshalRaftRequest, type RaftOperation, type RaftRequest } from "../wire/index.ts";
import type { AlarmRaiser } from "./alarm-raiser.ts";
import type { Driver } from "./driver.ts";
import { PROPOSALS_MAX } from "./limits.ts";
import type { LocalStore } from "./local-store.ts";
import type { Waiter } from "./types.ts";

export interface ProposerOptions {
  /** Of the member. */
  readonly id: bigint;
  /** Milliseconds since the epoch at the start: ids of an earlier run do not come again. */
  readonly wallMs: number;
  readonly requestBytesMax: number;
  /** The one of now: a snapshot brings another. */
  readonly local: () => Pick<LocalStore, "quota" | "backend">;
  readonly driver: Pick<Driver, "proposals" | "wake">;
  readonly alarms: Pick<AlarmRaiser, "noSpace">;
  readonly timers: Timers;
  readonly isStopped: () => boolean;
}

export class Proposer {
  readonly #options: ProposerOptions;
  readonly #memberPrefix: number;
  /** Below 2^48: milliseconds since the epoch (40 bits) and a counter, as etcd's request ids. */
  #sequence: number;
  /** Refused or timed out, for a reason that is not their own. */
  failed = 0;

  constructor(options: ProposerOptions) {
    this.#options = options;
    this.#memberPrefix = Number(options.id & 0xffffn);
    this.#sequence = (options.wallMs % 2 ** 40) * 256;
  }

  /** Never answers before it returned. `isLeaders`: never passed on to another leader. */
  propose(
    operation: RaftOperation,
    waiter: Waiter<ApplyResponse>,
    nowMs: number,
    isLeaders: boolean,
  ): void {
    const { local, driver, isStopped, requestBytesMax } = this.#options;
    if (isStopped()) return this.#refuse(waiter, errors.Stopped);
    const cost = costOfOperation(operation);
    if (cost > 0) {
      const { quota, backend } = local();
      if (!quota.admits(cost, nowMs)) {
        this.#options.alarms.noSpace(quota.limitBytes, backend.sizeBytes().inUse);
        return this.#refuse(waiter, errors.NoSpace);
      }
    }
    const { proposals } = driver;
    if (proposals.size >= PROPOSALS_MAX) return this.#refuse(waiter, errors.TooManyRequests);
    const request: RaftRequest = {
      header: {
        memberPrefix: this.#memberPrefix,
        sequence: this.#nextSequence(),
        username: "",
        authRevision: 0,
      },
      operation,
    };
    const data = marshalRaftRequest(request);
    if (data.length > requestBytesMax) return this.#refuse(waiter, errors.RequestTooLarge);
    proposals.add({ data, request, waiter, atMs: nowMs, isLeaders, term: 0 });
    driver.wake();
  }

  /** As etcd's: 16 bits of the member's id, and the sequence. */
  newRequestId(): bigint {
    return (BigInt(this.#memberPrefix) << 48n) | BigInt(this.#nextSequence());
  }

  #nextSequence(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  #refuse(waiter: Waiter<ApplyResponse>, error: EtcdError): void {
    this.failed += 1;
    this.#options.timers.soon(() => waiter.refused(error));
  }
}
