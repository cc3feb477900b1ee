/**
 * Putting events into a sink: the one place that moves a watch's cursor.
 *
 * The common case, one response of shared bytes, is the first few lines; the rest is for large
 * batches, fragments, and watches whose cursor lies inside the batch.
 */
import { type EventList, type EventPart, fragmentsOf, listEvents } from "./events.ts";
import type { Watch } from "./watch.ts";
import type { WatchedStore } from "./types.ts";

/** What a response holds beside its events, at most: header, ids and flags. */
const OVERHEAD_BYTES = 64;

export class Delivery {
  readonly #store: WatchedStore;
  readonly #fragmentBytesMax: number;
  eventsSent = 0;

  constructor(store: WatchedStore, fragmentBytesMax: number) {
    this.#store = store;
    this.#fragmentBytesMax = fragmentBytesMax;
  }

  /**
   * Sends the events of `list` that `watch` has not got; then everything up to `revision` is sent.
   * False when the sink filled up before that: the cursor says where to go on. The stream is open
   * and not blocked when this is called.
   */
  send(watch: Watch, list: EventList, revision: number): boolean {
    let rest = list;
    if (watch.nextRevision > list.firstRevision) {
      const refs = list.refs.filter((ref) => ref.revision >= watch.nextRevision);
      if (refs.length === 0) {
        watch.nextRevision = Math.max(watch.nextRevision, revision + 1);
        return true;
      }
      rest = listEvents(refs, this.#store, list.hasPrevKv);
    }
    watch.wasActive = true;
    watch.isProgressDue = false;
    const { parts } = rest;
    const last = parts.length - 1;
    for (let at = 0; at <= last; at += 1) {
      const part = parts[at] as EventPart;
      const partRevision = at === last ? revision : part.lastRevision;
      watch.nextRevision = partRevision + 1;
      if (watch.stream.sentRevision < partRevision) watch.stream.sentRevision = partRevision;
      this.eventsSent += part.refs.length;
      if (!this.#sendPart(watch, part, partRevision, rest.hasPrevKv)) {
        watch.stream.isBlocked = true;
      }
      if (watch.isClosed) return true;
      if (watch.stream.isBlocked) return at === last;
    }
    return true;
  }

  #sendPart(watch: Watch, part: EventPart, revision: number, hasPrevKv: boolean): boolean {
    const { sink } = watch.stream;
    const isLarge = part.encoded.length + OVERHEAD_BYTES >= this.#fragmentBytesMax;
    if (!watch.isFragmenting || !isLarge || part.refs.length === 1) {
      return sink.events(watch.id, revision, part.encoded, false);
    }
    // A response that was begun is finished, room or not: a client waits for its last fragment.
    const max = this.#fragmentBytesMax;
    const fragments = fragmentsOf(part, this.#store, hasPrevKv, max, OVERHEAD_BYTES);
    let hasRoom = true;
    for (let at = 0; at < fragments.length; at += 1) {
      const isFragment = at < fragments.length - 1;
      hasRoom = sink.events(watch.id, revision, fragments[at] as Buffer, isFragment);
      if (watch.isClosed) return true;
    }
    return hasRoom;
  }
}
