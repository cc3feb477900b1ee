/** A body as chunks that are asked for, read ahead by a bounded amount. */
import type { HttpBody, HttpHeaders } from "../seam/index.ts";

/** Read ahead of who asks. Beyond: the connection is left unread until half of it is used. */
const AHEAD_BYTES_MAX = 1024 * 1024;

export class BodyStream {
  readonly #body: HttpBody;
  #queue: Buffer[] = [];
  #bytes = 0;
  #isPaused = false;
  #trailers: HttpHeaders | undefined;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  /** Silence of `silenceMs` breaks the body off, also while it is not asked for. */
  constructor(body: HttpBody, silenceMs: number) {
    this.#body = body;
    const events = {
      onData: (chunk: Buffer) => this.#onData(chunk),
      onEnd: (trailers: HttpHeaders) => {
        this.#trailers = trailers;
        this.#wake?.();
      },
      onError: (error: Error) => {
        this.#error = error;
        this.#wake?.();
      },
    };
    body.start(events, silenceMs);
  }

  /** Of a body that has ended. */
  get trailers(): HttpHeaders | undefined {
    return this.#queue.length === 0 ? this.#trailers : undefined;
  }

  #onData(chunk: Buffer): void {
    this.#queue.push(chunk);
    this.#bytes += chunk.length;
    if (!this.#isPaused && this.#bytes > AHEAD_BYTES_MAX) {
      this.#isPaused = true;
      this.#body.pause();
    }
    this.#wake?.();
  }

  /** undefined at the end. Rejects when the body broke off. One call at a time. */
  async next(): Promise<Buffer | undefined> {
    for (;;) {
      const chunk = this.#queue.shift();
      if (chunk !== undefined) return this.#used(chunk);
      if (this.#error !== undefined) throw this.#error;
      if (this.#trailers !== undefined) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  #used(chunk: Buffer): Buffer {
    this.#bytes -= chunk.length;
    if (this.#isPaused && this.#bytes <= AHEAD_BYTES_MAX / 2) {
      this.#isPaused = false;
      this.#body.resume();
    }
    return chunk;
  }

  /** Exactly `count` bytes; the rest stays. Rejects when the body ends before. */
  async read(count: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      const chunk = await this.next();
      if (chunk === undefined) throw new Error("the body ends too early");
      const piece = chunk.subarray(0, missing);
      pieces.push(piece);
      missing -= piece.length;
      if (piece.length === chunk.length) continue;
      const rest = chunk.subarray(piece.length);
      this.#queue.unshift(rest);
      this.#bytes += rest.length;
    }
    return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, count);
  }

  /** What is left. Giving the iteration up breaks the body off. */
  async *chunks(): AsyncGenerator<Buffer> {
    let isWhole = false;
    try {
      for (;;) {
        const chunk = await this.next();
        if (chunk === undefined) break;
        yield chunk;
      }
      isWhole = true;
    } finally {
      if (!isWhole) this.#body.destroy();
    }
  }
}
