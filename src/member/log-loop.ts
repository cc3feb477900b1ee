/**
 * The write path of a member: proposals in, batches to the log, committed entries to the machine,
 * answers out. One voter: an entry is committed when it is durable here.
 *
 * All that is proposed in one turn of the event loop becomes one batch: one append, one durable
 * write, applied together. While one batch is on its way to the disk the next one gathers, so the
 * batch size follows the load by itself. Applying goes on while the disk works on the next batch.
 */
import { assert } from "../base/index.ts";
import { EtcdError, errors } from "../errors/index.ts";
import type { ApplyOutcome, ApplyResponse } from "../apply/index.ts";
import type { Timers } from "../seam/index.ts";
import { type Entry, EntryType, type HardState, type RaftRequest } from "../wire/index.ts";
import {
  APPLY_SLICE_ENTRIES,
  BATCH_BYTES_MAX,
  BATCH_ENTRIES_MAX,
  PROPOSALS_MAX,
} from "./limits.ts";
import type { Waiter } from "./types.ts";

/** The part of wal/ that the loop uses. */
export interface AppendLog {
  append(entries: readonly Entry[], hardState: HardState): Promise<void>;
}

/** What becomes of a committed entry. */
export interface Applier {
  /** Throws only when the store is broken: then the loop stops. */
  applyNormal(entry: Entry, request: RaftRequest, isWaited: boolean): ApplyOutcome;
  /** A slice of entries was applied and answered. */
  applied(): void;
}

interface Proposal {
  readonly data: Buffer;
  readonly request: RaftRequest;
  /** Undefined once it was answered. */
  waiter: Waiter<ApplyResponse> | undefined;
  readonly atMs: number;
}

interface Batch {
  readonly entries: Entry[];
  readonly proposals: Proposal[];
  /** Entries already applied. */
  applied: number;
}

export interface LogLoopOptions {
  readonly log: AppendLog;
  readonly applier: Applier;
  readonly timers: Timers;
  readonly hardState: HardState;
  readonly lastIndex: number;
  /** A failed append: nothing that follows can be trusted, the member must stop. */
  readonly onFatal: (error: Error) => void;
  /** The store is behind: no batch is begun until `wake`. */
  readonly isHeldBack: () => boolean;
}

export class LogLoop {
  readonly #log: AppendLog;
  readonly #applier: Applier;
  readonly #timers: Timers;
  readonly #onFatal: (error: Error) => void;
  readonly #isHeldBack: () => boolean;
  readonly #term: number;
  readonly #vote: bigint;
  /** Last index given to the log. Invariant: applied <= committed <= last. */
  #last: number;
  #committed: number;
  #applied: number;
  /** Proposals that no batch holds yet; answered in order. */
  #waiting: Proposal[] = [];
  #isFlushPlanned = false;
  /** The batch that the disk works on. */
  #inFlight: Batch | undefined;
  /** Durable batches, oldest first, not yet wholly applied. */
  #committedBatches: Batch[] = [];
  #isApplyPlanned = false;
  #stopError: EtcdError | undefined;
  #idleWaiters: (() => void)[] = [];

  constructor(options: LogLoopOptions) {
    this.#log = options.log;
    this.#applier = options.applier;
    this.#timers = options.timers;
    this.#onFatal = options.onFatal;
    this.#isHeldBack = options.isHeldBack;
    this.#term = options.hardState.term;
    this.#vote = options.hardState.vote;
    this.#committed = options.lastIndex;
    this.#applied = options.lastIndex;
    this.#last = options.lastIndex;
  }

  /** Proposals refused or given up for a reason that is not their own. */
  failed = 0;

  get committed(): number {
    return this.#committed;
  }

  get applied(): number {
    return this.#applied;
  }

