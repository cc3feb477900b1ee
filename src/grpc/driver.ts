/**
 * Joins an HTTP/2 connection to the byte stream that carries it: bytes in as they come, bytes out
 * once a turn, and back-pressure in between. The same for servers and clients.
 */
import type { Http2Connection } from "../http2/index.ts";
import type { Clock, Connection, ConnectionEvents } from "../seam/index.ts";
import type { Flushable, FlushQueue } from "./flush-queue.ts";
import { CLOSE_GRACE_MS } from "./limits.ts";

export interface ByteCounts {
  receivedBytes: number;
  sentBytes: number;
}

export interface DriverOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly flushQueue: FlushQueue;
  readonly counts: ByteCounts;
  /** Bytes waiting at the socket at which reading stops; Infinity = never. */
  readonly pauseBytes: number;
  /** The byte stream is gone; nothing follows. */
  readonly onGone: () => void;
}

export class Driver implements ConnectionEvents, Flushable {
  readonly #options: DriverOptions;
  readonly #connection: Connection;
  readonly #http2: Http2Connection<unknown>;
  #isQueued = false;
  #isReadPaused = false;
  #isGone = false;
  /** When a closed connection stops waiting for its peer to take the last bytes. */
  #destroyMs = Number.POSITIVE_INFINITY;

  /** Takes over the connection's events. `http2` is not yet started. */
  constructor(http2: Http2Connection<unknown>, options: DriverOptions) {
    this.#http2 = http2;
    this.#options = options;
    this.#connection = options.connection;
    this.#connection.events = this;
  }

  get nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  onData(chunk: Buffer): void {
    this.#options.counts.receivedBytes += chunk.length;
    this.#http2.receive(chunk, this.#options.clock.monotonicMs());
  }

  onDrain(): void {
    if (this.#isReadPaused) {
      this.#isReadPaused = false;
      this.#connection.resume();
    }
    this.#http2.setOutputBlocked(false);
    this.requestFlush();
  }

  onClose(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#http2.connectionLost();
    this.#options.onGone();
  }

  /** The connection has output, or has closed: `flush` runs at the end of this turn. */
  requestFlush(): void {
    if (this.#isQueued || this.#isGone) return;
    this.#isQueued = true;
    this.#options.flushQueue.add(this);
  }

  flush(): void {
    this.#isQueued = false;
    if (this.#isGone) return;
    const connection = this.#connection;
    let isOpen = true;
    for (const chunk of this.#http2.takeOutput()) {
      this.#options.counts.sentBytes += chunk.length;
      isOpen = connection.write(chunk);
    }
    if (this.#http2.isClosed) {
      this.#end();
    } else if (!isOpen && connection.bufferedBytes > 0) {
      this.#http2.setOutputBlocked(true);
      if (!this.#isReadPaused && connection.bufferedBytes > this.#options.pauseBytes) {
        this.#isReadPaused = true;
        connection.pause();
      }
    }
  }

  #end(): void {
    if (this.#destroyMs !== Number.POSITIVE_INFINITY) return;
    this.#destroyMs = this.nowMs + CLOSE_GRACE_MS;
    this.#connection.end();
  }

  /** Drops the byte stream at once. */
  destroy(): void {
    if (!this.#isGone) this.#connection.destroy();
  }

  tick(nowMs: number): void {
    if (nowMs >= this.#destroyMs) this.destroy();
  }
}
