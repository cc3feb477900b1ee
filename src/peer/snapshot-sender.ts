/**
 * A snapshot to one peer (PE-04): length, message, file, in one POST whose body is made while it is
 * sent, so that memory stays bounded by what the connection takes.
 *
 * To a peer of our own kind it goes on where an attempt broke off, and ends with the SHA-256 of the
 * whole file as a trailer; a peer that does not know either does not see them.
 */
import type { Counter } from "../base/index.ts";
import { formatId } from "../datadir/index.ts";
import type {
  Digest,
  HttpClientResponse,
  HttpHeaders,
  SnapshotImage,
  Timer,
} from "../seam/index.ts";
import { encodeRaftMessage, marshal, type Message } from "../wire/index.ts";
import { readAll } from "./body.ts";
import { type Context, reasonOf, requestHeaders } from "./context.ts";
import {
  QUESTION_BYTES_MAX,
  SNAPSHOT_ATTEMPTS_MAX,
  SNAPSHOT_KEEP_MS,
  SNAPSHOT_RETRY_MS,
  SNAPSHOT_SILENCE_MS,
} from "./limits.ts";
import type { Measures } from "./measures.ts";
import { isRemoval } from "./pipeline.ts";
import type { UrlPicker } from "./url-picker.ts";
import { HEADER, STORE_FORMAT } from "./versions.ts";

export interface SnapshotSenderOptions {
  readonly id: bigint;
  readonly picker: UrlPicker;
  readonly measures: Measures;
  /** The peer has shown our header: it knows offsets. */
  readonly isHoldfast: () => boolean;
  readonly onRemoved: () => void;
}

/** The peer does not want it: sending it again would change nothing. */
class Unwanted extends Error {}

/**
 * The bytes of one image, hashed once in their order however often they are sent; those that are
 * not the same each time, each time anew.
 */
class HashedImage {
  readonly #context: Context;
  readonly #image: SnapshotImage;
  #digest: Digest;
  #hashedBytes = 0;
  #sha256: Buffer | undefined;

  constructor(context: Context, image: SnapshotImage) {
    this.#context = context;
    this.#image = image;
    this.#digest = this.#context.digests.sha256();
  }

  /** The bytes from `offset` on. What lies before it and was never hashed is read and hashed. */
  async *from(offset: number): AsyncGenerator<Buffer> {
    if (this.#image.format === "store") this.#beginAnew();
    let at = Math.min(offset, this.#hashedBytes);
    for await (const chunk of this.#image.read(at)) {
      const end = at + chunk.length;
      if (end > this.#hashedBytes) {
        this.#digest.update(chunk.subarray(this.#hashedBytes - at));
        this.#hashedBytes = end;
      }
      if (end > offset) yield offset > at ? chunk.subarray(offset - at) : chunk;
      at = end;
    }
    if (at !== this.#image.sizeBytes) {
      throw new Error(`the image has ${at} bytes instead of ${this.#image.sizeBytes}`);
    }
  }

  #beginAnew(): void {
    this.#digest = this.#context.digests.sha256();
    this.#hashedBytes = 0;
    this.#sha256 = undefined;
  }

  /** Of the whole file, after `from` has ended. */
  sha256(): Buffer {
    this.#sha256 ??= this.#digest.digest();
    return this.#sha256;
  }
}

export class SnapshotSender {
  readonly #context: Context;
  readonly #options: SnapshotSenderOptions;
  readonly #stop = new AbortController();
  #isBusy = false;
  #timer: { readonly timer: Timer; readonly wake: () => void } | undefined;

  constructor(context: Context, options: SnapshotSenderOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** Takes over the image. One at a time: another one meanwhile has failed. */
  send(message: Message, image: SnapshotImage): void {
    if (this.#isBusy || this.#stop.signal.aborted) {
      image.close();
      this.#context.timers.soon(() => this.#context.handler.snapshotSent(this.#options.id, true));
      return;
    }
    this.#isBusy = true;
    void this.#run(message, image);
  }

  stop(): void {
    this.#stop.abort();
    this.#timer?.timer.cancel();
    this.#timer?.wake();
  }

  async #run(message: Message, image: SnapshotImage): Promise<void> {
    const { clock, handler, logger } = this.#context;
    const { id, measures } = this.#options;
    const fields = {
      "remote-peer-id": formatId(id),
      "snapshot-index": message.snapshot?.metadata.index,
      format: image.format ?? "bbolt",
      size: image.sizeBytes,
    };
    logger.info("sending a snapshot", fields);
    const startMs = clock.monotonicMs();
    measures.snapshotsBeingSent += 1;
    let failure: string | undefined;
    try {
      await this.#attempts(message, image);
    } catch (error) {
      failure = reasonOf(error);
    }
    this.#isBusy = false;
    measures.snapshotsBeingSent -= 1;
    image.close();
    if (failure === undefined) {
      measures.snapshotsSent.add();
      measures.snapshotSendSeconds.observe((clock.monotonicMs() - startMs) / 1000);
      logger.info("sent a snapshot", fields);
    } else {
      measures.snapshotSendFailures.add();
      logger.warn("cannot send a snapshot", { ...fields, error: failure });
    }
    handler.snapshotSent(id, failure !== undefined);
  }