  /** Proposals that were not yet answered. */
  get pending(): number {
    let pending = this.#waiting.length + (this.#inFlight?.proposals.length ?? 0);
    for (const batch of this.#committedBatches) pending += batch.proposals.length - batch.applied;
    return pending;
  }

  /** `data` is the encoded `request`; both are owned by the loop from here. */
  propose(data: Buffer, request: RaftRequest, waiter: Waiter<ApplyResponse>, nowMs: number): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      this.failed += 1;
      this.#timers.soon(() => waiter.refused(refusal));
      return;
    }
    this.#waiting.push({ data, request, waiter, atMs: nowMs });
    this.#planFlush();
  }

  #refusal(): EtcdError | undefined {
    if (this.#stopError !== undefined) return this.#stopError;
    return this.#waiting.length >= PROPOSALS_MAX ? errors.TooManyRequests : undefined;
  }

  #planFlush(): void {
    if (this.#isFlushPlanned || this.#inFlight !== undefined) return;
    this.#isFlushPlanned = true;
    this.#timers.soon(() => {
      this.#isFlushPlanned = false;
      this.#flush();
    });
  }

  /** The store has caught up. */
  wake(): void {
    this.#planFlush();
  }

  #flush(): void {
    if (this.#inFlight !== undefined || this.#waiting.length === 0) return;
    // What is committed and not applied is bounded: the disk may not run ahead of the machine.
    if (this.#committedBatches.length > 1 || this.#isHeldBack()) return;
    const batch = this.#takeBatch();
    this.#inFlight = batch;
    const hardState = { term: this.#term, vote: this.#vote, commit: this.#committed };
    this.#log.append(batch.entries, hardState).then(
      () => this.#onDurable(batch),
      (error: unknown) => this.#onBroken(error),
    );
  }

  #takeBatch(): Batch {
    let count = 0;
    let bytes = 0;
    const waiting = this.#waiting;
    while (count < waiting.length && count < BATCH_ENTRIES_MAX && bytes < BATCH_BYTES_MAX) {
      bytes += (waiting[count] as Proposal).data.length;
      count += 1;
    }
    const proposals = count === waiting.length ? waiting : waiting.slice(0, count);
    this.#waiting = count === waiting.length ? [] : waiting.slice(count);
    const entries = new Array<Entry>(count);
    for (let position = 0; position < count; position += 1) {
      this.#last += 1;
      entries[position] = {
        type: EntryType.NORMAL,
        term: this.#term,
        index: this.#last,
        data: (proposals[position] as Proposal).data,
      };
    }
    return { entries, proposals, applied: 0 };
  }

  #onDurable(batch: Batch): void {
    if (this.#inFlight === undefined && this.#stopError !== undefined) return;
    assert(this.#inFlight === batch, "log loop: batches become durable in order");
    this.#inFlight = undefined;
    this.#committed = (batch.entries.at(-1) as Entry).index;
    this.#committedBatches.push(batch);
    this.#flush();
    if (!this.#isApplyPlanned) this.#applySlice();
  }

  /** The log or the store failed: nobody can tell what would follow. */
  #onBroken(error: unknown): void {
    this.stop(errors.Stopped);
    const batches = this.#inFlight === undefined ? [] : [this.#inFlight];
    for (const batch of [...this.#committedBatches, ...batches]) {
      for (const proposal of batch.proposals) {
        const waiter = proposal.waiter;
        proposal.waiter = undefined;
        waiter?.refused(errors.Stopped);
      }
    }
    this.#committedBatches = [];
    this.#inFlight = undefined;
    this.#checkIdle();
    this.#onFatal(error instanceof Error ? error : new Error(String(error)));
  }

  /** Applies a bounded number of entries, then lets the event loop run. */
  #applySlice(): void {
    try {
      this.#applyEntries(APPLY_SLICE_ENTRIES);
      this.#applier.applied();
    } catch (error) {
      return this.#onBroken(error);
    }
    if (this.#committedBatches.length > 0) {
      this.#isApplyPlanned = true;
      this.#timers.soon(() => {
        this.#isApplyPlanned = false;
        this.#applySlice();
      });
    }
    if (this.#waiting.length > 0) this.#flush();
    this.#checkIdle();
  }

  #applyEntries(budget: number): void {
    let left = budget;
    while (left > 0 && this.#committedBatches.length > 0) {
      const batch = this.#committedBatches[0] as Batch;
      const end = Math.min(batch.entries.length, batch.applied + left);
      left -= end - batch.applied;
      this.#applyBatch(batch, end);
      if (batch.applied === batch.entries.length) this.#committedBatches.shift();
    }
  }

  #applyBatch(batch: Batch, end: number): void {
    while (batch.applied < end) {
      const position = batch.applied;
      const entry = batch.entries[position] as Entry;
      const proposal = batch.proposals[position] as Proposal;
      const waiter = proposal.waiter;
      const outcome = this.#applier.applyNormal(entry, proposal.request, waiter !== undefined);
      batch.applied = position + 1;
      this.#applied = entry.index;
      if (waiter === undefined) continue;
      proposal.waiter = undefined;
      answer(waiter, outcome);
    }
  }

  /**
   * Answers proposals older than `deadlineMs` with a timeout (FR-08). The entries stay where they
   * are: a write that timed out may still happen, as with etcd.
   */
  expire(deadlineMs: number): void {
    expireProposals(this.#inFlight?.proposals ?? [], deadlineMs);
    for (const batch of this.#committedBatches) expireProposals(batch.proposals, deadlineMs);
    expireProposals(this.#waiting, deadlineMs);
  }

  /** Refuses what waits and whatever comes; what is on its way to the disk is still answered. */
  stop(error: EtcdError): void {
    this.#stopError ??= error;
    const refused = this.#waiting;
    this.#waiting = [];
    for (const proposal of refused) proposal.waiter?.refused(error);
    this.#checkIdle();
  }

  /** Stops, and settles when nothing is on its way to the disk or to the machine any more. */
  drain(error: EtcdError): Promise<void> {
    this.stop(error);
    return new Promise((resolve) => {
      this.#idleWaiters.push(resolve);
      this.#checkIdle();
    });
  }

  #checkIdle(): void {
    if (this.#idleWaiters.length === 0) return;
    if (this.#inFlight !== undefined || this.#committedBatches.length > 0) return;
    if (this.#waiting.length > 0) return;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }
}

function answer(waiter: Waiter<ApplyResponse>, outcome: ApplyOutcome): void {
  if (outcome instanceof EtcdError) waiter.refused(outcome);
  else waiter.done(outcome);
}

function expireProposals(proposals: readonly Proposal[], deadlineMs: number): void {
  for (const proposal of proposals) {
    if (proposal.atMs > deadlineMs) return;
    const waiter = proposal.waiter;
    proposal.waiter = undefined;
    waiter?.refused(errors.Timeout);
  }
}
