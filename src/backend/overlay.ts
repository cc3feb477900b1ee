/**
 * What was put and is not yet durable: one `Batch` that grows, and sealed ones on their way.
 *
 * A batch is an arena of segments in shared memory, written once when an operation arrives: the
 * writer thread reads the same bytes, so sealing a batch copies nothing and 10 000 operations cost
 * the main thread 10 000 small copies spread over time instead of one long pause.
 *
 * Shape: operation = value length u32 LE (0xffffffff = delete) | key length u16 LE | table u8 |
 *   flags u8 | key | value | 4 bytes for the checksum, filled in by the writer.
 */
import { assert } from "../base/index.ts";
import { SEGMENT_BYTES, type Segment, SegmentPool, type SentSegment } from "./segment-pool.ts";
import { type AppliedPoint, KEY_BYTES_MAX, TABLES, type Table } from "./types.ts";

export const TABLE_NAMES: readonly Table[] = [...TABLES, "local"];
export const OPERATION_HEADER_BYTES = 8;
export const CHECKSUM_BYTES = 4;
export const DELETE_MARK = 0xffffffff;
/** The key is greater than every key put into the table before. */
export const FLAG_APPEND = 1;
/** The table whose keys arrive in ascending order. */
export const APPEND_TABLE: Table = "key";

const OFFSET_MASK = SEGMENT_BYTES - 1;
/** Segments of a batch: keeps a location within 31 bits. */
const SEGMENTS_MAX = 2 ** 31 / SEGMENT_BYTES;

/** The operations of one batch on one table, but for appended rows. */
export class TableBatch {
  /** Key to the location of its last operation. */
  readonly locations = new Map<string, number>();
  readonly #keys: string[] = [];
  #isSorted = true;

  set(key: string, location: number): void {
    const before = this.locations.size;
    this.locations.set(key, location);
    if (this.locations.size === before) return;
    const keys = this.#keys;
    if (keys.length > 0 && (keys[keys.length - 1] as string) > key) this.#isSorted = false;
    keys.push(key);
  }

  sortedKeys(): readonly string[] {
    if (!this.#isSorted) {
      this.#keys.sort(compareKeys);
      this.#isSorted = true;
    }
    return this.#keys;
  }
}

export class Batch {
  readonly segments: Segment[] = [];
  readonly tables = new Map<Table, TableBatch>();
  /**
   * Locations of the rows appended to APPEND_TABLE. Their keys ascend, so a search finds them and
   * they need neither a string nor a place in a map: most of what is written is of this kind.
   */
  readonly appended: number[] = [];
  operations = 0;
  bytes = 0;
  applied: AppliedPoint = { index: 0, term: 0 };
  readonly #pool: SegmentPool;
  #segment: Segment | undefined;

  constructor(pool: SegmentPool) {
    this.#pool = pool;
  }

  /** `value` undefined = delete. Keys of appended rows must be greater than all before. */
  add(table: Table, key: Buffer, value: Buffer | undefined, isAppended: boolean): void {
    const valueBytes = value === undefined ? 0 : value.length;
    const size = OPERATION_HEADER_BYTES + key.length + valueBytes + CHECKSUM_BYTES;
    let segment = this.#segment;
    if (segment === undefined || segment.used + size > segment.bytes.length) {
      segment = this.#grow(size);
    }
    const bytes = segment.bytes;
    const start = segment.used;
    bytes.writeUInt32LE(value === undefined ? DELETE_MARK : valueBytes, start);
    bytes.writeUInt16LE(key.length, start + 4);
    bytes[start + 6] = TABLE_NAMES.indexOf(table);
    bytes[start + 7] = isAppended ? FLAG_APPEND : 0;
    bytes.set(key, start + OPERATION_HEADER_BYTES);
    if (value !== undefined) bytes.set(value, start + OPERATION_HEADER_BYTES + key.length);
    segment.used = start + size;
    this.operations += 1;
    this.bytes += size;
    const location = (this.segments.length - 1) * SEGMENT_BYTES + start;
    if (isAppended) this.appended.push(location);
    else this.#tableOf(table).set(key.latin1Slice(), location);
  }

