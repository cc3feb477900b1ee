/**
 * HPACK encoding (RFC 7541) of one direction of one connection.
 *
 * The dynamic table is filled once and never evicted from: a field that asks to be indexed enters
 * while there is room, and after that its index grows only by younger entries. A list of fields
 * that is sent again and again (`PreparedHeaders`) is thus a handful of constant bytes, until the
 * table changes once more. When the peer shrinks the table it is emptied and filled anew.
 */
import { staticFieldIndex, staticNameIndex, STATIC_TABLE } from "./hpack-static.ts";
import { huffmanEncode, huffmanLength } from "./huffman.ts";
import { HEADER_TABLE_BYTES } from "./limits.ts";

/** Where blocks are encoded; shared, because each is used up before the next is made. */
let scratch = Buffer.allocUnsafeSlow(4096);

/** Name, value, name, value ... in order; names lower case, pseudo-header fields first. */
export type HeaderList = readonly string[];

/** Fields that one connection sends many times; indexed in the dynamic table where they fit. */
export class PreparedHeaders {
  readonly list: HeaderList;
  /** The block's bytes while `epoch` is the encoder's. */
  bytes: Uint8Array = new Uint8Array(0);
  epoch = -1;

  constructor(list: HeaderList) {
    this.list = list;
  }
}

export class HpackEncoder {
  /** Entries by `name\0value`: their insertion number, 1 for the first. */
  readonly #entries = new Map<string, number>();
  #tableBytes = 0;
  #tableBytesMax = HEADER_TABLE_BYTES;
  /** A size update owed to the peer at the start of the next block. */
  #resizePending = false;
  /** Moves with every change of the table; PreparedHeaders of an older epoch are encoded anew. */
  #epoch = 0;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setTableBytesMax(bytes: number): void {
    const wanted = Math.min(bytes, HEADER_TABLE_BYTES);
    if (wanted === this.#tableBytesMax) return;
    this.#tableBytesMax = wanted;
    this.#entries.clear();
    this.#tableBytes = 0;
    this.#resizePending = true;
    this.#epoch += 1;
  }

  /** The block for fields used often. Borrowed until the next call of any encoder. */
  encodePrepared(headers: PreparedHeaders): Uint8Array {
    if (headers.epoch === this.#epoch && !this.#resizePending) return headers.bytes;
    const epoch = this.#epoch;
    const isRepeatable = !this.#resizePending;
    const block = this.#encode(headers.list, true);
    // A block that changed the table must not be sent twice; the next encoding is all indexes.
    if (isRepeatable && epoch === this.#epoch) {
      headers.bytes = Uint8Array.prototype.slice.call(block);
      headers.epoch = epoch;
    }
    return block;
  }

  /**
   * The block for fields used once: nothing enters the table. Borrowed until the next call of any
   * encoder.
   */
  encode(list: HeaderList): Uint8Array {
    return this.#encode(list, false);
  }

  /** A prepared block followed by fields used once. Borrowed until the next call of any encoder. */
  encodeWith(headers: PreparedHeaders, rest: HeaderList): Uint8Array {
    const prepared = Uint8Array.prototype.slice.call(this.encodePrepared(headers));
    const block = this.#encode(rest, false);
    return Buffer.concat([prepared, block]);
  }

  #encode(list: HeaderList, canIndex: boolean): Uint8Array {
    let bytesMax = 16;
    for (const text of list) bytesMax += text.length + 8;
    if (bytesMax > scratch.length) scratch = Buffer.allocUnsafeSlow(bytesMax);
    const into = scratch;
    let at = 0;
    if (this.#resizePending) {
      this.#resizePending = false;
      // Down to nothing and up again, because entries of the old table were forgotten here.
      at = writeInteger(into, at, 0x20, 5, 0);
      at = writeInteger(into, at, 0x20, 5, this.#tableBytesMax);
    }
    for (let position = 0; position < list.length; position += 2) {
      at = this.#field(into, at, list[position] as string, list[position + 1] as string, canIndex);
    }
    return into.subarray(0, at);
  }

  #field(into: Buffer, start: number, name: string, value: string, canIndex: boolean): number {
    const exact = staticFieldIndex(name, value);
    if (exact !== 0) return writeInteger(into, start, 0x80, 7, exact);
    const key = `${name}\0${value}`;
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      const index = STATIC_TABLE.length + 1 + (this.#entries.size - entry);
      return writeInteger(into, start, 0x80, 7, index);
    }
    const sizeBytes = name.length + value.length + 32;
    const isIndexed = canIndex && this.#tableBytes + sizeBytes <= this.#tableBytesMax;
    const nameIndex = staticNameIndex(name);
    let at = isIndexed
      ? writeInteger(into, start, 0x40, 6, nameIndex)
      : writeInteger(into, start, 0x00, 4, nameIndex);
    if (nameIndex === 0) at = writeString(into, at, name);
    at = writeString(into, at, value);
    if (isIndexed) {
      this.#entries.set(key, this.#entries.size + 1);
      this.#tableBytes += sizeBytes;
      this.#epoch += 1;
    }
    return at;
  }
}

function writeInteger(
  into: Uint8Array,
  offset: number,
  pattern: number,
  prefixBits: number,
  value: number,
): number {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    into[offset] = pattern | value;
    return offset + 1;
  }
  into[offset] = pattern | mask;
  let rest = value - mask;
  let at = offset + 1;
  while (rest >= 0x80) {
    into[at] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
    at += 1;
  }
  into[at] = rest;
  return at + 1;
}

function writeString(into: Buffer, offset: number, text: string): number {
  const coded = huffmanLength(text);
  if (coded < text.length) {
    return huffmanEncode(text, into, writeInteger(into, offset, 0x80, 7, coded));
  }
  const at = writeInteger(into, offset, 0x00, 7, text.length);
  into.latin1Write(text, at);
  return at + text.length;
}
