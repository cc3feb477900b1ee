/** One watch as its reader sees it: what came and was not read yet, and where to go on. */
import type { Key } from "../base/index.ts";
import { Code, errors } from "../errors/index.ts";
import type { WatchCreateRequest, WatchResponse } from "../wire/index.ts";
import { ClientError } from "./error.ts";
import { keyValueOf, spanOf } from "./kv-messages.ts";
import {
  WATCH_FRAGMENTS_BYTES_MAX,
  WATCH_QUEUE_BATCHES_MAX,
  WATCH_QUEUE_BYTES_MAX,
} from "./limits.ts";
import type { Bytes, KeySpan, KeyValue, ResponseHeader } from "./types.ts";

export interface WatchOptions extends KeySpan {
  /** The first revision wanted; 0 or missing: what comes after the watch was created. */
  readonly startRevision?: number | undefined;
  /** With each event the pair as it was before, where the store still has it. */
  readonly prevKv?: boolean | undefined;
  /** Batches without events too, each saying up to which revision all is known. */
  readonly progressNotify?: boolean | undefined;
  /** Kinds of events that are not wanted. */
  readonly filters?: readonly ("noPut" | "noDelete")[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Only this endpoint is asked. */
  readonly endpoint?: string | undefined;
  /**
   * Goes to another endpoint when the one in use loses its leader (FR-21). Default true: without it
   * a watch on a member that is cut off hears nothing and does not know.
   */
  readonly requireLeader?: boolean | undefined;
}

export interface WatchEvent {
  readonly type: "put" | "delete";
  /** Of a delete: key and modRevision alone. */
  readonly kv: KeyValue;
  readonly prevKv: KeyValue | undefined;
}

/** Events of whole revisions, in their order. Never empty unless `kind` is "progress". */
export interface WatchBatch {
  readonly kind: "events" | "progress";
  readonly header: ResponseHeader;
  readonly events: readonly WatchEvent[];
}

/**
 * The revision to go on from was given up by a compaction: events may be missing. Read the keys
 * anew, and watch from after what was read.
 */
export class CompactedError extends ClientError {
  /** The oldest revision that can still be watched. */
  readonly compactRevision: number;

  constructor(compactRevision: number) {
    super(errors.Compacted.code, errors.Compacted.message);
    this.compactRevision = compactRevision;
  }
}

/**
 * Events without gap and without repetition, over any number of connections. Ends with an
 * exception: CompactedError, the server's refusal, "context canceled" by its signal; or plainly
 * by `cancel` or by leaving the loop.
 */
export interface Watch extends AsyncIterableIterator<WatchBatch> {
  /** Resolves when the server has first taken it on: later changes are in it. */
  readonly created: Promise<ResponseHeader>;
  /** Every event below this revision has been handed out or is queued; 0 = not known yet. */
  readonly nextRevision: number;
  cancel(): void;
}

/** What a subscription asks of the stream that it shares. */
export interface WatchHost {
  /** The reader is behind: no more events. */
  park(subscription: Subscription): void;
  unpark(subscription: Subscription): void;
  remove(subscription: Subscription): void;
}

interface Queued {
  readonly batch: WatchBatch;
  readonly bytes: number;
}

interface Reader {
  resolve(result: IteratorResult<WatchBatch, undefined>): void;
  reject(error: unknown): void;
}

const DONE = { value: undefined, done: true } as const;

export class Subscription implements Watch {
  readonly created: Promise<ResponseHeader>;
  nextRevision: number;
  /** Its id on the present stream; 0 = none. */
  watchId = 0;
  isParked = false;
  readonly #host: WatchHost;
  readonly #create: Omit<WatchCreateRequest, "startRevision" | "watchId">;
  readonly #wantsProgress: boolean;
  readonly #strip: number;
  readonly #signal: AbortSignal | undefined;
  #isCreated: (header: ResponseHeader) => void = () => undefined;
  #isRefused: (error: unknown) => void = () => undefined;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #readers: Reader[] = [];
  #fragments: WatchEvent[] = [];
  #fragmentBytes = 0;
  /** Set when it is over; `error` undefined = by its reader. */
  #end: { readonly error: ClientError | undefined } | undefined = undefined;

  constructor(host: WatchHost, key: Bytes, options: WatchOptions, namespace: Key) {
    this.#host = host;
    this.#create = {
      ...spanOf(key, options, namespace),
      // Moves the revision to go on from also while nothing happens to the keys.
      progressNotify: true,
      filters: (options.filters ?? []).map((filter) => (filter === "noPut" ? 0 : 1)),
      prevKv: options.prevKv ?? false,
      fragment: true,
    };
    this.#wantsProgress = options.progressNotify ?? false;
    this.#strip = namespace.length;
    this.nextRevision = options.startRevision ?? 0;
    this.created = new Promise((resolve, reject) => {
      this.#isCreated = resolve;
      this.#isRefused = reject;
    });
    // Who does not ask is not told.
    this.created.catch(() => undefined);
    this.#signal = options.signal;
    this.#signal?.addEventListener("abort", this);
  }

