/**
 * The end of a stream that a peer has dialled: we write, it receives (PE-30).
 *
 * Messages are encoded as they come, side by side into one buffer; all of one turn leave in one
 * write. While the connection takes nothing more they wait in a queue bounded in messages and
 * bytes, so a slow peer costs what its queue holds and delays nobody.
 */
import { ByteWriter, type Counter } from "../base/index.ts";
import type { HttpStreamResponse } from "../seam/index.ts";
import type { Message } from "../wire/index.ts";
import { type FrameEncoder, frameEncoder, type StreamKind } from "./frame-encoder.ts";
import {
  FLUSH_BYTES,
  STREAM_QUEUE_BYTES_MAX,
  STREAM_QUEUE_MESSAGES_MAX,
  TURN_BYTES,
  WRITE_TIMEOUT_MS,
} from "./limits.ts";

export interface StreamWriterOptions {
  readonly kind: StreamKind;
  readonly response: HttpStreamResponse;
  readonly sentBytes: Counter;
  readonly writeTimeoutMs?: number;
  /** Asks for a call of `flush` at the end of this turn. */
  readonly schedule: (writer: StreamWriter) => void;
  /** Runs something in the next turn. */
  readonly soon: (run: () => void) => void;
  /** Once, unless `close` was called before. */
  readonly onGone: (writer: StreamWriter, reason: string) => void;
}

interface Batch {
  readonly bytes: Buffer;
  readonly messages: number;
}

export class StreamWriter {
  readonly kind: StreamKind;
  isScheduled = false;
  readonly #options: StreamWriterOptions;
  readonly #encoder: FrameEncoder;
  #writer = new ByteWriter(FLUSH_BYTES);
  #messages = 0;
  #queue: Batch[] = [];
  #queueBytes = 0;
  #queueMessages = 0;
  #isBlocked = false;
  /** Sent from the queue without a turn for anything else. */
  #turnBytes = 0;
  #isClosed = false;
  /** What the connection held when it was last looked at, and since when that has not changed. */
  #stuckBytes = 0;
  #stuckSinceMs: number | undefined;

  constructor(options: StreamWriterOptions) {
    this.kind = options.kind;
    this.#options = options;
    this.#encoder = frameEncoder(options.kind);
    options.response.events = {
      onDrain: () => this.#onDrain(),
      onClose: () => this.#fail("the connection was closed"),
    };
  }

  /** False when the queue is full: the message was not taken. */
  send(message: Message): boolean {
    if (this.#isClosed) return false;
    if (this.#queueMessages + this.#messages >= STREAM_QUEUE_MESSAGES_MAX) return false;
    if (this.#queueBytes >= STREAM_QUEUE_BYTES_MAX) return false;
    this.#encoder.encode(this.#writer, message);
    this.#messages += 1;
    if (this.#writer.length >= FLUSH_BYTES) this.flush();
    else if (!this.isScheduled) this.#options.schedule(this);
    return true;
  }

  flush(): void {
    if (this.#messages === 0 && this.#writer.length === 0) return;
    if (this.#isClosed) return;
    const batch = { bytes: this.#takeBytes(), messages: this.#messages };
    this.#messages = 0;
    if (!this.#isBlocked) return this.#write(batch);
    this.#queue.push(batch);
    this.#queueBytes += batch.bytes.length;
    this.#queueMessages += batch.messages;
  }

  /** A large batch is given away with its buffer, a small one copied out of it. */
  #takeBytes(): Buffer {
    if (this.#writer.length < FLUSH_BYTES) return this.#writer.take();
    const bytes = this.#writer.view();
    this.#writer = new ByteWriter(FLUSH_BYTES);
    return bytes;
  }

  #write({ bytes }: Batch): void {
    this.#options.sentBytes.add(bytes.length);
    if (!this.#options.response.write(bytes)) this.#isBlocked = true;
  }

  /** A connection that drains as fast as it is filled must not have the event loop to itself. */
  #onDrain(): void {
    this.#stuckSinceMs = undefined;
    if (this.#turnBytes < TURN_BYTES) return this.#writeQueued();
    this.#options.soon(() => {
      this.#turnBytes = 0;
      this.#writeQueued();
    });
  }

  #writeQueued(): void {
    if (this.#isClosed) return;
    this.#isBlocked = false;
    let count = 0;
    while (!this.#isBlocked && count < this.#queue.length) {
      const batch = this.#queue[count++] as Batch;
      this.#queueBytes -= batch.bytes.length;
      this.#queueMessages -= batch.messages;
      this.#turnBytes += batch.bytes.length;
      this.#write(batch);
    }
    if (count > 0) this.#queue.splice(0, count);
    else this.#turnBytes = 0;
  }

  /** Called a few times per timeout: keeps the link warm, and ends one that takes nothing. */
  pulse(nowMs: number): void {
    if (this.#isClosed) return;
    if (this.#isBlocked) return this.#checkProgress(nowMs);
    this.#encoder.encodeLinkHeartbeat(this.#writer);
    this.flush();
  }

  #checkProgress(nowMs: number): void {
    const { bufferedBytes } = this.#options.response;
    if (this.#stuckSinceMs === undefined || bufferedBytes !== this.#stuckBytes) {
      this.#stuckBytes = bufferedBytes;
      this.#stuckSinceMs = nowMs;
      return;
    }
    const timeoutMs = this.#options.writeTimeoutMs ?? WRITE_TIMEOUT_MS;
    if (nowMs - this.#stuckSinceMs >= timeoutMs) this.#fail(`no byte taken for ${timeoutMs} ms`);
  }

  get bufferedBytes(): number {
    return this.#queueBytes + this.#writer.length + this.#options.response.bufferedBytes;
  }

  #fail(reason: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#options.onGone(this, reason);
  }

  /** Drops what is queued. */
  close(): void {
    this.#isClosed = true;
    this.#queue = [];
    this.#queueBytes = 0;
    this.#queueMessages = 0;
    this.#options.response.destroy();
  }

  /** Sends what is queued, then ends. */
  end(): void {
    this.flush();
    this.#isClosed = true;
    for (const batch of this.#queue) this.#write(batch);
    this.#options.response.end();
  }
}