  async #attempts(message: Message, image: SnapshotImage): Promise<void> {
    const hashed = new HashedImage(this.#context, image);
    for (let attempt = 1; ; attempt += 1) {
      const url = this.#options.picker.pick();
      if (url === undefined) throw new Error("the member has no peer URL");
      try {
        return await this.#post(url, message, { image, hashed });
      } catch (error) {
        this.#options.picker.unreachable(url);
        const isLast = attempt === SNAPSHOT_ATTEMPTS_MAX || !this.#options.isHoldfast();
        if (isLast || error instanceof Unwanted || this.#stop.signal.aborted) throw error;
        this.#context.logger.warn("a snapshot broke off and is sent again", {
          "remote-peer-id": formatId(this.#options.id),
          error: reasonOf(error),
        });
        await this.#wait(SNAPSHOT_RETRY_MS * attempt);
      }
    }
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#timer = { timer: this.#context.timers.after(delayMs, resolve), wake: resolve };
    });
  }

  async #post(
    url: string,
    message: Message,
    { image, hashed }: { image: SnapshotImage; hashed: HashedImage },
  ): Promise<void> {
    const { dialTimeoutMs, http, readTimeoutMs } = this.#context;
    const { isHoldfast, measures, onRemoved } = this.#options;
    const asked = isHoldfast() ? await this.#offset(url, message, image) : 0;
    const offset = asked <= image.sizeBytes ? asked : 0;
    const headers: HttpHeaders = {
      ...requestHeaders(this.#context),
      "content-type": "application/octet-stream",
      trailer: HEADER.snapshotSha256,
      ...(image.format === "store" ? { [HEADER.snapshotFormat]: STORE_FORMAT } : {}),
      ...(offset > 0 ? { [HEADER.snapshotOffset]: String(offset) } : {}),
    };
    const reading = new Reading(bodyOf(message, hashed, offset), measures.sentBytes);
    let answer: HttpClientResponse;
    try {
      answer = await http.request({
        method: "POST",
        url,
        target: "/raft/snapshot",
        headers,
        body: reading.chunks(),
        trailers: () => ({ [HEADER.snapshotSha256]: hashed.sha256().toString("hex") }),
        connectTimeoutMs: dialTimeoutMs,
        answerTimeoutMs: SNAPSHOT_KEEP_MS,
        writeTimeoutMs: SNAPSHOT_SILENCE_MS,
        signal: this.#stop.signal,
      });
    } finally {
      await this.#within(SNAPSHOT_SILENCE_MS, reading.over());
    }
    const text = (await readAll(answer.body, QUESTION_BYTES_MAX, readTimeoutMs)).toString("utf8");
    if (answer.status === 204 || answer.status === 200) return;
    if (isRemoval(answer.status, text)) onRemoved();
    const reason = `status ${answer.status}: ${text.trim().slice(0, 200)}`;
    throw answer.status < 500 ? new Unwanted(reason) : new Error(reason);
  }

  /** A reading that never ends is its image's fault, and must not keep the outcome back. */
  async #within(limitMs: number, settled: Promise<void>): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const limit = this.#context.timers.after(limitMs, resolve);
    await Promise.race([settled, late]);
    limit.cancel();
  }

  /** Bytes that the peer has kept of an attempt that broke off. */
  async #offset(
    url: string,
    { from, snapshot }: Message,
    { format }: SnapshotImage,
  ): Promise<number> {
    const { dialTimeoutMs, http, questionTimeoutMs } = this.#context;
    const { index = 0, term = 0 } = snapshot?.metadata ?? {};
    const what = format === "store" ? `&format=${STORE_FORMAT}` : "";
    const answer = await http.request({
      method: "GET",
      url,
      target: `/raft/snapshot/offset?from=${formatId(from)}&index=${index}&term=${term}${what}`,
      headers: requestHeaders(this.#context),
      connectTimeoutMs: dialTimeoutMs,
      answerTimeoutMs: questionTimeoutMs,
      isAlone: true,
      signal: this.#stop.signal,
    });
    const body = await readAll(answer.body, QUESTION_BYTES_MAX, questionTimeoutMs);
    const text = body.toString("latin1").trim();
    if (answer.status !== 200) throw new Error(`status ${answer.status}: ${text.slice(0, 200)}`);
    return /^\d{1,15}$/.test(text) ? Number(text) : 0;
  }
}

async function* bodyOf(
  message: Message,
  hashed: HashedImage,
  offset: number,
): AsyncGenerator<Buffer> {
  const bytes = marshal(encodeRaftMessage, message);
  const length = Buffer.alloc(8);
  length.writeUInt32BE(bytes.length, 4);
  yield Buffer.concat([length, bytes]);
  yield* hashed.from(offset);
}

/** One reading of the image: the next one, or its end, waits for this one's. */
class Reading {
  readonly #source: AsyncIterable<Buffer>;
  readonly #count: Counter;
  readonly #over = Promise.withResolvers<void>();
  #hasBegun = false;

  constructor(source: AsyncIterable<Buffer>, count: Counter) {
    this.#source = source;
    this.#count = count;
  }

  async *chunks(): AsyncGenerator<Buffer> {
    this.#hasBegun = true;
    try {
      for await (const chunk of this.#source) {
        this.#count.add(chunk.length);
        yield chunk;
      }
    } finally {
      this.#over.resolve();
    }
  }

  async over(): Promise<void> {
    if (this.#hasBegun) await this.#over.promise;
  }
}
