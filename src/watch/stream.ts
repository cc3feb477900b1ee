/**
 * One client's Watch stream: its watches, and which of them are behind.
 *
 * Source: surface 3 (WA-01 to WA-09, WA-12, WA-13).
 */
import { type Key, OPEN_END } from "../base/index.ts";
import { errors } from "../errors/index.ts";
import type { WatchCreateRequest } from "../wire/index.ts";
import type { WatchSink, WatchStream } from "./types.ts";
import { Watch, type WatchGroup, type WatchShape } from "./watch.ts";

const FILTER_NOPUT = 0;
const FILTER_NODELETE = 1;

/** What a stream needs of the hub that it belongs to. */
export interface StreamHost {
  readonly currentRevision: number;
  readonly compactRevision: number;
  groupOf(shape: WatchShape): WatchGroup;
  dropGroup(group: WatchGroup): void;
  /** The stream may have work for `step`: watches behind and room, or an answer that waits. */
  wake(stream: HubStream): void;
  progressWanted(stream: HubStream): void;
  streamClosed(stream: HubStream): void;
  watchCountChanged(by: number): void;
}

export class HubStream implements WatchStream {
  readonly sink: WatchSink;
  readonly progressJitterMs: number;
  /** Watches that wait for history; in no particular order. */
  readonly behind: Watch[] = [];
  /** Watches with progress_notify. */
  readonly progressing = new Set<Watch>();
  /** The sink has no room: no events until `ready`. */
  isBlocked = false;
  isClosed = false;
  /** In the hub's queue of streams with watches behind. */
  isQueued = false;
  /** The greatest revision in a header sent so far; progress never says less. */
  sentRevision = 0;
  /** A progress request waits until all is sent up to this revision; 0 = none waits. */
  progressTarget = 0;
  nextProgressMs = 0;
  readonly #host: StreamHost;
  readonly #watches = new Map<number, Watch>();
  #nextId = 0;

  constructor(host: StreamHost, sink: WatchSink, progressJitterMs: number) {
    this.#host = host;
    this.sink = sink;
    this.progressJitterMs = progressJitterMs;
  }

  get watchCount(): number {
    return this.#watches.size;
  }

  watches(): Iterable<Watch> {
    return this.#watches.values();
  }

  create(request: WatchCreateRequest): void {
    if (this.isClosed) return;
    const shape = shapeOf(request);
    const refusal = this.#refusal(request, shape);
    if (refusal !== undefined) {
      this.#answered(this.sink.refused(refusal, this.#host.currentRevision));
      return;
    }
    const current = this.#host.currentRevision;
    const start = request.startRevision === 0 ? current + 1 : request.startRevision;
    const watch = this.#add(request, shape, start);
    this.sentRevision = Math.max(this.sentRevision, current);
    if (start > current) watch.group.addSynced(watch);
    else this.addBehind(watch);
    this.#answered(this.sink.created(watch.id, current));
    if (watch.isClosed || watch.behindPosition < 0) return;
    if (start < this.#host.compactRevision) this.cancelCompacted(watch);
    else this.#host.wake(this);
  }

  #refusal(request: WatchCreateRequest, shape: WatchShape): string | undefined {
    if (request.startRevision < 0) return errors.Compacted.message;
    if (shape.end !== "" && shape.end <= shape.key) return errors.EmptyWatcherRange.message;
    return this.#watches.has(request.watchId) && request.watchId !== 0
      ? errors.WatcherDuplicateID.message
      : undefined;
  }

  #add(request: WatchCreateRequest, shape: WatchShape, start: number): Watch {
    const group = this.#host.groupOf(shape);
    const watch = new Watch(this.#idFor(request.watchId), this, group, start, {
      isFragmenting: request.fragment,
      wantsProgress: request.progressNotify,
    });
    group.watchCount += 1;
    this.#watches.set(watch.id, watch);
    if (watch.wantsProgress) this.progressing.add(watch);
    this.#host.watchCountChanged(1);
    return watch;
  }

  /** WA-04: 0 asks for the next number that no watch of the stream has. */
  #idFor(wanted: number): number {
    if (wanted !== 0) return wanted;
    while (this.#watches.has(this.#nextId)) this.#nextId += 1;
    this.#nextId += 1;
    return this.#nextId - 1;
  }

  cancel(watchId: number): void {
    const watch = this.#watches.get(watchId);
    if (watch === undefined) return;
    this.#remove(watch);
    this.#sendCanceled(watchId, 0);
  }

  /** History that the watch needs is gone (WA-06). */
  cancelCompacted(watch: Watch): void {
    this.#remove(watch);
    this.#sendCanceled(watch.id, this.#host.compactRevision);
  }

  #sendCanceled(watchId: number, compactRevision: number): void {
    this.#answered(this.sink.canceled(watchId, this.#host.currentRevision, compactRevision));
    // It may have been the one that an answer waited for, which comes only now that it is gone for
    // the client too.
    if (this.progressTarget > 0 && !this.isClosed) this.#host.progressWanted(this);
  }

  requestProgress(): void {
    if (this.isClosed) return;
    this.progressTarget = this.#host.currentRevision;
    this.#host.progressWanted(this);
  }

  ready(): void {
    if (this.isClosed || !this.isBlocked) return;
    this.isBlocked = false;
    this.#host.wake(this);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const watch of this.#watches.values()) this.#forget(watch);
    this.#host.watchCountChanged(-this.#watches.size);
    this.#watches.clear();
    this.progressing.clear();
    this.behind.length = 0;
    this.#host.streamClosed(this);
  }

  addBehind(watch: Watch): void {
    watch.behindPosition = this.behind.length;
    this.behind.push(watch);
  }

  /** The last one takes the free place, so walks over `behind` go from its end to its start. */
  removeBehind(watch: Watch): void {
    const position = watch.behindPosition;
    if (position < 0) return;
    const last = this.behind.pop() as Watch;
    if (last !== watch) {
      this.behind[position] = last;
      last.behindPosition = position;
    }
    watch.behindPosition = -1;
  }

  #remove(watch: Watch): void {
    this.#watches.delete(watch.id);
    this.progressing.delete(watch);
    this.removeBehind(watch);
    this.#forget(watch);
    this.#host.watchCountChanged(-1);
  }

  #forget(watch: Watch): void {
    watch.isClosed = true;
    watch.group.removeSynced(watch);
    watch.group.watchCount -= 1;
    if (watch.group.watchCount === 0) this.#host.dropGroup(watch.group);
  }

  #answered(hasRoom: boolean): void {
    if (!hasRoom) this.isBlocked = true;
  }
}

/** WA-02: what empty keys and ends mean. */
function shapeOf(request: WatchCreateRequest): WatchShape {
  const key: Key = request.key === "" ? "\0" : request.key;
  return {
    key,
    end: request.rangeEnd === "\0" ? OPEN_END : request.rangeEnd,
    dropsPuts: request.filters.includes(FILTER_NOPUT),
    dropsDeletes: request.filters.includes(FILTER_NODELETE),
    hasPrevKv: request.prevKv,
  };
}
