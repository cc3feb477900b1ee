/**
 * When a member stands for election before its timeout says so: alone in its cluster, right after a
 * start, and when the leader's process is seen to be gone. Each is only about time: whether it wins
 * is the consensus's matter, and with pre-vote a mistake disturbs nobody.
 */
import { Prng } from "../base/index.ts";
import { NONE } from "../raft/index.ts";
import type { Entropy, Timers } from "../seam/index.ts";
import type { Driver } from "./driver.ts";

export interface ElectionsOptions {
  readonly id: bigint;
  readonly driver: Pick<Driver, "leader" | "campaign" | "forgetLeader" | "tick">;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly electionTicks: number;
  readonly isAdvancing: boolean;
  readonly voters: () => readonly bigint[];
  readonly isConnected: (id: bigint) => boolean;
}

/** Followers that lost their leader at the same moment should not all stand at the same moment. */
const SPREAD_MS = 30;
const RETRY_MS = 100;
const TRIES_MAX = 10;
/** Ticks that are left of the first timeout, at least. */
const TICKS_LEFT = 2;
/** Ticks after the start in which the first timeout may still be cut short. */
const START_TICKS = 50;

export class Elections {
  readonly #options: ElectionsOptions;
  readonly #prng: Prng;
  #startTicks = 0;
  #isTrying = false;

  constructor(options: ElectionsOptions) {
    this.#options = options;
    this.#prng = new Prng(options.entropy.bytes(4).readUInt32BE(0));
    if (!options.isAdvancing) this.#startTicks = START_TICKS;
  }

  /** A lone voter has nobody to wait for. */
  standIfAlone(): void {
    const { driver, id, voters } = this.#options;
    if (driver.leader !== NONE) return;
    const all = voters();
    if (all.length === 1 && all[0] === id) driver.campaign();
  }

  /** Each tick: at first, time is passed quickly as soon as enough members are there to vote. */
  tick(): void {
    if (this.#startTicks >= START_TICKS) return;
    this.#startTicks += 1;
    const { driver, id, voters, isConnected, electionTicks } = this.#options;
    if (driver.leader !== NONE) {
      this.#startTicks = START_TICKS;
      return;
    }
    const all = voters();
    const present = all.filter((voter) => voter === id || isConnected(voter)).length;
    if (all.length === 0 || present <= all.length / 2) return;
    this.#startTicks = START_TICKS;
    for (let tick = TICKS_LEFT; tick < electionTicks; tick += 1) driver.tick();
  }

  processGone(gone: bigint): void {
    const { driver, id, voters } = this.#options;
    if (gone !== driver.leader || gone === id || !voters().includes(id)) return;
    driver.forgetLeader();
    if (this.#isTrying) return;
    this.#isTrying = true;
    this.#tryLater(this.#prng.below(SPREAD_MS), TRIES_MAX);
  }

  #tryLater(delayMs: number, triesLeft: number): void {
    const { driver, timers } = this.#options;
    timers.after(delayMs, () => {
      this.#isTrying = driver.leader === NONE && triesLeft > 0;
      if (!this.#isTrying) return;
      driver.campaign();
      this.#tryLater(RETRY_MS + this.#prng.below(SPREAD_MS), triesLeft - 1);
    });
  }
}
