/**
 * Leases as clients and peers ask for them: the leader answers, and does what is due for them; any
 * other member asks it (surface 4).
 */
import type { ApplyResponse } from "../apply/index.ts";
import { errors } from "../errors/index.ts";
import type { Lessor } from "../lease/index.ts";
import type { Clock, Entropy, LeaseAnswer, PeerNetwork, Timers } from "../seam/index.ts";
import type { RaftOperation } from "../wire/index.ts";
import type { LeaderQuestions } from "./leader-questions.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import type { Waiter } from "./types.ts";

export interface LeaseServiceOptions {
  /** The one of now: a snapshot brings another. */
  readonly lessor: () => Lessor;
  /** This member leads, and knows all leases as of its term (RA-07). */
  readonly isPrimary: () => boolean;
  /** This member was held up: another may lead by now, with other ideas (LE-04). */
  readonly isHeldUp: () => boolean;
  readonly readIndex: (waiter: Waiter<void>) => void;
  /** As the leader: never forwarded. */
  readonly propose: (operation: RaftOperation, waiter: Waiter<ApplyResponse>) => void;
  readonly questions: LeaderQuestions;
  readonly network: Pick<PeerNetwork, "keepAlive" | "leaseTimes">;
  readonly electionTimeoutMs: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
}

export class LeaseService {
  readonly #options: LeaseServiceOptions;
  readonly #keeper: LeaseKeeper;

  constructor(options: LeaseServiceOptions) {
    this.#options = options;
    const { lessor, clock, timers, propose } = options;
    this.#keeper = new LeaseKeeper({ lessor, clock, timers, propose });
  }

  get stats(): LeaseKeeper["stats"] {
    return this.#keeper.stats;
  }

  close(): void {
    this.#keeper.close();
  }

  newId(): bigint {
    const id = this.#options.entropy.bytes(8).readBigUInt64BE(0) & 0x7fff_ffff_ffff_ffffn;
    return id === 0n ? 1n : id;
  }

  /** At least one and a half elections, in whole seconds (LE-02). */
  effectiveTtlSeconds(ttlSeconds: number): number {
    const leastSeconds = Math.ceil((1.5 * this.#options.electionTimeoutMs) / 1000);
    return Math.max(ttlSeconds, leastSeconds);
  }

  keepAlive(leaseId: bigint, waiter: Waiter<number>): void {
    const { questions, network } = this.#options;
    questions.ask<number>(
      {
        here: (answer) => this.renewHere(leaseId, answer),
        there: (leader) => network.keepAlive(leader, leaseId),
      },
      {
        done: (ttlSeconds) => waiter.done(ttlSeconds),
        refused: (error) =>
          error === errors.LeaseNotFound ? waiter.done(0) : waiter.refused(error),
      },
    );
  }

  /** False: this member is not the one to ask. */
  renewHere(leaseId: bigint, waiter: Waiter<number>): boolean {
    const { isPrimary, isHeldUp } = this.#options;
    if (!isPrimary()) return false;
    if (isHeldUp()) {
      this.#renewInRound(leaseId, waiter);
      return true;
    }
    this.#keeper.keepAlive(leaseId, {
      // Who was deposed unknowingly has not heard of leases granted and renewed elsewhere since.
      done: (ttlSeconds) => {
        if (ttlSeconds > 0) waiter.done(ttlSeconds);
        else this.#renewInRound(leaseId, waiter);
      },
      refused: (error) => waiter.refused(error),
    });
    return true;
  }

  /** Once a majority has said that this member leads. */
  #renewInRound(leaseId: bigint, waiter: Waiter<number>): void {
    const { isPrimary, readIndex } = this.#options;
    readIndex({
      done: () => {
        if (isPrimary()) this.#keeper.keepAlive(leaseId, waiter);
        else waiter.refused(errors.NotPrimaryLessor);
      },
      refused: () => waiter.refused(errors.NotPrimaryLessor),
    });
  }

  times(leaseId: bigint, withKeys: boolean, waiter: Waiter<LeaseAnswer>): void {
    const { questions, network } = this.#options;
    questions.ask(
      {
        here: (answer) => this.timesHere(leaseId, withKeys, answer),
        there: (leader) => network.leaseTimes(leader, leaseId, withKeys),
      },
      waiter,
    );
  }

  /** False: this member is not the one to ask. */
  timesHere(leaseId: bigint, withKeys: boolean, waiter: Waiter<LeaseAnswer>): boolean {
    const { isPrimary, readIndex, clock } = this.#options;
    if (!isPrimary()) return false;
    readIndex({
      done: () => {
        if (!isPrimary()) return waiter.refused(errors.NotPrimaryLessor);
        const lessor = this.#options.lessor();
        const times = lessor.timeToLive(leaseId, clock.monotonicMs());
        if (times === undefined) waiter.done({ ttlSeconds: -1, grantedTtlSeconds: 0, keys: [] });
        else waiter.done({ ...times, keys: withKeys ? lessor.keysOf(leaseId) : [] });
      },
      refused: (error) => waiter.refused(error),
    });
    return true;
  }
}
