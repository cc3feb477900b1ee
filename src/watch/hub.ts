/**
 * The watch hub: all streams, and the order in which they are served.
 *
 * Every watch has a cursor into the ordered history, and is either synced (what comes next reaches
 * it from `LiveQueue`) or behind (it is served from the store by `Laggards`). A watch changes from
 * one to the other by its cursor alone; see docs/internals/watch.md.
 */
import type { RevisionChanges } from "../mvcc/index.ts";
import { Delivery } from "./delivery.ts";
import { GroupIndex } from "./group-index.ts";
import { Laggards } from "./laggards.ts";
import { LiveQueue } from "./live.ts";
import { HubStream, type StreamHost } from "./stream.ts";
import type {
  WatchHub,
  WatchHubOptions,
  WatchSink,
  WatchStats,
  WatchStream,
  WatchedStore,
} from "./types.ts";
import type { Watch, WatchGroup, WatchShape } from "./watch.ts";

/** Of each step, watches that are behind get at least this share. */
const LAGGARD_SHARE = 0.25;

export function createWatchHub(store: WatchedStore, options: WatchHubOptions): WatchHub {
  return new Hub(store, options);
}

class Hub implements WatchHub, StreamHost {
  readonly #store: WatchedStore;
  readonly #progressIntervalMs: number;
  readonly #index = new GroupIndex();
  readonly #delivery: Delivery;
  readonly #live: LiveQueue;
  readonly #laggards: Laggards;
  readonly #streams = new Set<HubStream>();
  /** Streams whose progress request is not answered yet. */
  readonly #asking = new Set<HubStream>();
  #watchers = 0;
  #isStepping = false;
  #isWorkAnnounced = false;
  onWork: () => void = () => {};

  constructor(store: WatchedStore, options: WatchHubOptions) {
    this.#store = store;
    this.#progressIntervalMs = options.progressIntervalMs;
    this.#delivery = new Delivery(store, options.fragmentBytesMax);
    this.#live = new LiveQueue(store, this.#index, this.#delivery, (watch) =>
      this.#fallBehind(watch),
    );
    this.#laggards = new Laggards({
      store,
      delivery: this.#delivery,
      handedRevision: () => this.#live.handedRevision,
    });
  }

  notify(changes: RevisionChanges): void {
    if (this.#watchers === 0 && this.#live.isEmpty) {
      this.#live.pass(changes.revision);
      return;
    }
    if (!this.#live.push(changes)) this.#overflow();
    this.#announce();
  }

  step(workMax: number): boolean {
    this.#isStepping = true;
    try {
      const lived = this.#live.step(workMax);
      this.#laggards.step(Math.max(workMax - lived, workMax * LAGGARD_SHARE));
      this.#answerProgress();
    } finally {
      this.#isStepping = false;
      // A store that throws is not asked again by itself: it is about to be replaced.
      this.#isWorkAnnounced = false;
    }
    const isMore = !this.#live.isEmpty || !this.#laggards.isEmpty;
    this.#isWorkAnnounced = isMore;
    return isMore;
  }

  tick(nowMs: number): void {
    for (const stream of this.#streams) {
      if (stream.progressing.size > 0) this.#tickStream(stream, nowMs);
    }
  }

  openStream(sink: WatchSink, progressJitterMs: number): WatchStream {
    const stream = new HubStream(this, sink, progressJitterMs);
    this.#streams.add(stream);
    return stream;
  }

  get stats(): WatchStats {
    let slowWatchers = 0;
    for (const stream of this.#streams) slowWatchers += stream.behind.length;
    return {
      streams: this.#streams.size,
      watchers: this.#watchers,
      slowWatchers,
      eventsSent: this.#delivery.eventsSent,
      pendingChanges: this.#live.pendingChanges,
    };
  }

  /* What streams ask of the hub. */

  get currentRevision(): number {
    return this.#store.currentRevision;
  }

  get compactRevision(): number {
    return this.#store.compactRevision;
  }

  groupOf(shape: WatchShape): WatchGroup {
    return this.#index.groupOf(shape);
  }

  dropGroup(group: WatchGroup): void {
    this.#index.drop(group);
  }

  wake(stream: HubStream): void {
    this.#laggards.enqueue(stream);
    if (stream.isQueued || stream.progressTarget > 0) this.#announce();
  }

  progressWanted(stream: HubStream): void {
    this.#asking.add(stream);
    if (this.#isStepping) return;
    if (!this.#tryProgress(stream)) this.#announce();
  }

  streamClosed(stream: HubStream): void {
    this.#streams.delete(stream);
    this.#asking.delete(stream);
  }

  watchCountChanged(by: number): void {
    this.#watchers += by;
  }

  #fallBehind(watch: Watch): void {
    watch.group.removeSynced(watch);
    watch.stream.addBehind(watch);
    this.#laggards.enqueue(watch.stream);
  }

  /** More waits than memory is set aside for: the history in the store takes over. */
  #overflow(): void {
    this.#sendBehind(this.#live.reset());
  }

  storeReplaced(): void {
    const lo = this.#live.reset();
    this.#laggards.reset();
    this.#live.pass(this.#store.currentRevision);
    this.#sendBehind(lo);
    this.#announce();
  }

  /** What each synced watch has not been sent begins at `lo` at the earliest. */
  #sendBehind(lo: number): void {
    for (const stream of this.#streams) {
      for (const watch of stream.watches()) {
        if (watch.syncedPosition < 0) continue;
        if (watch.nextRevision < lo) watch.nextRevision = lo;
        if (watch.nextRevision <= this.#live.handedRevision) this.#fallBehind(watch);
      }
    }
  }

  #announce(): void {
    if (this.#isWorkAnnounced || this.#isStepping) return;
    this.#isWorkAnnounced = true;
    this.onWork();
  }

  #answerProgress(): void {
    for (const stream of this.#asking) this.#tryProgress(stream);
  }

  /** DV-07: answered as soon as every watch of the stream has caught up, and never before. */
  #tryProgress(stream: HubStream): boolean {
    const revision = this.#live.deliveredRevision;
    if (stream.behind.length > 0 || stream.isBlocked) return false;
    if (revision < stream.progressTarget || revision < stream.sentRevision) return false;
    this.#asking.delete(stream);
    stream.progressTarget = 0;
    this.#progress(stream, -1, revision);
    return true;
  }

  #progress(stream: HubStream, watchId: number, revision: number): void {
    stream.sentRevision = revision;
    if (!stream.sink.progress(watchId, revision)) stream.isBlocked = true;
  }

  #tickStream(stream: HubStream, nowMs: number): void {
    const periodMs = this.#progressIntervalMs + stream.progressJitterMs;
    if (stream.nextProgressMs === 0) stream.nextProgressMs = nowMs + periodMs;
    const isDue = nowMs >= stream.nextProgressMs;
    if (isDue) stream.nextProgressMs = nowMs + periodMs;
    for (const watch of stream.progressing) {
      if (isDue) {
        watch.isProgressDue = !watch.wasActive;
        watch.wasActive = false;
      }
      if (watch.isProgressDue) this.#tickWatch(stream, watch);
    }
  }

  /** WA-12. What cannot be said now is said at a later tick. */
  #tickWatch(stream: HubStream, watch: Watch): void {
    const revision = this.#live.deliveredRevision;
    if (stream.isBlocked || watch.syncedPosition < 0 || revision < stream.sentRevision) return;
    // A watch of the future has nothing to report yet.
    if (watch.nextRevision > revision + 1) return;
    watch.isProgressDue = false;
    this.#progress(stream, watch.id, revision);
  }
}