  /** The value at a location, copied; undefined = a delete. */
  read(location: number): Buffer | undefined {
    const bytes = this.#bytesAt(location);
    const start = location & OFFSET_MASK;
    const valueBytes = bytes.readUInt32LE(start);
    if (valueBytes === DELETE_MARK) return undefined;
    const at = start + OPERATION_HEADER_BYTES + bytes.readUInt16LE(start + 4);
    const value = Buffer.allocUnsafe(valueBytes);
    bytes.copy(value, 0, at, at + valueBytes);
    return value;
  }

  keyAt(location: number): string {
    const bytes = this.#bytesAt(location);
    const start = location & OFFSET_MASK;
    const at = start + OPERATION_HEADER_BYTES;
    return bytes.latin1Slice(at, at + bytes.readUInt16LE(start + 4));
  }

  /** The location of an appended row; undefined when there is none. */
  findAppended(key: Buffer): number | undefined {
    const { appended } = this;
    const count = appended.length;
    // What is asked for is nearly always older than the whole batch.
    if (count === 0 || this.#compare(appended[0] as number, key) > 0) return undefined;
    const location = appended[this.appendedFrom(key)];
    if (location === undefined || this.#compare(location, key) !== 0) return undefined;
    return location;
  }

  /** The position in `appended` of the first key >= `key`. */
  appendedFrom(key: Buffer): number {
    let low = 0;
    let high = this.appended.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(this.appended[middle] as number, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Gives the segments back; the batch must not be read afterwards. */
  recycle(): void {
    for (const segment of this.segments) this.#pool.give(segment);
    this.segments.length = 0;
    this.appended.length = 0;
    this.tables.clear();
  }

  #tableOf(table: Table): TableBatch {
    let tableBatch = this.tables.get(table);
    if (tableBatch === undefined) {
      tableBatch = new TableBatch();
      this.tables.set(table, tableBatch);
    }
    return tableBatch;
  }

  #bytesAt(location: number): Buffer {
    return (this.segments[Math.floor(location / SEGMENT_BYTES)] as Segment).bytes;
  }

  /** The key at a location against `key`: negative, zero or positive. */
  #compare(location: number, key: Buffer): number {
    const bytes = this.#bytesAt(location);
    const start = location & OFFSET_MASK;
    const at = start + OPERATION_HEADER_BYTES;
    return compareBytes(bytes, at, bytes.readUInt16LE(start + 4), key);
  }

  #grow(size: number): Segment {
    assert(this.segments.length < SEGMENTS_MAX, "a batch has room for another segment");
    const segment = this.#pool.take(size);
    this.segments.push(segment);
    this.#segment = segment;
    return segment;
  }
}

