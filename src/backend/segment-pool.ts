/**
 * The memory of batches, in pieces that two threads see and that are used again and again.
 *
 * A piece is sent to the writing thread once and known there by its number from then on: each
 * sending would leave an object behind that keeps the memory until that thread's next full
 * collection, which an idle thread never makes.
 */
const SEGMENT_BITS = 20;
export const SEGMENT_BYTES = 1 << SEGMENT_BITS;
/** Free segments kept for the next batches; those beyond are forgotten on both sides. */
const FREE_MAX = 32;

export interface Segment {
  /** 0: memory of its own for one large operation, not shared. */
  readonly id: number;
  readonly bytes: Buffer;
  used: number;
}

/** A segment on its way to the writing thread. */
export interface SentSegment {
  readonly id: number;
  readonly used: number;
  /** Missing when the thread has it already. */
  readonly bytes: Uint8Array | undefined;
}

export class SegmentPool {
  readonly #free: Segment[] = [];
  readonly #sent = new Set<number>();
  #forgotten: number[] = [];
  #lastId = 0;

  take(size: number): Segment {
    if (size > SEGMENT_BYTES) return { id: 0, bytes: Buffer.allocUnsafeSlow(size), used: 0 };
    const free = this.#free.pop();
    if (free !== undefined) return free;
    this.#lastId += 1;
    const bytes = Buffer.from(new SharedArrayBuffer(SEGMENT_BYTES));
    return { id: this.#lastId, bytes, used: 0 };
  }

  give(segment: Segment): void {
    if (segment.id === 0) return;
    segment.used = 0;
    if (this.#free.length < FREE_MAX) this.#free.push(segment);
    else if (this.#sent.delete(segment.id)) this.#forgotten.push(segment.id);
  }

  /**
   * Memory that is not shared is copied and moves over: it must be in `transfer` of the message.
   */
  send(segment: Segment, transfer: ArrayBuffer[]): SentSegment {
    const { id, bytes, used } = segment;
    if (id === 0) {
      const copy = new Uint8Array(bytes.subarray(0, used));
      transfer.push(copy.buffer);
      return { id, used, bytes: copy };
    }
    if (this.#sent.has(id)) return { id, used, bytes: undefined };
    this.#sent.add(id);
    return { id, used, bytes };
  }

  /** Numbers that the writing thread can let go of, each told once. */
  takeForgotten(): number[] {
    const forgotten = this.#forgotten;
    this.#forgotten = [];
    return forgotten;
  }
}
