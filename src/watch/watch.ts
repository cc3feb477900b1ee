/**
 * One watch, and the group of all watches that ask for the same thing.
 *
 * Watches of a group see the same events in the same bytes, so an event costs a group one encoding
 * and each of its watches one call.
 */
import type { Key } from "../base/index.ts";
import type { ChangeRef } from "./events.ts";
import type { HubStream } from "./stream.ts";

export interface WatchShape {
  readonly key: Key;
  /** "" = only `key`; OPEN_END = from `key` on; else [key, end). */
  readonly end: Key;
  readonly dropsPuts: boolean;
  readonly dropsDeletes: boolean;
  readonly hasPrevKv: boolean;
}

export class WatchGroup {
  readonly shape: WatchShape;
  /** Watches that get new events as they come, in no particular order. */
  readonly synced: Watch[] = [];
  /** All watches, those that are behind too. */
  watchCount = 0;
  /** Changes of the batch in hand that this group sees; emptied when they are listed. */
  collected: ChangeRef[] = [];

  constructor(shape: WatchShape) {
    this.shape = shape;
  }

  sees(ref: ChangeRef): boolean {
    return ref.change.type === "put" ? !this.shape.dropsPuts : !this.shape.dropsDeletes;
  }

  holds(key: Key): boolean {
    const { key: lo, end } = this.shape;
    return end === "" ? key === lo : key >= lo && key < end;
  }

  addSynced(watch: Watch): void {
    watch.syncedPosition = this.synced.length;
    this.synced.push(watch);
  }

  /** The last watch takes the free place, so walks over `synced` go from its end to its start. */
  removeSynced(watch: Watch): void {
    const position = watch.syncedPosition;
    if (position < 0) return;
    const last = this.synced.pop() as Watch;
    if (last !== watch) {
      this.synced[position] = last;
      last.syncedPosition = position;
    }
    watch.syncedPosition = -1;
  }
}

export class Watch {
  readonly id: number;
  readonly stream: HubStream;
  readonly group: WatchGroup;
  readonly isFragmenting: boolean;
  readonly wantsProgress: boolean;
  /**
   * The cursor. Invariant: each event of this watch below it has been sent, none at or above it.
   * It may lag behind the store as long as nothing in between concerns this watch.
   */
  nextRevision: number;
  /** Position in `group.synced`; -1 while the watch is behind. */
  syncedPosition = -1;
  /** Position in `stream.behind`; -1 while the watch is synced. */
  behindPosition = -1;
  isClosed = false;
  /** Events were sent since the last progress notification was due. */
  wasActive = false;
  /** A progress notification is due and could not be sent yet. */
  isProgressDue = false;

  constructor(
    id: number,
    stream: HubStream,
    group: WatchGroup,
    nextRevision: number,
    options: { readonly isFragmenting: boolean; readonly wantsProgress: boolean },
  ) {
    this.id = id;
    this.stream = stream;
    this.group = group;
    this.nextRevision = nextRevision;
    this.isFragmenting = options.isFragmenting;
    this.wantsProgress = options.wantsProgress;
  }
}
