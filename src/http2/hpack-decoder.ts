/**
 * HPACK decoding (RFC 7541) of one direction of one connection.
 *
 * A gRPC client repeats the same few header blocks, and after the first of each kind all of a block
 * is indexes. A block that left the dynamic table alone is therefore remembered by its bytes; the
 * memory is void as soon as the table changes. A hit costs one hash over some ten bytes and makes
 * nothing.
 */
import { ConnectionError, ErrorCode } from "./error-code.ts";
import { HeaderBlock, HeaderField } from "./header-block.ts";
import { STATIC_TABLE } from "./hpack-static.ts";
import { huffmanDecode } from "./huffman.ts";
import { CACHED_BLOCK_BYTES_MAX, CACHED_BLOCKS, HEADER_TABLE_BYTES } from "./limits.ts";

interface CachedBlock {
  readonly bytes: Buffer;
  readonly generation: number;
  readonly block: HeaderBlock;
}

/** An entry takes at least 32 bytes, so the table never has more entries than this. */
const TABLE_ENTRIES_MAX = HEADER_TABLE_BYTES / 32;
/** Beyond this an integer is nonsense in a block of limited length. */
const INTEGER_MAX = 0x0fff_ffff;

export class HpackDecoder {
  readonly #headerListBytesMax: number;
  /** Ring: the newest entry at `#newest`, older ones behind it. */
  readonly #table: (HeaderField | undefined)[] = new Array(TABLE_ENTRIES_MAX).fill(undefined);
  #newest = 0;
  #count = 0;
  #tableBytes = 0;
  #tableBytesMax = HEADER_TABLE_BYTES;
  /** Moves with every change of the table. */
  #generation = 0;
  readonly #cache: (CachedBlock | undefined)[] = new Array(CACHED_BLOCKS).fill(undefined);
  /** Hash of what last missed in each slot: a block is worth keeping from its second time on. */
  readonly #missed = new Int32Array(CACHED_BLOCKS);
  /** Read position of the block being decoded. */
  #at = 0;

  constructor(headerListBytesMax: number) {
    this.#headerListBytesMax = headerListBytesMax;
  }

  /** Bytes in the dynamic table by RFC 7541's measure; at most HEADER_TABLE_BYTES. */
  get tableBytes(): number {
    return this.#tableBytes;
  }

  /**
   * Decodes one whole header block, `bytes[lo, hi)`. The block is shared and immutable.
   *
   * Errors: ConnectionError COMPRESSION_ERROR; the connection cannot go on after it.
   */
  decode(bytes: Buffer, lo: number, hi: number): HeaderBlock {
    const length = hi - lo;
    if (length > CACHED_BLOCK_BYTES_MAX) return this.#decode(bytes, lo, hi);
    let hash = length;
    for (let at = lo; at < hi; at += 1) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
    hash ^= hash >>> 15;
    const slot = hash & (CACHED_BLOCKS - 1);
    const cached = this.#cache[slot];
    if (cached !== undefined && cached.generation === this.#generation) {
      const expected = cached.bytes;
      let same = expected.length === length;
      for (let at = 0; same && at < length; at += 1) same = expected[at] === bytes[lo + at];
      if (same) return cached.block;
    }
    const generation = this.#generation;
    const block = this.#decode(bytes, lo, hi);
    if (generation !== this.#generation) return block;
    if (this.#missed[slot] === hash) {
      this.#cache[slot] = { bytes: Buffer.from(bytes.subarray(lo, hi)), generation, block };
    }
    this.#missed[slot] = hash;
    return block;
  }

  #decode(bytes: Buffer, lo: number, hi: number): HeaderBlock {
    const fields: HeaderField[] = [];
    let listBytes = 0;
    this.#at = lo;
    while (this.#at < hi) {
      const first = bytes[this.#at] as number;
      let field: HeaderField;
      if (first >= 0x80) {
        field = this.#field(this.#integer(bytes, hi, 7));
      } else if (first >= 0x40) {
        field = this.#literal(bytes, hi, 6);
        this.#insert(field);
      } else if (first >= 0x20) {
        if (fields.length > 0) throw compressionError("a table size update inside a header block");
        this.#resize(this.#integer(bytes, hi, 5));
        continue;
      } else {
        field = this.#literal(bytes, hi, 4);
      }
      listBytes += field.sizeBytes;
      // The rest is still decoded, because the dynamic table must follow the peer's.
      if (listBytes <= this.#headerListBytesMax) fields.push(field);
    }
    return new HeaderBlock(fields, listBytes > this.#headerListBytesMax);
  }

  #field(index: number): HeaderField {
    if (index > 0 && index <= STATIC_TABLE.length) return STATIC_TABLE[index - 1] as HeaderField;
    const position = index - STATIC_TABLE.length - 1;
    if (position < 0 || position >= this.#count) throw compressionError("index out of range");
    return this.#table[(this.#newest + position) % TABLE_ENTRIES_MAX] as HeaderField;
  }

  #literal(bytes: Buffer, hi: number, prefixBits: number): HeaderField {
    const index = this.#integer(bytes, hi, prefixBits);
    const name = index === 0 ? this.#string(bytes, hi) : this.#field(index).name;
    return new HeaderField(name, this.#string(bytes, hi));
  }

  #integer(bytes: Buffer, hi: number, prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = (bytes[this.#at] as number) & mask;
    this.#at += 1;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      if (this.#at >= hi) throw compressionError("a header block ends inside an integer");
      const byte = bytes[this.#at] as number;
      this.#at += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (value > INTEGER_MAX || shift > 28) throw compressionError("integer too large");
      if (byte < 0x80) return value;
    }
  }

  #string(bytes: Buffer, hi: number): string {
    if (this.#at >= hi) throw compressionError("a header block ends before a string");
    const isHuffman = (bytes[this.#at] as number) >= 0x80;
    const length = this.#integer(bytes, hi, 7);
    const lo = this.#at;
    if (length > hi - lo) throw compressionError("a header block ends inside a string");
    this.#at = lo + length;
    if (isHuffman) return huffmanDecode(bytes, lo, lo + length);
    return bytes.latin1Slice(lo, lo + length);
  }

  #insert(field: HeaderField): void {
    this.#generation += 1;
    this.#evict(this.#tableBytesMax - field.sizeBytes);
    // RFC 7541 4.4: an entry larger than the table empties it and is no error.
    if (field.sizeBytes > this.#tableBytesMax) return;
    this.#newest = (this.#newest + TABLE_ENTRIES_MAX - 1) % TABLE_ENTRIES_MAX;
    this.#table[this.#newest] = field;
    this.#count += 1;
    this.#tableBytes += field.sizeBytes;
  }

  #resize(tableBytesMax: number): void {
    if (tableBytesMax > HEADER_TABLE_BYTES) {
      throw compressionError("a table size above SETTINGS_HEADER_TABLE_SIZE");
    }
    this.#generation += 1;
    this.#tableBytesMax = tableBytesMax;
    this.#evict(tableBytesMax);
  }

  #evict(bytesMax: number): void {
    while (this.#count > 0 && this.#tableBytes > bytesMax) {
      this.#count -= 1;
      const oldest = (this.#newest + this.#count) % TABLE_ENTRIES_MAX;
      this.#tableBytes -= (this.#table[oldest] as HeaderField).sizeBytes;
      this.#table[oldest] = undefined;
    }
  }
}

function compressionError(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.COMPRESSION_ERROR, `HPACK: ${message}`);
}
