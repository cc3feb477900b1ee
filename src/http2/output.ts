/**
 * Bytes on their way to the socket. Frames are appended all through a turn of the event loop; the
 * driver takes them once. Bytes that were taken are never written to again, so they can be given
 * away.
 */
import { OUTPUT_CHUNK_BYTES_MAX, OUTPUT_CHUNK_BYTES_MIN } from "./limits.ts";

const EMPTY = Buffer.alloc(0);
/** A chunk with less room than this is not worth keeping. */
const REMAINDER_BYTES_MIN = 128;

export class Output {
  /** The chunk being filled; valid until the next `reserve`. */
  buffer: Buffer = EMPTY;
  #at = 0;
  /** Start of what was not yet taken in `buffer`. */
  #start = 0;
  #full: Buffer[] = [];
  #fullBytes = 0;
  #chunkBytes = OUTPUT_CHUNK_BYTES_MIN;
  #isSignalled = false;
  readonly #onOutput: () => void;

  /** `onOutput` is called when the first byte is appended after a `take`. */
  constructor(onOutput: () => void) {
    this.#onOutput = onOutput;
  }

  /** Appended and not yet taken. */
  get pendingBytes(): number {
    return this.#fullBytes + this.#at - this.#start;
  }

  /** Room for `bytes` in one piece: returns its offset in `buffer`. The caller fills all of it. */
  reserve(bytes: number): number {
    if (!this.#isSignalled) {
      this.#isSignalled = true;
      this.#onOutput();
    }
    const offset = this.#at;
    if (offset + bytes > this.buffer.length) return this.#grow(bytes);
    this.#at = offset + bytes;
    return offset;
  }

  #grow(bytes: number): number {
    this.#seal();
    if (this.#full.length > 0) {
      this.#chunkBytes = Math.min(this.#chunkBytes * 2, OUTPUT_CHUNK_BYTES_MAX);
    }
    this.buffer = Buffer.allocUnsafeSlow(Math.max(bytes, this.#chunkBytes));
    this.#start = 0;
    this.#at = bytes;
    return 0;
  }

  #seal(): void {
    if (this.#at === this.#start) return;
    this.#full.push(this.buffer.subarray(this.#start, this.#at));
    this.#fullBytes += this.#at - this.#start;
    this.#start = this.#at;
  }

  /** All that is pending, in order; the caller owns it. */
  take(): Buffer[] {
    this.#seal();
    const taken = this.#full;
    if (this.#fullBytes * 8 < this.#chunkBytes && this.#chunkBytes > OUTPUT_CHUNK_BYTES_MIN) {
      this.#chunkBytes >>= 1;
    } else if (this.#fullBytes * 2 > this.#chunkBytes) {
      this.#chunkBytes = Math.min(this.#chunkBytes * 2, OUTPUT_CHUNK_BYTES_MAX);
    }
    this.#full = [];
    this.#fullBytes = 0;
    this.#isSignalled = false;
    if (this.buffer.length - this.#at < REMAINDER_BYTES_MIN) this.release();
    return taken;
  }

  /** Lets go of the rest of the chunk; for connections that fell silent. Nothing may be pending. */
  release(): void {
    if (this.#at !== this.#start) return;
    this.buffer = EMPTY;
    this.#at = 0;
    this.#start = 0;
  }
}
