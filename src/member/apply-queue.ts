/**
 * Committed entries on their way to the machine: in order, a bounded slice at a time, with a turn
 * of the event loop between slices, so that heartbeats and clients are never kept waiting.
 */
import type { ApplyOutcome } from "../apply/index.ts";
import { MalformedError } from "../base/index.ts";
import { EtcdError, errors } from "../errors/index.ts";
import type { Timers } from "../seam/index.ts";
import { decodeRaftRequest, type Entry, EntryType, type RaftRequest } from "../wire/index.ts";
import { APPLY_SLICE_ENTRIES } from "./limits.ts";
import type { Proposals } from "./proposals.ts";

/** What becomes of a committed entry. Throws only when the store is broken: then all stops. */
export interface Applier {
  /** `isWaited`: a client of this member waits for the outcome. */
  applyRequest(entry: Entry, request: RaftRequest, isWaited: boolean): ApplyOutcome;
  /** A change of the configuration: handed over when no crash takes it back (decision 0033). */
  applyConfChange(entry: Entry): void;
  /** An empty entry, or one that cannot be read: it only moves the applied index. */
  pass(entry: Entry): void;
  /** A slice was applied, up to `index`. */
  appliedTo(index: number): void;
}

interface Batch {
  readonly entries: readonly Entry[];
  readonly done: () => void;
  applied: number;
}

export interface ApplyQueueOptions {
  readonly timers: Timers;
  readonly proposals: Proposals;
  readonly applier: Applier;
  /** The store is behind: nothing is applied until `wake`. */
  readonly isHeldBack: () => boolean;
  /** Whether the disk knows that `index` is committed. If not, it will, and `wake` follows. */
  readonly ensureCommit: (index: number) => boolean;
  /** The store is damaged and will be replaced: the same entry is applied again when it is. */
  readonly isHealable: (error: Error) => boolean;
  readonly onBroken: (error: unknown) => void;
}

export class ApplyQueue {
  readonly #options: ApplyQueueOptions;
  #batches: Batch[] = [];
  #isPlanned = false;
  #isStopped = false;

  constructor(options: ApplyQueueOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0;
  }

  /** `done` is called when all of them are applied. */
  push(entries: readonly Entry[], done: () => void): void {
    this.#batches.push({ entries, done, applied: 0 });
    if (!this.#isPlanned) this.#step();
  }

  /** The store has caught up. */
  wake(): void {
    if (!this.#isPlanned && this.#batches.length > 0) this.#plan();
  }

  /** What waits is not applied any more: all of it is in a state that is about to be taken over. */
  passOver(): void {
    const passed = this.#batches;
    this.#batches = [];
    for (const batch of passed) batch.done();
  }

  stop(): void {
    this.#isStopped = true;
    this.#batches = [];
  }

  #plan(): void {
    this.#isPlanned = true;
    this.#options.timers.soon(() => {
      this.#isPlanned = false;
      this.#step();
    });
  }

  #step(): void {
    if (this.#isStopped || this.#options.isHeldBack() || this.#isAwaitingCommit()) return;
    // What `done` pushes is applied in its own turn.
    this.#isPlanned = true;
    try {
      this.#applySlice();
    } catch (error) {
      if (!(error instanceof Error) || !this.#options.isHealable(error)) {
        this.stop();
        this.#options.onBroken(error);
      }
    }
    this.#isPlanned = false;
    if (this.#batches.length > 0) this.#plan();
  }

  #isAwaitingCommit(): boolean {
    const batch = this.#batches[0];
    const next = batch?.entries[batch.applied];
    return next !== undefined && !this.#isCertain(next);
  }

  #isCertain(entry: Entry): boolean {
    return entry.type === EntryType.NORMAL || this.#options.ensureCommit(entry.index);
  }

  #applySlice(): void {
    let left = APPLY_SLICE_ENTRIES;
    let last = 0;
    const finished: Batch[] = [];
    while (left > 0 && this.#batches.length > 0) {
      const batch = this.#batches[0] as Batch;
      const end = Math.min(batch.entries.length, batch.applied + left);
      left -= end - batch.applied;
      while (batch.applied < end) {
        const entry = batch.entries[batch.applied] as Entry;
        if (!this.#isCertain(entry)) break;
        this.#apply(entry);
        batch.applied += 1;
        last = entry.index;
      }
      if (batch.applied < batch.entries.length) break;
      this.#batches.shift();
      finished.push(batch);
    }
    if (last > 0) this.#options.applier.appliedTo(last);
    for (const batch of finished) batch.done();
  }

  /** The log is taken as hostile: what cannot be read is passed over, on every member alike. */
  #apply(entry: Entry): void {
    const { applier, proposals } = this.#options;
    if (entry.type !== EntryType.NORMAL) return applier.applyConfChange(entry);
    if (entry.data.length === 0) return applier.pass(entry);
    const proposal = proposals.claim(entry.data);
    const request = proposal === undefined ? tryDecode(entry.data) : proposal.request;
    if (request === undefined) return applier.pass(entry);
    const waiter = proposal?.waiter;
    let outcome: ApplyOutcome;
    try {
      outcome = applier.applyRequest(entry, request, waiter !== undefined);
    } catch (error) {
      // It was claimed, so that nobody else knows of it any more.
      waiter?.refused(errors.Stopped);
      throw error;
    }
    if (waiter === undefined) return;
    if (outcome instanceof EtcdError) waiter.refused(outcome);
    else waiter.done(outcome);
  }
}

function tryDecode(data: Buffer): RaftRequest | undefined {
  try {
    return decodeRaftRequest(data);
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}
