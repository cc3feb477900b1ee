/**
 * Writes records into one growing buffer, so that a batch is one disk write.
 *
 * An entry is encoded in place and costs no allocation. A record's crc stands before its data and
 * is a varint of 1 to 5 bytes known only afterwards: the data is written where a 5-byte crc puts it
 * and moved in the one case of 16 where the crc is shorter.
 */
import { assert, ByteWriter, crc32c, sizeOfUint } from "../base/index.ts";
import { encodeEntry, type Entry, sizeEntry } from "../wire/index.ts";
import { FRAME_BYTES, RecordType } from "./record.ts";

/** Type (2), a 5-byte crc with its tag (6) and the tag of the data (1). */
const FIELD_BYTES = 9;
/** What a frame adds to its data at most: length word, fields, data length, padding. */
const OVERHEAD_BYTES_MAX = FRAME_BYTES + FIELD_BYTES + 6 + 7;
const START_BYTES = 256 * 1024;

export class RecordBuffer {
  readonly #writer = new ByteWriter(START_BYTES);

  /** Bytes written so far: whole frames. */
  get length(): number {
    return this.#writer.length;
  }

  /** What was written. Borrowed until the next `add` or `clear`. */
  get written(): Buffer {
    return this.#writer.view();
  }

  clear(): void {
    this.#writer.reset();
  }

  /** Adds an entry record; the running crc after it. */
  addEntry(crcBefore: number, entry: Entry): number {
    const writer = this.#writer;
    const entryBytes = sizeEntry(entry);
    writer.ensure(entryBytes + OVERHEAD_BYTES_MAX);
    const start = writer.length;
    const lo = start + FRAME_BYTES + FIELD_BYTES + sizeOfUint(entryBytes);
    writer.length = lo;
    encodeEntry(writer, entry);
    assert(writer.length === lo + entryBytes, "an entry has the size that was computed");
    return this.#frame(RecordType.ENTRY, crcBefore, start, lo);
  }

  /** Adds a record of any type but entry and crc; the running crc after it. */
  addRecord(type: number, crcBefore: number, data: Uint8Array): number {
    const writer = this.#writer;
    writer.ensure(data.length + OVERHEAD_BYTES_MAX);
    const start = writer.length;
    const lo = start + FRAME_BYTES + FIELD_BYTES + sizeOfUint(data.length);
    writer.length = lo;
    writer.raw(data);
    return this.#frame(type, crcBefore, start, lo);
  }

  /** Adds the record that opens a segment: no data, the crc so far. */
  addCrc(crc: number): void {
    const writer = this.#writer;
    writer.ensure(OVERHEAD_BYTES_MAX);
    const start = writer.length;
    writer.length += FRAME_BYTES;
    this.#head(RecordType.CRC, crc);
    this.#seal(start);
  }

  /** The data stands from `lo` to the writer's end, after room for a header with a 5-byte crc. */
  #frame(type: number, crcBefore: number, start: number, lo: number): number {
    const writer = this.#writer;
    const hi = writer.length;
    const crc = crc32c(crcBefore, writer.buffer, lo, hi);
    writer.length = start + FRAME_BYTES;
    this.#head(type, crc);
    writer.byte(0x1a);
    writer.uint(hi - lo);
    if (writer.length !== lo) writer.buffer.copyWithin(writer.length, lo, hi);
    writer.length += hi - lo;
    this.#seal(start);
    return crc;
  }

  #head(type: number, crc: number): void {
    this.#writer.byte(0x08);
    this.#writer.byte(type);
    this.#writer.byte(0x10);
    this.#writer.uint(crc);
  }

  /** Ends the frame that starts at `start`: padding and length word. */
  #seal(start: number): void {
    const writer = this.#writer;
    const recordBytes = writer.length - start - FRAME_BYTES;
    const padding = (8 - (recordBytes % 8)) % 8;
    for (let count = padding; count > 0; count -= 1) writer.byte(0);
    writer.buffer.writeUInt32LE(recordBytes, start);
    writer.buffer.writeUInt32LE(padding === 0 ? 0 : (0x80 | padding) * 0x100_0000, start + 4);
  }
}
