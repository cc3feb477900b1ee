/** The members of the present configuration: their progress, their votes, who was heard. */
import { type Config, confStateOf, EMPTY_CONFIG, isVoter, memberIds } from "./conf-change.ts";
import { Progress } from "./progress.ts";
import { type Acknowledged, jointCommitted, jointVote, type VoteResult } from "./quorum.ts";
import type { ConfState } from "../wire/index.ts";

export interface TrackerOptions {
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
}

/**
 * Invariant: `ids` holds the members of `config` in ascending order, and each has a progress whose
 * `isLearner` says whether it is in `config.learners`.
 */
export class Tracker implements Acknowledged {
  config: Config = EMPTY_CONFIG;
  /** Ascending, so that messages go out in the same order in every run. */
  ids: readonly bigint[] = [];
  readonly #options: TrackerOptions;
  #progress = new Map<bigint, Progress>();
  readonly #votes = new Map<bigint, boolean>();

  constructor(options: TrackerOptions) {
    this.#options = options;
  }

  progress(id: bigint): Progress | undefined {
    return this.#progress.get(id);
  }

  confState(): ConfState {
    return confStateOf(this.config);
  }

  /**
   * Takes on a configuration. Members that stay keep their progress; those in `joined` and those
   * who are new start with `next`. They count as heard from: a quorum check must not depose the
   * leader before they had the time to answer.
   */
  switchTo(config: Config, joined: ReadonlySet<bigint>, next: number): void {
    const before = this.#progress;
    this.config = config;
    this.ids = memberIds(config);
    this.#progress = new Map();
    for (const id of this.ids) {
      const isLearner = config.learners.has(id);
      let progress = joined.has(id) ? undefined : before.get(id);
      if (progress === undefined) {
        progress = new Progress({ next, isLearner, ...this.#options });
        progress.isRecentlyActive = true;
      }
      progress.isLearner = isLearner;
      this.#progress.set(id, progress);
    }
  }

  isVoter(id: bigint): boolean {
    return isVoter(this.config, id);
  }

  /** Whether one voter is the whole quorum. */
  get isSingleton(): boolean {
    return this.config.incoming.size === 1 && this.config.outgoing.size === 0;
  }

  acknowledged(id: bigint): number | undefined {
    return this.#progress.get(id)?.match;
  }

  /** The highest index that a quorum holds; Infinity when there is no voter. */
  committed(): number {
    return jointCommitted(this.config, this);
  }

  resetVotes(): void {
    this.#votes.clear();
  }

  forgetVote(id: bigint): void {
    this.#votes.delete(id);
  }

  /** The first answer of a voter counts; others are repetitions. */
  recordVote(id: bigint, isGranted: boolean): void {
    if (!this.#votes.has(id)) this.#votes.set(id, isGranted);
  }

  voteResult(): VoteResult {
    return jointVote(this.config, this.#votes);
  }

  /** Whether a quorum of voters was heard since the last check (thesis 6.2). */
  isQuorumActive(): boolean {
    const active = new Map<bigint, boolean>();
    for (const id of this.ids) {
      const progress = this.#progress.get(id) as Progress;
      if (!progress.isLearner) active.set(id, progress.isRecentlyActive);
    }
    return jointVote(this.config, active) === "won";
  }
}
