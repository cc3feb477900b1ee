/**
 * A growable buffer that writes protobuf's wire format and fixed-width integers, front to back.
 *
 * It is made to be kept and used again: `reset`, write, then `view` (borrowed, no copy) or `take`
 * (a copy of its own). One that grew far beyond its first size falls back at the next `reset`, so
 * one large message does not hold memory for ever.
 *
 * Owns:   its buffer; a view is valid until the next write or reset. It keeps nothing it was given.
 * Errors: RangeError when a message would pass 2 GiB (callers bound messages long before).
 */
const TWO_32 = 0x1_0000_0000;
const TWO_63 = 2 ** 63;
const TWO_64 = 2 ** 64;
/** gRPC's own limit for one message (surface FR-02). */
const WRITER_BYTES_MAX = 0x7fff_ffff;
/** A writer larger than this goes back to its first size when it is reset. */
const RETAIN_BYTES_MAX = 1024 * 1024;

const scratch64 = new BigUint64Array(1);
const scratch32 = new Int32Array(scratch64.buffer);

export class ByteWriter {
  buffer: Buffer;
  /** Bytes written since the last reset; also the position of the next byte. */
  length = 0;
  readonly #capacity: number;

  constructor(capacity = 4096) {
    this.#capacity = capacity;
    this.buffer = Buffer.allocUnsafeSlow(capacity);
  }

