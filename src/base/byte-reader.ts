/**
 * Reads protobuf's wire format (and fixed-width integers) from a piece of a buffer.
 *
 * Every read is checked against `end`, so no input makes it read beyond its piece, and a length is
 * checked before anything is made from it, so no input makes it allocate more than it holds.
 *
 * Owns:   nothing; `bytes` gives views into the input, valid as long as the input is left alone.
 * Errors: MalformedError, and nothing else, from every method.
 * Source: protobuf.dev/programming-guides/encoding; stricter where Go's decoder is (an 11-byte
 *         varint, one beyond 64 bits, a field number of 0 or beyond 2^29 - 1).
 */
import { MalformedError } from "./malformed.ts";

const TWO_32 = 0x1_0000_0000;
/** How deep unknown groups may nest in each other. */
const GROUP_DEPTH_MAX = 64;

const scratch64 = new BigUint64Array(1);
const scratch64Signed = new BigInt64Array(scratch64.buffer);
const scratch32 = new Uint32Array(scratch64.buffer);

export class ByteReader {
  readonly buffer: Buffer;
  pos: number;
  end: number;
  /** Halves of the varint that `varint` read last, as int32. */
  lo = 0;
  hi = 0;

  /** Reads `buffer[lo, hi)`. */
  constructor(buffer: Buffer, lo = 0, hi = buffer.length) {
    if (lo < 0 || hi > buffer.length || lo > hi) {
      throw new MalformedError("piece outside of its buffer", lo);
    }
    this.buffer = buffer;
    this.pos = lo;
    this.end = hi;
  }

  /** A field's tag: number << 3 | wire type. Never 0, and never a wire type above 5. */
  tag(): number {
    let tag = 0;
    if (this.pos < this.end && (this.buffer[this.pos] as number) < 0x80) {
      tag = this.buffer[this.pos] as number;
      this.pos += 1;
    } else {
      const start = this.pos;
      this.varint();
      if (this.hi !== 0) throw new MalformedError("field number out of range", start);
      tag = this.lo >>> 0;
    }
    if (tag < 8 || (tag & 7) > 5) throw new MalformedError("illegal tag", this.pos);
    return tag;
  }

  /** An unsigned varint; beyond 2^53 the nearest double. */
  uint(): number {
    if (this.pos < this.end) {
      const first = this.buffer[this.pos] as number;
      if (first < 0x80) {
        this.pos += 1;
        return first;
      }
    }
    this.varint();
    return (this.hi >>> 0) * TWO_32 + (this.lo >>> 0);
  }

  /** An int64 varint (two's complement); beyond 2^53 the nearest double. */
  int(): number {
    if (this.pos < this.end) {
      const first = this.buffer[this.pos] as number;
      if (first < 0x80) {
        this.pos += 1;
        return first;
      }
    }
    this.varint();
    return this.hi * TWO_32 + (this.lo >>> 0);
  }

  /** An enum or int32: the low 32 bits, signed. */
  int32(): number {
    this.varint();
    return this.lo;
  }

  bool(): boolean {
    this.varint();
    return (this.lo | this.hi) !== 0;
  }

  bigUint(): bigint {
    this.varint();
    if ((this.lo | this.hi) === 0) return 0n;
    scratch32[0] = this.lo;
    scratch32[1] = this.hi;
    return scratch64[0] as bigint;
  }

  bigInt(): bigint {
    this.varint();
    if ((this.lo | this.hi) === 0) return 0n;
    scratch32[0] = this.lo;
    scratch32[1] = this.hi;
    return scratch64Signed[0] as bigint;
  }

  /** Reads a varint of up to 64 bits into `lo` and `hi`. */
  varint(): void {
    const buffer = this.buffer;
    const end = this.end;
    const start = this.pos;
    let pos = start;
    let lo = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (pos >= end) throw new MalformedError("varint is cut off", start);
      const byte = buffer[pos++] as number;
      lo |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.pos = pos;
        this.lo = lo;
        this.hi = 0;
        return;
      }
    }
    if (pos >= end) throw new MalformedError("varint is cut off", start);
    const middle = buffer[pos++] as number;
    lo |= (middle & 0x0f) << 28;
    let hi = (middle & 0x7f) >> 4;
    let last = middle;
    for (let shift = 3; last >= 0x80; shift += 7) {
      if (pos >= end) throw new MalformedError("varint is cut off", start);
      last = buffer[pos++] as number;
      if (shift === 31 && last > 1) throw new MalformedError("varint beyond 64 bits", start);
      hi |= (last & 0x7f) << shift;
    }
    this.pos = pos;
    this.lo = lo;
    this.hi = hi;
  }

  /** The length of what follows, checked to lie within the piece. */
  length(): number {
    const start = this.pos;
    const length = this.uint();
    if (length > this.end - this.pos) throw new MalformedError("length beyond the input", start);
    return length;
  }

  /** Length-delimited bytes, a view into the input. */
  bytes(): Buffer {
    const length = this.length();
    const start = this.pos;
    this.pos = start + length;
    return this.buffer.subarray(start, start + length);
  }

  /** Length-delimited bytes as a one-byte string (base/latin1). */
  latin1(): string {
    const length = this.length();
    if (length === 0) return "";
    const start = this.pos;
    this.pos = start + length;
    return this.buffer.latin1Slice(start, start + length);
  }

  /** Length-delimited UTF-8; what is not UTF-8 reads as U+FFFD. */
  utf8(): string {
    const length = this.length();
    if (length === 0) return "";
    const start = this.pos;
    this.pos = start + length;
    return this.buffer.utf8Slice(start, start + length);
  }

  /**
   * Narrows the piece to the length-delimited message that follows; hand what it returns to
   * `leave` once that was read to its end.
   */
  enter(): number {
    const length = this.length();
    const outer = this.end;
    this.end = this.pos + length;
    return outer;
  }

  leave(outer: number): void {
    this.pos = this.end;
    this.end = outer;
  }

  fixed32(): number {
    const pos = this.#take(4);
    return this.buffer.readUInt32LE(pos);
  }

  fixed32Be(): number {
    const pos = this.#take(4);
    return this.buffer.readUInt32BE(pos);
  }

  fixed64(): bigint {
    const pos = this.#take(8);
    return this.buffer.readBigUInt64LE(pos);
  }

  fixed64Be(): bigint {
    const pos = this.#take(8);
    return this.buffer.readBigUInt64BE(pos);
  }

  /** Passes over the value of the field whose tag was just read. */
  skip(tag: number): void {
    if ((tag & 7) === 3) this.#skipGroup(tag);
    else this.#skipValue(tag);
  }

  #skipValue(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        this.#take(8);
        return;
      case 2: {
        const length = this.length();
        this.pos += length;
        return;
      }
      case 5:
        this.#take(4);
        return;
      default:
        throw new MalformedError("group ends that never began", this.pos);
    }
  }

  #skipGroup(tag: number): void {
    const open = [tag >>> 3];
    while (open.length > 0) {
      const inner = this.tag();
      if ((inner & 7) === 3) {
        if (open.length === GROUP_DEPTH_MAX) {
          throw new MalformedError("groups nest too deep", this.pos);
        }
        open.push(inner >>> 3);
      } else if ((inner & 7) === 4) {
        if (open.pop() !== inner >>> 3) throw new MalformedError("group ends wrongly", this.pos);
      } else {
        this.#skipValue(inner);
      }
    }
  }

  #take(count: number): number {
    const pos = this.pos;
    if (count > this.end - pos) throw new MalformedError("value is cut off", pos);
    this.pos = pos + count;
    return pos;
  }
}
