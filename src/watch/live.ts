/**
 * New changes on their way to the watches that are up to date.
 *
 * What apply notifies waits here until the end of its batch, so that several revisions make one
 * response. A batch in hand may be left and taken up again: while it goes out, the next one grows,
 * so that a burst costs each watcher few large responses instead of many small ones.
 */
import type { RevisionChanges } from "../mvcc/index.ts";
import type { Delivery } from "./delivery.ts";
import { ChangeRef, type EventList, EventLists } from "./events.ts";
import type { GroupIndex } from "./group-index.ts";
import type { Watch, WatchGroup } from "./watch.ts";
import type { WatchedStore } from "./types.ts";

/** Changes and bytes that may wait. Beyond: every watch is sent back to the store's history. */
export const PENDING_CHANGES_MAX = 10_000;
export const PENDING_BYTES_MAX = 16 * 1024 * 1024;

interface Batch {
  readonly lo: number;
  readonly hi: number;
  readonly groups: readonly WatchGroup[];
  readonly lists: readonly EventList[];
  /** Where the walk stands: groups forwards, the watches of each backwards. */
  groupAt: number;
  watchAt: number;
}

export class LiveQueue {
  readonly #store: WatchedStore;
  readonly #index: GroupIndex;
  readonly #delivery: Delivery;
  readonly #fallBehind: (watch: Watch) => void;
  #pending: RevisionChanges[] = [];
  #pendingBytes = 0;
  pendingChanges = 0;
  #batch: Batch | undefined;
  /** Every synced watch has been sent its events up to here. */
  deliveredRevision: number;
  /** The end of the batch taken last: a watch beyond it may be synced (see `Laggards`). */
  handedRevision: number;

  constructor(
    store: WatchedStore,
    index: GroupIndex,
    delivery: Delivery,
    fallBehind: (watch: Watch) => void,
  ) {
    this.#store = store;
    this.#index = index;
    this.#delivery = delivery;
    this.#fallBehind = fallBehind;
    this.deliveredRevision = store.currentRevision;
    this.handedRevision = store.currentRevision;
  }

  get isEmpty(): boolean {
    return this.#batch === undefined && this.#pending.length === 0;
  }

  /** Whether there is room; without it the caller must `reset`. */
  push(changes: RevisionChanges): boolean {
    this.#pending.push(changes);
    this.pendingChanges += changes.changes.length;
    for (const change of changes.changes) this.#pendingBytes += change.record.length;
    return this.pendingChanges <= PENDING_CHANGES_MAX && this.#pendingBytes <= PENDING_BYTES_MAX;
  }

  /** Nobody watches: nothing to keep. */
  pass(revision: number): void {
    this.deliveredRevision = revision;
    this.handedRevision = revision;
  }

  /** Drops what waits. The caller sends every synced watch behind, from the returned revision. */
  reset(): number {
    const lo = this.#batch?.lo ?? this.#pending[0]?.revision ?? this.deliveredRevision + 1;
    const last = this.#pending[this.#pending.length - 1]?.revision ?? this.#batch?.hi;
    this.#batch = undefined;
    this.#clearPending();
    if (last !== undefined) this.pass(last);
    return lo;
  }

  /** Hands out for about `workMax` units; returns how many it took. */
  step(workMax: number): number {
    let work = 0;
    while (work < workMax) {
      this.#batch ??= this.#take();
      if (this.#batch === undefined) return work;
      work += this.#handOut(this.#batch, workMax - work);
      if (this.#batch !== undefined && this.#batch.groupAt >= this.#batch.groups.length) {
        this.deliveredRevision = this.#batch.hi;
        this.#batch = undefined;
      }
    }
    return work;
  }

  #clearPending(): void {
    this.#pending = [];
    this.#pendingBytes = 0;
    this.pendingChanges = 0;
  }

  /** Throws when the store does: what waits goes on waiting then. */
  #take(): Batch | undefined {
    const pending = this.#pending;
    const first = pending[0];
    if (first === undefined) return undefined;
    const groups: WatchGroup[] = [];
    for (const { revision, changes } of pending) {
      for (const change of changes) this.#index.collect(new ChangeRef(change, revision), groups);
    }
    const collected = groups.map((group) => {
      const refs = group.collected;
      group.collected = [];
      return refs;
    });
    const shared = new EventLists(this.#store);
    const lists = groups.map(({ shape }, at) =>
      shared.of(collected[at] as ChangeRef[], shape.hasPrevKv),
    );
    this.#clearPending();
    const hi = (pending[pending.length - 1] as RevisionChanges).revision;
    this.handedRevision = hi;
    const watchAt = (groups[0]?.synced.length ?? 0) - 1;
    return { lo: first.revision, hi, groups, lists, groupAt: 0, watchAt };
  }

  #handOut(batch: Batch, workMax: number): number {
    let work = 1;
    while (batch.groupAt < batch.groups.length) {
      const { synced } = batch.groups[batch.groupAt] as WatchGroup;
      const list = batch.lists[batch.groupAt] as EventList;
      // Backwards, since a watch that leaves is replaced by the last one. One that is met twice, or
      // joined meanwhile, is protected by its cursor.
      for (; batch.watchAt >= 0; batch.watchAt -= 1) {
        if (work >= workMax) return work;
        const watch = synced[batch.watchAt];
        if (watch === undefined) continue;
        work += 1;
        this.#give(watch, list, batch.hi);
      }
      batch.groupAt += 1;
      batch.watchAt = (batch.groups[batch.groupAt]?.synced.length ?? 0) - 1;
    }
    return work;
  }

  #give(watch: Watch, list: EventList, revision: number): void {
    if (watch.nextRevision > revision) return;
    if (watch.stream.isBlocked) {
      if (watch.nextRevision < list.firstRevision) watch.nextRevision = list.firstRevision;
      this.#fallBehind(watch);
    } else if (!this.#delivery.send(watch, list, revision)) {
      this.#fallBehind(watch);
    }
  }
}
