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
import { TABLES, type AppliedPoint, type Table } from "./types.ts";

export const TABLE_NAMES: readonly Table[] = [...TABLES, "local"];
export const OPERATION_HEADER_BYTES = 8;
export const CHECKSUM_BYTES = 4;
export const DELETE_MARK = 0xffffffff;
/** The key is greater than every key put into the table before. */
export const FLAG_APPEND = 1;

const OFFSET_MASK = SEGMENT_BYTES - 1;
/** Segments of a batch: keeps a location within 31 bits. */
const SEGMENTS_MAX = 2 ** 31 / SEGMENT_BYTES;

/** The operations of one batch on one table. */
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
  operations = 0;
  bytes = 0;
  applied: AppliedPoint = { index: 0, term: 0 };
  readonly #pool: SegmentPool;
  #segment: Segment | undefined;

  constructor(pool: SegmentPool) {
    this.#pool = pool;
  }

  /** `value` undefined = delete. `flags` go to the writer. */
  add(table: Table, key: Buffer, value: Buffer | undefined, flags: number, text: string): void {
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
    bytes[start + 7] = flags;
    bytes.set(key, start + OPERATION_HEADER_BYTES);
    if (value !== undefined) bytes.set(value, start + OPERATION_HEADER_BYTES + key.length);
    segment.used = start + size;
    let tableBatch = this.tables.get(table);
    if (tableBatch === undefined) {
      tableBatch = new TableBatch();
      this.tables.set(table, tableBatch);
    }
    tableBatch.set(text, (this.segments.length - 1) * SEGMENT_BYTES + start);
    this.operations += 1;
    this.bytes += size;
  }

  /** The value at a location, copied; undefined = a delete. */
  read(location: number): Buffer | undefined {
    const bytes = (this.segments[Math.floor(location / SEGMENT_BYTES)] as Segment).bytes;
    const start = location & OFFSET_MASK;
    const valueBytes = bytes.readUInt32LE(start);
    if (valueBytes === DELETE_MARK) return undefined;
    const at = start + OPERATION_HEADER_BYTES + bytes.readUInt16LE(start + 4);
    const value = Buffer.allocUnsafe(valueBytes);
    bytes.copy(value, 0, at, at + valueBytes);
    return value;
  }

  /** Gives the segments back; the batch must not be read afterwards. */
  recycle(): void {
    for (const segment of this.segments) this.#pool.give(segment);
    this.segments.length = 0;
    this.tables.clear();
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

  get bytes(): number {
    let sum = this.current.bytes;
    for (const batch of this.sealed) sum += batch.bytes;
    return sum;
  }

  /** The value, null for a delete, undefined when no batch knows the key. */
  get(table: Table, text: string): Buffer | null | undefined {
    const location = this.current.tables.get(table)?.locations.get(text);
    if (location !== undefined) return this.current.read(location) ?? null;
    for (let at = this.sealed.length - 1; at >= 0; at -= 1) {
      const batch = this.sealed[at] as Batch;
      const older = batch.tables.get(table)?.locations.get(text);
      if (older !== undefined) return batch.read(older) ?? null;
    }
    return undefined;
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

  /** Cursors over the operations on `table` with lo <= key, newest batch first. */
  cursors(table: Table, lo: string): OverlayCursor[] {
    const cursors: OverlayCursor[] = [];
    for (let at = this.sealed.length; at >= 0; at -= 1) {
      const batch = at === this.sealed.length ? this.current : (this.sealed[at] as Batch);
      const tableBatch = batch.tables.get(table);
      if (tableBatch === undefined) continue;
      const cursor = new OverlayCursor(batch, tableBatch, lo);
      if (cursor.key !== undefined) cursors.push(cursor);
    }
    return cursors;
  }
}

export class OverlayCursor {
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

export function compareKeys(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
