/** Append messages on their way to one follower: what bounds a pipeline. */
import { assert } from "../base/index.ts";

/**
 * A ring of (last index of a message, its payload bytes), oldest first.
 *
 * Shape:     grows by doubling up to `messagesMax`, so that idle followers cost nothing.
 * Invariant: indexes never decrease from oldest to newest.
 * Source:    thesis 10.2.1 (pipelining needs a bound on what may be outstanding).
 */
export class Inflights {
  readonly #messagesMax: number;
  /** 0 = no limit. */
  readonly #bytesMax: number;
  #indexes: number[] = [];
  #sizes: number[] = [];
  #head = 0;
  #count = 0;
  #bytes = 0;

  constructor(messagesMax: number, bytesMax: number) {
    assert(messagesMax > 0, "inflights: at least one message must be allowed");
    this.#messagesMax = messagesMax;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A single message may pass the byte limit: otherwise a large one could never go. */
  get isFull(): boolean {
    if (this.#count === this.#messagesMax) return true;
    return this.#bytesMax > 0 && this.#bytes >= this.#bytesMax;
  }

  add(index: number, bytes: number): void {
    assert(!this.isFull, "inflights: add while full");
    if (this.#count === this.#indexes.length) this.#grow();
    const at = (this.#head + this.#count) % this.#indexes.length;
    this.#indexes[at] = index;
    this.#sizes[at] = bytes;
    this.#count += 1;
    this.#bytes += bytes;
  }

  #grow(): void {
    const capacity = Math.min(this.#messagesMax, Math.max(4, this.#indexes.length * 2));
    const indexes = new Array<number>(capacity).fill(0);
    const sizes = new Array<number>(capacity).fill(0);
    for (let at = 0; at < this.#count; at += 1) {
      const from = (this.#head + at) % this.#indexes.length;
      indexes[at] = this.#indexes[from] as number;
      sizes[at] = this.#sizes[from] as number;
    }
    this.#indexes = indexes;
    this.#sizes = sizes;
    this.#head = 0;
  }

  /** Frees all messages whose last index is at most `index`. */
  freeUpTo(index: number): void {
    while (this.#count > 0 && (this.#indexes[this.#head] as number) <= index) {
      this.#bytes -= this.#sizes[this.#head] as number;
      this.#head = (this.#head + 1) % this.#indexes.length;
      this.#count -= 1;
    }
  }

  reset(): void {
    this.#head = 0;
    this.#count = 0;
    this.#bytes = 0;
  }
}
