/**
 * A Watch stream's sink that keeps what it is told, decoded, in order. It has the shape of watch's
 * `WatchSink` without importing it.
 */
import type { Key } from "../base/index.ts";
import { decodeKeyValue, decodeWatchResponse } from "../wire/index.ts";

export interface RecordedEvent {
  readonly type: "put" | "delete";
  readonly key: Key;
  readonly value: string;
  readonly modRevision: number;
  readonly createRevision: number;
  readonly prevValue: string | undefined;
}

export type Recorded =
  | { readonly kind: "created"; readonly watchId: number; readonly revision: number }
  | { readonly kind: "refused"; readonly reason: string; readonly revision: number }
  | {
      readonly kind: "canceled";
      readonly watchId: number;
      readonly revision: number;
      readonly compactRevision: number;
    }
  | {
      readonly kind: "events";
      readonly watchId: number;
      readonly revision: number;
      readonly events: readonly RecordedEvent[];
      readonly isFragment: boolean;
      readonly bytes: Buffer;
    }
  | { readonly kind: "progress"; readonly watchId: number; readonly revision: number };

export class WatchRecorder {
  readonly log: Recorded[] = [];
  /** Responses that still fit; each one taken uses one up. */
  room = Number.POSITIVE_INFINITY;
  /** Runs after each response. */
  onResponse: (response: Recorded) => void = () => {};

  created(watchId: number, revision: number): boolean {
    return this.#take({ kind: "created", watchId, revision });
  }

  refused(reason: string, revision: number): boolean {
    return this.#take({ kind: "refused", reason, revision });
  }

  canceled(watchId: number, revision: number, compactRevision: number): boolean {
    return this.#take({ kind: "canceled", watchId, revision, compactRevision });
  }

  events(watchId: number, revision: number, bytes: Buffer, isFragment: boolean): boolean {
    const events = eventsOf(bytes);
    return this.#take({ kind: "events", watchId, revision, events, isFragment, bytes });
  }

  progress(watchId: number, revision: number): boolean {
    return this.#take({ kind: "progress", watchId, revision });
  }

  /** What came since the last call. */
  take(): Recorded[] {
    return this.log.splice(0);
  }

  #take(response: Recorded): boolean {
    this.log.push(response);
    this.room -= 1;
    this.onResponse(response);
    return this.room > 0;
  }
}

function eventsOf(bytes: Buffer): RecordedEvent[] {
  return decodeWatchResponse(bytes).events.map((event) => {
    const { key, value, modRevision, createRevision } = decodeKeyValue(event.kv);
    const prev = event.prevKv === undefined ? undefined : decodeKeyValue(event.prevKv);
    return {
      type: event.type,
      key,
      value: value.toString(),
      modRevision,
      createRevision,
      prevValue: prev?.value.toString(),
    };
  });
}
