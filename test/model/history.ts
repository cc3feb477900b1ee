/**
 * What a run leaves behind for its judges: every call of every client, every response of every
 * watch, and what the members themselves say happened. It does not say where it comes from: a
 * simulated cluster and real processes are judged alike.
 *
 * A `position` orders calls, answers and responses of a whole run, as one observer saw them.
 */

/** A key's state as a client sees it. */
export interface Pair {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  /** "0" = none. */
  readonly lease: string;
}

export type Operation =
  | {
      readonly kind: "put";
      readonly key: string;
      readonly value: string;
      readonly lease: string;
      readonly wantsPrevious?: boolean;
    }
  | { readonly kind: "delete"; readonly key: string; readonly rangeEnd: string }
  | {
      readonly kind: "range";
      readonly key: string;
      readonly rangeEnd: string;
      /** 0 = the newest. */
      readonly revision: number;
      readonly limit: number;
    };

export type Compare =
  | { readonly target: "modRevision"; readonly key: string; readonly value: number }
  | { readonly target: "createRevision"; readonly key: string; readonly value: number }
  | { readonly target: "version"; readonly key: string; readonly value: number }
  | { readonly target: "value"; readonly key: string; readonly value: string };

export type Request =
  | {
      /** Without compares and with one operation: a Put, DeleteRange or Range; else a Txn. */
      readonly kind: "kv";
      readonly compares: readonly Compare[];
      readonly success: readonly Operation[];
      readonly failure: readonly Operation[];
      readonly isSerializable: boolean;
    }
  | { readonly kind: "grant"; readonly lease: string; readonly ttlSeconds: number }
  | { readonly kind: "revoke"; readonly lease: string }
  | { readonly kind: "keepAlive"; readonly lease: string }
  | { readonly kind: "compact"; readonly revision: number }
  /** NOSPACE, which refuses writes while it is raised. */
  | { readonly kind: "alarm"; readonly isRaised: boolean }
  | { readonly kind: "defragment" };

export type KvRequest = Extract<Request, { kind: "kv" }>;

export function kv(success: readonly Operation[]): Extract<Request, { kind: "kv" }> {
  return { kind: "kv", compares: [], success, failure: [], isSerializable: false };
}

export function range(key: string, rangeEnd = "", revision = 0, limit = 0): Operation {
  return { kind: "range", key, rangeEnd, revision, limit };
}

export type Result =
  | { readonly kind: "put"; readonly previous: Pair | undefined }
  | { readonly kind: "delete"; readonly deleted: number }
  | { readonly kind: "range"; readonly pairs: readonly Pair[]; readonly count: number };

export interface Response {
  /** Of the header. */
  readonly revision: number;
  readonly isSuccess: boolean;
  readonly results: readonly Result[];
  /** Of a grant or a renewal; 0 = the lease is not there. */
  readonly ttlSeconds: number;
}

export type Outcome =
  | { readonly kind: "ok"; readonly response: Response }
  /** Certain that nothing was done, by the error's own words. */
  | { readonly kind: "refused"; readonly error: string }
  /** It may have been done, or may yet be. */
  | { readonly kind: "unknown"; readonly error: string };

export interface Call {
  readonly id: number;
  readonly client: string;
  readonly member: string;
  readonly request: Request;
  readonly calledAt: number;
  readonly calledMs: number;
  /** Infinity while it is under way, which for its judges is an unknown outcome. */
  returnedAt: number;
  returnedMs: number;
  outcome: Outcome;
}

/** A change of one key. A deletion's pair has the key and the revision only. */
export interface HistoryEvent {
  readonly type: "put" | "delete";
  readonly pair: Pair;
  /** With prev_kv; undefined = none was sent. */
  readonly previous?: Pair | undefined;
}

export interface WatchResponse {
  /** Of the header. */
  readonly revision: number;
  readonly events: readonly HistoryEvent[];
  readonly isProgress: boolean;
  /** More of the same revision follows. */
  readonly isFragment: boolean;
  /** The watch is over. */
  readonly isCanceled: boolean;
  /** With a cancellation: what it needed is compacted up to here; else 0. */
  readonly compactRevision: number;
  readonly at: number;
  readonly atMs: number;
}

export interface WatchRequest {
  readonly key: string;
  readonly rangeEnd: string;
  /** 0 = from now on. */
  readonly startRevision: number;
  readonly wantsPrevious: boolean;
  readonly wantsProgress: boolean;
  readonly filter: "none" | "noPut" | "noDelete";
}

/** One watch, from its creation on one member to its end. */
export interface WatchRecord {
  readonly client: string;
  readonly member: string;
  readonly request: WatchRequest;
  /** Of the header of its creation; undefined = it never came. */
  createdRevision: number | undefined;
  readonly responses: WatchResponse[];
  /** When the run ended it was still open, and had had time for everything. */
  isOpenAtEnd: boolean;
}

export interface RunRecord {
  readonly calls: readonly Call[];
  readonly watches: readonly WatchRecord[];
  /**
   * What the members applied, or what watches were shown of it: by revision, in the order of the
   * transaction. Revisions may be missing, where nobody saw them before they were compacted.
   */
  readonly chronicle: ReadonlyMap<number, readonly HistoryEvent[]>;
  /** Of the whole cluster at the end. */
  readonly endRevision: number;
}

/** What a judge holds against a run. */
export interface Problem {
  /** The guarantee that is broken: "linearizable", "watch reliable", ... */
  readonly check: string;
  readonly text: string;
}

/** Takes records of what clients do. */
export class Recorder {
  readonly calls: Call[] = [];
  readonly watches: WatchRecord[] = [];
  readonly #nowMs: () => number;
  #position = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  #next(): number {
    this.#position += 1;
    return this.#position;
  }

  call(client: string, member: string, request: Request): Call {
    const call: Call = {
      id: this.calls.length,
      client,
      member,
      request,
      calledAt: this.#next(),
      calledMs: this.#nowMs(),
      returnedAt: Number.POSITIVE_INFINITY,
      returnedMs: Number.POSITIVE_INFINITY,
      outcome: { kind: "unknown", error: "no answer yet" },
    };
    this.calls.push(call);
    return call;
  }

  /** An unknown outcome stays open: it may take effect at any later time. */
  returned(call: Call, outcome: Outcome): void {
    call.outcome = outcome;
    if (outcome.kind === "unknown") return;
    call.returnedAt = this.#next();
    call.returnedMs = this.#nowMs();
  }

  watch(client: string, member: string, request: WatchRequest): WatchRecord {
    const watch: WatchRecord = {
      client,
      member,
      request,
      createdRevision: undefined,
      responses: [],
      isOpenAtEnd: false,
    };
    this.watches.push(watch);
    return watch;
  }

  responded(watch: WatchRecord, response: Omit<WatchResponse, "at" | "atMs">): void {
    watch.responses.push({ ...response, at: this.#next(), atMs: this.#nowMs() });
  }
}
