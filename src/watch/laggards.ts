/**
 * Watches that are behind: new ones that start in the past, and those whose reader was slow.
 *
 * In rounds: the stream whose turn it is names the revision to start from, a slice of history is
 * read from there once, and every watch whose cursor lies in it, of whatever stream, is served from
 * that slice. So a thousand clients that come back after an outage cost one pass over the history
 * and not a thousand, and none of them waits for another that is further behind.
 */
import type { Key } from "../base/index.ts";
import type { RevisionChanges } from "../mvcc/index.ts";
import type { Delivery } from "./delivery.ts";
import { type ChangeRef, type EventList, EventLists, refsOf } from "./events.ts";
import type { HubStream } from "./stream.ts";
import type { Watch, WatchGroup } from "./watch.ts";
import type { WatchedStore } from "./types.ts";

/** Changes in a slice, adapted to what they weigh. */
const SLICE_CHANGES_MIN = 1;
const SLICE_CHANGES_FIRST = 64;
const SLICE_CHANGES_MAX = 1_024;
const SLICE_BYTES_HIGH = 2 * 1024 * 1024;
const SLICE_BYTES_LOW = 512 * 1024;

/** A slice of history, [lo, hi], and what each group sees of it. */
interface Round {
  readonly lo: number;
  readonly hi: number;
  readonly refs: readonly ChangeRef[];
  readonly refsByKey: Map<Key, ChangeRef[]>;
  readonly lists: Map<WatchGroup, EventList | undefined>;
  readonly shared: EventLists;
  /** Streams still to be served in this round, the next one last. */
  readonly streams: HubStream[];
}

export interface LaggardsOptions {
  readonly store: WatchedStore;
  readonly delivery: Delivery;
  /** A watch whose cursor is beyond this sees all that is still to come through the live queue. */
  readonly handedRevision: () => number;
}

export class Laggards {
  readonly #store: WatchedStore;
  readonly #delivery: Delivery;
  readonly #handedRevision: () => number;
  /** Streams with watches behind and room in their sink, by turns. */
  #queue: HubStream[] = [];
  #round: Round | undefined;
  #sliceChanges = SLICE_CHANGES_FIRST;

  constructor(options: LaggardsOptions) {
    this.#store = options.store;
    this.#delivery = options.delivery;
    this.#handedRevision = options.handedRevision;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** Puts a stream into the queue if it has something to do there. */
  enqueue(stream: HubStream): void {
    if (stream.isQueued || stream.isBlocked || stream.isClosed) return;
    if (stream.behind.length === 0) return;
    stream.isQueued = true;
    this.#queue.push(stream);
  }

  /** The store is another one: what was read of the old one is not sent any more. */
  reset(): void {
    this.#round = undefined;
  }

  /** Works for about `workMax` units; returns how many it took. Throws when the store does. */
  step(workMax: number): number {
    let work = 0;
    while (work < workMax) {
      if (this.#round === undefined) {
        const opened = this.#open();
        if (opened === 0) return work;
        work += opened;
        continue;
      }
      const stream = this.#round.streams[this.#round.streams.length - 1];
      if (stream === undefined) {
        this.#round = undefined;
        continue;
      }
      work += this.#serve(stream, this.#round, workMax - work);
    }
    return work;
  }

  /** Starts a round, or cleans the front of the queue; 0 when there is nothing to do. */
  #open(): number {
    const stream = this.#queue.shift();
    if (stream === undefined) return 0;
    stream.isQueued = false;
    const work = this.#cancelCompacted(stream) + 1;
    const lo = lowestCursor(stream);
    if (stream.isClosed || stream.isBlocked || lo === undefined) return work;
    if (lo > this.#handedRevision()) {
      this.#settle(stream);
      return work + stream.behind.length;
    }
    // Before the store is read, which may throw: the stream keeps its place.
    this.enqueue(stream);
    const slice = this.#store.changesFrom(lo, this.#sliceChanges);
    if (slice === "compacted") {
      for (const watch of [...stream.behind]) {
        if (watch.nextRevision === lo && !watch.isClosed) stream.cancelCompacted(watch);
      }
      return work;
    }
    const refs = refsOf(slice);
    this.#round = {
      lo,
      hi: slice[slice.length - 1]?.revision ?? this.#store.currentRevision,
      refs,
      refsByKey: new Map(),
      lists: new Map(),
      shared: new EventLists(this.#store),
      streams: [...this.#queue],
    };
    for (const ref of refs) addTo(this.#round.refsByKey, ref);
    this.#adaptSlice(slice);
    return work + refs.length;
  }

  #adaptSlice(slice: readonly RevisionChanges[]): void {
    let bytes = 0;
    for (const { changes } of slice) {
      for (const change of changes) bytes += change.record.length;
    }
    if (bytes > SLICE_BYTES_HIGH) {
      this.#sliceChanges = Math.max(SLICE_CHANGES_MIN, this.#sliceChanges >> 1);
    } else if (bytes < SLICE_BYTES_LOW) {
      this.#sliceChanges = Math.min(SLICE_CHANGES_MAX, this.#sliceChanges * 2);
    }
  }

  /** Serves the watches of one stream from the round's slice. */
  #serve(stream: HubStream, round: Round, workMax: number): number {
    let work = 1;
    const { behind } = stream;
    for (let at = behind.length - 1; at >= 0; at -= 1) {
      if (stream.isClosed || stream.isBlocked) break;
      const watch = behind[at];
      if (watch === undefined) continue;
      if (watch.nextRevision < round.lo || watch.nextRevision > round.hi) continue;
      // What is served is out of the round's reach, so a stream left here is taken up again.
      if (work >= workMax) return work;
      work += this.#serveWatch(watch, round);
    }
    // Served for this round; in the queue it stays until its turn shows that nothing is left.
    round.streams.pop();
    return work;
  }

