/**
 * The leader's duties for leases: revoke what expired, replicate remaining times, answer renewals.
 * Everything that changes a lease goes through the log; this only proposes.
 */
import type { Lessor } from "../lease/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import type { ApplyResponse } from "../apply/index.ts";
import type { Clock, Timer, Timers } from "../seam/index.ts";
import type { LeaseCheckpoint, RaftOperation } from "../wire/index.ts";
import type { Waiter } from "./types.ts";
import { LEASE_CHECKPOINTS_MAX, LEASE_SCAN_INTERVAL_MS, LEASES_EXPIRED_MAX } from "./limits.ts";

export interface LeaseKeeperOptions {
  /** The one of now: a snapshot brings another. */
  readonly lessor: () => Lessor;
  readonly clock: Clock;
  readonly timers: Timers;
  /** As the leader: never forwarded to another one. */
  readonly propose: (operation: RaftOperation, waiter: Waiter<ApplyResponse>) => void;
}

/** Nobody waits: a lease that stays is found again by the next scan. */
const UNHEARD: Waiter<ApplyResponse> = {
  done: () => undefined,
  refused: () => undefined,
};

export class LeaseKeeper {
  readonly #lessor: () => Lessor;
  readonly #clock: Clock;
  readonly #propose: LeaseKeeperOptions["propose"];
  readonly #timer: Timer;
  #expired = 0;
  #renewed = 0;

  constructor(options: LeaseKeeperOptions) {
    this.#lessor = options.lessor;
    this.#clock = options.clock;
    this.#propose = options.propose;
    this.#timer = options.timers.every(LEASE_SCAN_INTERVAL_MS, () => this.#scan());
  }

  /** Leases found expired, and renewals answered, since the start. */
  get stats(): { expired: number; renewed: number } {
    return { expired: this.#expired, renewed: this.#renewed };
  }

  close(): void {
    this.#timer.cancel();
  }

  #scan(): void {
    const nowMs = this.#clock.monotonicMs();
    const expired = this.#lessor().expired(nowMs, LEASES_EXPIRED_MAX);
    this.#expired += expired.length;
    for (const id of expired) this.#propose({ kind: "leaseRevoke", leaseRevoke: { id } }, UNHEARD);
    this.#checkpoint(this.#lessor().dueCheckpoints(nowMs, LEASE_CHECKPOINTS_MAX));
  }

  #checkpoint(checkpoints: LeaseCheckpoint[]): void {
    if (checkpoints.length === 0) return;
    this.#propose(
      { kind: "leaseCheckpoint", checkpoints },
      {
        done: () => undefined,
        refused: (error) => {
          if (isNeverProposed(error)) this.#lessor().checkpointsDropped(checkpoints);
        },
      },
    );
  }

  /**
   * Renews in memory. When a shorter remaining time is stored, the answer waits until that is taken
   * back: a restart must not expire the lease earlier than the client is told here.
   */
  keepAlive(id: bigint, waiter: Waiter<number>): void {
    const ttlSeconds = this.#lessor().renew(id, this.#clock.monotonicMs());
    if (ttlSeconds > 0) this.#renewed += 1;
    if (ttlSeconds === 0 || !this.#lessor().needsCheckpointClear(id))
      return waiter.done(ttlSeconds);
    this.#propose(
      { kind: "leaseCheckpoint", checkpoints: [{ id, remainingTtlSeconds: 0 }] },
      {
        done: () => waiter.done(ttlSeconds),
        refused: (error) => waiter.refused(error),
      },
    );
  }
}

function isNeverProposed(error: EtcdError): boolean {
  return (
    error === errors.TooManyRequests ||
    error === errors.Stopped ||
    error === errors.NotPrimaryLessor
  );
}