  get isOver(): boolean {
    return this.#end !== undefined;
  }

  /** What to send to begin or go on. */
  request(watchId: number): WatchCreateRequest {
    this.#forgetFragments();
    return { ...this.#create, startRevision: this.nextRevision, watchId };
  }

  handleEvent(): void {
    this.fail(new ClientError(Code.CANCELLED, "context canceled"));
  }

  /* From the stream */

  accepted(header: ResponseHeader): void {
    if (this.nextRevision === 0) this.nextRevision = header.revision + 1;
    this.#isCreated(header);
  }

  receive(response: WatchResponse): void {
    for (const { type, kv: bytes, prevKv } of response.events) {
      const kv = keyValueOf(bytes, this.#strip);
      // A server that goes back further than asked is no reason to repeat anything.
      if (kv.modRevision < this.nextRevision) continue;
      const before = prevKv === undefined ? undefined : keyValueOf(prevKv, this.#strip);
      this.#fragments.push({ type, kv, prevKv: before });
      this.#fragmentBytes += bytes.length + (prevKv?.length ?? 0);
    }
    const { header } = response;
    if (!response.fragment) this.#deliver(header, this.#fragments.length);
    else if (this.#fragmentBytes > WATCH_FRAGMENTS_BYTES_MAX) {
      this.#deliver(header, this.#wholeRevisions());
    }
    if (response.events.length === 0) this.progress(header);
  }

  /** How many of the held events belong to revisions of which all events are there. */
  #wholeRevisions(): number {
    const last = this.#fragments.at(-1)?.kv.modRevision;
    return this.#fragments.findIndex(({ kv }) => kv.modRevision === last);
  }

  #deliver(header: ResponseHeader, count: number): void {
    if (count <= 0) return;
    const events = this.#fragments.slice(0, count);
    const bytes = this.#fragmentBytes;
    this.#fragments = this.#fragments.slice(count);
    this.#fragmentBytes = 0;
    this.nextRevision = (events.at(-1) as WatchEvent).kv.modRevision + 1;
    this.#push({ kind: "events", header, events }, bytes);
  }

  /** All events up to the header's revision have been sent. */
  progress(header: ResponseHeader): void {
    this.nextRevision = Math.max(this.nextRevision, header.revision + 1);
    if (this.#wantsProgress) this.#push({ kind: "progress", header, events: [] }, 0);
  }

  #push(batch: WatchBatch, bytes: number): void {
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      reader.resolve({ value: batch, done: false });
      return;
    }
    this.#queue.push({ batch, bytes });
    this.#queuedBytes += bytes;
    const isFull =
      this.#queuedBytes > WATCH_QUEUE_BYTES_MAX || this.#queue.length >= WATCH_QUEUE_BATCHES_MAX;
    if (isFull && !this.isParked) this.#host.park(this);
  }

  /** It is over once the reader has taken what is queued. */
  fail(error: ClientError): void {
    this.#finish({ error });
  }

  #finish(end: { readonly error: ClientError | undefined }): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#signal?.removeEventListener("abort", this);
    this.#forgetFragments();
    this.#host.remove(this);
    this.#isRefused(end.error ?? new ClientError(Code.CANCELLED, "context canceled"));
    const readers = this.#readers;
    this.#readers = [];
    for (const reader of readers) this.#tellEnd(reader, end);
  }

  #forgetFragments(): void {
    this.#fragments = [];
    this.#fragmentBytes = 0;
  }

  #tellEnd(reader: Reader, { error }: { readonly error: ClientError | undefined }): void {
    if (error === undefined) reader.resolve(DONE);
    else reader.reject(error);
  }

  /* From the reader */

  next(): Promise<IteratorResult<WatchBatch, undefined>> {
    return new Promise((resolve, reject) => {
      const queued = this.#queue.shift();
      if (queued === undefined) {
        if (this.#end === undefined) this.#readers.push({ resolve, reject });
        else this.#tellEnd({ resolve, reject }, this.#end);
        return;
      }
      this.#queuedBytes -= queued.bytes;
      resolve({ value: queued.batch, done: false });
      if (this.isParked && this.#queue.length === 0) this.#host.unpark(this);
    });
  }

  cancel(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#finish({ error: undefined });
  }

  return(): Promise<IteratorResult<WatchBatch, undefined>> {
    this.cancel();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
