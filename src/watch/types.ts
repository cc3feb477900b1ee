/**
 * The watch hub as the member and the edges see it. No clock and no socket: time comes in as
 * `nowMs`, room in a connection's buffer as the answer of a sink method and as `ready()`.
 *
 * Lifecycle of an event: apply calls `notify`, the member calls `step` after each batch of entries
 * (and again while it answers true), the hub calls `WatchSink.events`, the edge writes a response.
 */
import type { RevisionChanges, Store } from "../mvcc/index.ts";
import type { WatchCreateRequest } from "../wire/index.ts";

/**
 * One Watch stream of a client, as far as the hub may write to it.
 *
 * Each method writes exactly one WatchResponse and takes it in any case. The answer says whether
 * the sink has room for more: after `false` no further events come until `WatchStream.ready()`.
 * Answers to a client's own requests (created, refused, canceled) still come then, one for each
 * request, so an edge bounds them by not reading requests from a client that does not read answers.
 * A sink may call `cancel`, `ready` and `close` of its stream from inside these methods.
 */
export interface WatchSink {
  /** created=true, header.revision=`revision` (the store's current one). */
  created(watchId: number, revision: number): boolean;
  /** created=true, canceled=true, watch_id=-1, cancel_reason=`reason`: no watch came to be. */
  refused(reason: string, revision: number): boolean;
  /**
   * canceled=true. `compactRevision` > 0 when history that the watch needs is gone, else 0;
   * cancel_reason is empty in both cases (WA-06, WA-08). The id is free again.
   */
  canceled(watchId: number, revision: number, compactRevision: number): boolean;
  /**
   * Events of one watch in order (main, sub). `encodedEvents` holds them as they stand in a
   * WatchResponse (fields of tag 11, one after the other) and is shared with other watches: it may
   * be kept, never changed. With header.revision=`revision` every event of this watch up to that
   * revision has been sent once this response (its last fragment) has.
   */
  events(watchId: number, revision: number, encodedEvents: Buffer, isFragment: boolean): boolean;
  /** No events: all of the watch (of every watch if the id is -1) up to `revision` were sent. */
  progress(watchId: number, revision: number): boolean;
}

/** The hub's end of one stream. Every method may be called at any time and never throws. */
export interface WatchStream {
  /** Answers by `created` or `refused` before it returns, `canceled` following if compacted. */
  create(request: WatchCreateRequest): void;
  /** Answers by `canceled`; an unknown id is ignored (WA-08). */
  cancel(watchId: number): void;
  /** Answers by `progress(-1)` as soon as every watch of the stream has caught up (DV-07). */
  requestProgress(): void;
  /** The sink has room again. */
  ready(): void;
  /** Drops the watches; no sink method is called after it. */
  close(): void;
  readonly watchCount: number;
}

/** What the hub reads. It may become another store, with a call of `storeReplaced`. */
export type WatchedStore = Pick<
  Store,
  "currentRevision" | "compactRevision" | "get" | "changesFrom"
>;

export interface WatchHubOptions {
  /** Milliseconds between progress notifications, jitter not included (WA-12: 10 minutes). */
  readonly progressIntervalMs: number;
  /** Responses of watches with fragment=true stay below this (WA-14). */
  readonly fragmentBytesMax: number;
}

export interface WatchStats {
  readonly streams: number;
  readonly watchers: number;
  /** Watchers that wait for history or for a reader. */
  readonly slowWatchers: number;
  /** Events handed to sinks since the start, one for each watcher that got it. */
  readonly eventsSent: number;
  /** Changes notified and not yet handed out. */
  readonly pendingChanges: number;
}

export interface WatchHub {
  /** Takes one revision's changes; cheap, delivers nothing. Revisions come in order. */
  notify(changes: RevisionChanges): void;
  /**
   * Hands out what is notified, then history to watches that are behind: about `workMax` units (one
   * unit is one response or one change read). True = call again soon, there is more to do.
   */
  step(workMax: number): boolean;
  /**
   * Called when there is work for `step` that was not there when it last answered false. Set by the
   * driver, which calls `step` in this or a later turn; never calls it from inside.
   */
  onWork: () => void;
  /**
   * The store is another one now, with the same history and more: every watch that it has news for
   * goes on from there.
   */
  storeReplaced(): void;
  /** Sends due progress notifications. Any period of 100 ms or so will do. */
  tick(nowMs: number): void;
  /** `progressJitterMs`: up to a tenth of the interval, added to this stream's (WA-12). */
  openStream(sink: WatchSink, progressJitterMs: number): WatchStream;
  readonly stats: WatchStats;
}