  #serveWatch(watch: Watch, round: Round): number {
    const list = this.#listFor(watch.group, round);
    let isDone = true;
    if (list === undefined) watch.nextRevision = round.hi + 1;
    else isDone = this.#delivery.send(watch, list, round.hi);
    if (isDone && !watch.isClosed) this.#settleWatch(watch);
    return 1 + (list?.refs.length ?? 0) / 16;
  }

  #listFor(group: WatchGroup, round: Round): EventList | undefined {
    if (round.lists.has(group)) return round.lists.get(group);
    const { key, end, hasPrevKv } = group.shape;
    const candidates = end === "" ? (round.refsByKey.get(key) ?? []) : round.refs;
    const refs = candidates.filter((ref) => group.holds(ref.change.key) && group.sees(ref));
    const list = refs.length === 0 ? undefined : round.shared.of(refs, hasPrevKv);
    round.lists.set(group, list);
    return list;
  }

  #settle(stream: HubStream): void {
    for (let at = stream.behind.length - 1; at >= 0; at -= 1) {
      const watch = stream.behind[at];
      if (watch !== undefined) this.#settleWatch(watch);
    }
    this.enqueue(stream);
  }

  /** Makes a watch synced if all that it has not seen is still to be handed out. */
  #settleWatch(watch: Watch): void {
    if (watch.nextRevision <= this.#handedRevision()) return;
    watch.stream.removeBehind(watch);
    watch.group.addSynced(watch);
  }

  #cancelCompacted(stream: HubStream): number {
    let work = 0;
    for (let at = stream.behind.length - 1; at >= 0; at -= 1) {
      const watch = stream.behind[at];
      if (watch === undefined) continue;
      work += 1 / 8;
      if (watch.nextRevision >= this.#store.compactRevision) continue;
      // Only as long as there is room: a canceled watch is an answer like any other.
      if (stream.isBlocked) return work;
      stream.cancelCompacted(watch);
      work += 1;
    }
    return work;
  }
}

function lowestCursor(stream: HubStream): number | undefined {
  let lowest: number | undefined;
  for (const watch of stream.behind) {
    if (lowest === undefined || watch.nextRevision < lowest) lowest = watch.nextRevision;
  }
  return lowest;
}

function addTo(refsByKey: Map<Key, ChangeRef[]>, ref: ChangeRef): void {
  const refs = refsByKey.get(ref.change.key);
  if (refs === undefined) refsByKey.set(ref.change.key, [ref]);
  else refs.push(ref);
}