  reset(): void {
    this.length = 0;
    if (this.buffer.length > RETAIN_BYTES_MAX && this.#capacity <= RETAIN_BYTES_MAX) {
      this.buffer = Buffer.allocUnsafeSlow(this.#capacity);
    }
  }

  /** What was written, borrowed. */
  view(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  /** A copy of what was written; the writer is reset. */
  take(): Buffer {
    const copy = Buffer.allocUnsafe(this.length);
    this.buffer.copy(copy, 0, 0, this.length);
    this.reset();
    return copy;
  }

  /** Makes room for `count` more bytes. */
  ensure(count: number): void {
    if (this.length + count > this.buffer.length) this.#grow(count);
  }

  byte(value: number): void {
    if (this.length === this.buffer.length) this.#grow(1);
    this.buffer[this.length++] = value;
  }

  /** A varint of a whole number in [0, 2^64); what is at or beyond 2^64 is written as 2^64 - 1. */
  uint(value: number): void {
    this.ensure(10);
    if (value < 0x80) {
      this.buffer[this.length++] = value;
    } else if (value < TWO_32) {
      this.#varint32(value);
    } else if (value < TWO_64) {
      this.#varint64(value | 0, (value / TWO_32) | 0);
    } else {
      this.#varint64(-1, -1);
    }
  }

  /** An int64 varint: negatives take ten bytes; what does not fit becomes the nearest that does. */
  int(value: number): void {
    if (value >= 0) {
      if (value < TWO_63) this.uint(value);
      else this.varint64(-1, 0x7fff_ffff);
    } else if (value >= -TWO_63) {
      this.varint64(value | 0, Math.floor(value / TWO_32) | 0);
    } else {
      this.varint64(0, 0x8000_0000 | 0);
    }
  }

  bool(value: boolean): void {
    this.byte(value ? 1 : 0);
  }

  /** The low 64 bits of `value` as a varint: for uint64 and int64 alike. */
  big(value: bigint): void {
    scratch64[0] = value;
    this.varint64(scratch32[0] as number, scratch32[1] as number);
  }

  /** A 64-bit varint from its halves; only their low 32 bits count. */
  varint64(lo: number, hi: number): void {
    this.ensure(10);
    if (hi === 0) this.#varint32(lo);
    else this.#varint64(lo, hi);
  }

  #varint32(value: number): void {
    const buffer = this.buffer;
    let rest = value >>> 0;
    let at = this.length;
    while (rest > 0x7f) {
      buffer[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buffer[at++] = rest;
    this.length = at;
  }

  #varint64(lo: number, hi: number): void {
    const buffer = this.buffer;
    let low = lo >>> 0;
    let high = hi >>> 0;
    let at = this.length;
    while (high > 0) {
      buffer[at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    while (low > 0x7f) {
      buffer[at++] = (low & 0x7f) | 0x80;
      low >>>= 7;
    }
    buffer[at++] = low;
    this.length = at;
  }

  /** Bytes as they are, without a length. */
  raw(bytes: Uint8Array): void {
    const count = bytes.length;
    if (this.length + count > this.buffer.length) this.#grow(count);
    this.buffer.set(bytes, this.length);
    this.length += count;
  }

  /** A length and the bytes. */
  bytes(bytes: Uint8Array): void {
    const count = bytes.length;
    this.ensure(count + 5);
    this.uint(count);
    if (count > 0) this.buffer.set(bytes, this.length);
    this.length += count;
  }

  /** A one-byte string (base/latin1) without a length. */
  rawLatin1(text: string): void {
    const count = text.length;
    if (this.length + count > this.buffer.length) this.#grow(count);
    this.buffer.latin1Write(text, this.length, count);
    this.length += count;
  }

  /** A length and the bytes of a one-byte string (base/latin1). */
  latin1(text: string): void {
    const count = text.length;
    this.ensure(count + 5);
    this.uint(count);
    if (count > 0) this.buffer.latin1Write(text, this.length, count);
    this.length += count;
  }

  /** A length and the UTF-8 bytes of a text. */
  utf8(text: string): void {
    const count = Buffer.byteLength(text, "utf8");
    this.ensure(count + 5);
    this.uint(count);
    if (count > 0) this.buffer.utf8Write(text, this.length, count);
    this.length += count;
  }

  fixed32(value: number): void {
    this.ensure(4);
    this.length = this.buffer.writeUInt32LE(value >>> 0, this.length);
  }

  fixed32Be(value: number): void {
    this.ensure(4);
    this.length = this.buffer.writeUInt32BE(value >>> 0, this.length);
  }

  fixed64(value: bigint): void {
    this.ensure(8);
    this.length = this.buffer.writeBigUInt64LE(BigInt.asUintN(64, value), this.length);
  }

  fixed64Be(value: bigint): void {
    this.ensure(8);
    this.length = this.buffer.writeBigUInt64BE(BigInt.asUintN(64, value), this.length);
  }

  /**
   * Starts a message whose length is not known yet; `endMessage` with the returned mark writes it.
   * One byte is kept free; a body of 128 bytes or more is moved, so hot encoders size theirs first.
   */
  beginMessage(): number {
    this.byte(0);
    return this.length;
  }

  endMessage(mark: number): void {
    const size = this.length - mark;
    if (size < 0x80) {
      this.buffer[mark - 1] = size;
      return;
    }
    const shift = sizeOfUint(size) - 1;
    this.ensure(shift);
    this.buffer.copyWithin(mark + shift, mark, this.length);
    const end = this.length + shift;
    this.length = mark - 1;
    this.#varint32(size);
    this.length = end;
  }

  #grow(count: number): void {
    const wanted = this.length + count;
    if (wanted > WRITER_BYTES_MAX) throw new RangeError("writer: message larger than 2 GiB");
    const capacity = Math.min(WRITER_BYTES_MAX, Math.max(this.buffer.length * 2, wanted));
    const larger = Buffer.allocUnsafeSlow(capacity);
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}

/** Bytes that `ByteWriter.uint` writes. */
export function sizeOfUint(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  if (value < 0x1000_0000) return 4;
  if (value < 0x8_0000_0000) return 5;
  if (value < 0x400_0000_0000) return 6;
  if (value < 0x2_0000_0000_0000) return 7;
  if (value < 2 ** 56) return 8;
  return value < TWO_63 ? 9 : 10;
}

/** Bytes that `ByteWriter.int` writes. */
export function sizeOfInt(value: number): number {
  if (value < 0) return 10;
  return value < TWO_63 ? sizeOfUint(value) : 9;
}

/** Bytes that `ByteWriter.big` writes. */
export function sizeOfBig(value: bigint): number {
  scratch64[0] = value;
  const hi = (scratch32[1] as number) >>> 0;
  if (hi === 0) return sizeOfUint((scratch32[0] as number) >>> 0);
  if (hi < 2 ** 3) return 5;
  if (hi < 2 ** 10) return 6;
  if (hi < 2 ** 17) return 7;
  if (hi < 2 ** 24) return 8;
  return hi < 2 ** 31 ? 9 : 10;
}

/** Bytes of a length-delimited value of `count` bytes, its length included. */
export function sizeOfBytes(count: number): number {
  return sizeOfUint(count) + count;
}