/** The growing batch and the sealed ones, oldest first. */
export class Overlay {
  readonly #pool = new SegmentPool();
  readonly sealed: Batch[] = [];
  current: Batch = new Batch(this.#pool);
  readonly #lastKey = Buffer.alloc(KEY_BYTES_MAX);
  #lastKeyBytes = 0;

  get bytes(): number {
    let sum = this.current.bytes;
    for (const batch of this.sealed) sum += batch.bytes;
    return sum;
  }

  put(table: Table, key: Buffer, value: Buffer): void {
    const isAppended = table === APPEND_TABLE && this.#isAppended(key);
    this.current.add(table, key, value, isAppended);
  }

  delete(table: Table, key: Buffer): void {
    this.current.add(table, key, undefined, false);
  }

  /** The highest key of APPEND_TABLE in the store. */
  setLastKey(key: Buffer): void {
    this.#lastKeyBytes = key.copy(this.#lastKey);
  }

  /** The value, null for a delete, undefined when no batch knows the key. */
  get(table: Table, key: Buffer): Buffer | null | undefined {
    let text: string | undefined;
    for (let at = this.sealed.length; at >= 0; at -= 1) {
      const batch = at === this.sealed.length ? this.current : (this.sealed[at] as Batch);
      const tableBatch = batch.tables.get(table);
      let location: number | undefined;
      if (tableBatch !== undefined) {
        text ??= key.latin1Slice();
        location = tableBatch.locations.get(text);
      }
      if (location === undefined && table === APPEND_TABLE) location = batch.findAppended(key);
      if (location !== undefined) return batch.read(location) ?? null;
    }
    return undefined;
  }

  /** Whether a key is beyond all before; then it is the last one from now on. */
  #isAppended(key: Buffer): boolean {
    if (compareBytes(this.#lastKey, 0, this.#lastKeyBytes, key) >= 0) return false;
    // A delete of the very key, before it was ever put, would hide the row.
    const others = this.current.tables.get(APPEND_TABLE);
    if (others?.locations.has(key.latin1Slice()) === true) return false;
    this.setLastKey(key);
    return true;
  }

  seal(applied: AppliedPoint): Batch {
    const batch = this.current;
    batch.applied = applied;
    this.sealed.push(batch);
    this.current = new Batch(this.#pool);
    return batch;
  }

  /** What the writing thread needs of a sealed batch, with the memory that moves to it. */
  message(batch: Batch): { segments: SentSegment[]; forget: number[]; transfer: ArrayBuffer[] } {
    const transfer: ArrayBuffer[] = [];
    const segments = batch.segments.map((segment) => this.#pool.send(segment, transfer));
    return { segments, forget: this.#pool.takeForgotten(), transfer };
  }

  /** The oldest sealed batch is durable and can be read elsewhere. */
  dropOldest(): void {
    const batch = this.sealed.shift();
    assert(batch !== undefined, "a sealed batch is there to drop");
    batch.recycle();
  }

  /** Cursors over the operations on `table` with lo <= key, those that win first. */
  cursors(table: Table, lo: Buffer): OverlayCursor[] {
    const cursors: OverlayCursor[] = [];
    const text = lo.latin1Slice();
    for (let at = this.sealed.length; at >= 0; at -= 1) {
      const batch = at === this.sealed.length ? this.current : (this.sealed[at] as Batch);
      const tableBatch = batch.tables.get(table);
      if (tableBatch !== undefined) cursors.push(new TableCursor(batch, tableBatch, text));
      if (table === APPEND_TABLE) cursors.push(new AppendedCursor(batch, lo));
    }
    return cursors.filter((cursor) => cursor.key !== undefined);
  }
}

/** A place among the operations of a batch. */
export interface OverlayCursor {
  /** Undefined at the end. */
  readonly key: string | undefined;
  /** Undefined for a delete. */
  value(): Buffer | undefined;
  advance(): void;
}

class TableCursor implements OverlayCursor {
  readonly #batch: Batch;
  readonly #table: TableBatch;
  readonly #keys: readonly string[];
  #at: number;

  constructor(batch: Batch, table: TableBatch, lo: string) {
    this.#batch = batch;
    this.#table = table;
    this.#keys = table.sortedKeys();
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] as string) < lo) low = middle + 1;
      else high = middle;
    }
    this.#at = low;
  }

  get key(): string | undefined {
    return this.#keys[this.#at];
  }

  value(): Buffer | undefined {
    const location = this.#table.locations.get(this.#keys[this.#at] as string);
    return this.#batch.read(location as number);
  }

  advance(): void {
    this.#at += 1;
  }
}

class AppendedCursor implements OverlayCursor {
  readonly #batch: Batch;
  #at: number;
  key: string | undefined;

  constructor(batch: Batch, lo: Buffer) {
    this.#batch = batch;
    this.#at = batch.appendedFrom(lo);
    this.key = this.#keyHere();
  }

  value(): Buffer | undefined {
    return this.#batch.read(this.#batch.appended[this.#at] as number);
  }

  advance(): void {
    this.#at += 1;
    this.key = this.#keyHere();
  }

  #keyHere(): string | undefined {
    const location = this.#batch.appended[this.#at];
    return location === undefined ? undefined : this.#batch.keyAt(location);
  }
}

/** `bytes[at, at + count)` against `key`, as unsigned bytes. */
function compareBytes(bytes: Buffer, at: number, count: number, key: Buffer): number {
  const shared = count < key.length ? count : key.length;
  for (let position = 0; position < shared; position += 1) {
    const difference = (bytes[at + position] as number) - (key[position] as number);
    if (difference !== 0) return difference;
  }
  return count - key.length;
}

export function compareKeys(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
