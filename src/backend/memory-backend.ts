/**
 * The backend in memory, with the medium's crash semantics: for the simulator and for tests.
 *
 * A `MemoryMedium` is the disk: it outlives a backend, as a file outlives a process. What was put
 * reaches it batch by batch, when the batch becomes durable.
 */
import { assert } from "../base/index.ts";
import { BackendFailed, CorruptRecord } from "./errors.ts";
import { TABLE_NAMES, compareKeys } from "./overlay.ts";
import {
  KEY_BYTES_MAX,
  META_CONSISTENT_INDEX,
  META_TERM,
  type AppliedPoint,
  type Backend,
  type ReadView,
  type Row,
  type Table,
} from "./types.ts";

interface Operation {
  readonly table: Table;
  readonly key: string;
  readonly value: Buffer | undefined;
}

interface SealedBatch {
  readonly operations: readonly Operation[];
  readonly applied: AppliedPoint;
  readonly bytes: number;
  resolve(): void;
  reject(error: Error): void;
}

/** Sorted keys beside their values. */
class MemoryTable {
  readonly keys: string[];
  readonly values: Map<string, Buffer>;
  /** Of all keys and values. */
  bytes: number;

  constructor(keys: string[] = [], values: Map<string, Buffer> = new Map(), bytes = 0) {
    this.keys = keys;
    this.values = values;
    this.bytes = bytes;
  }

  clone(): MemoryTable {
    return new MemoryTable([...this.keys], new Map(this.values), this.bytes);
  }

  set(key: string, value: Buffer | undefined): void {
    const known = this.values.get(key);
    const isKnown = known !== undefined;
    if (known !== undefined) this.bytes -= key.length + known.length;
    if (value !== undefined) this.bytes += key.length + value.length;
    if (value === undefined) {
      if (!isKnown) return;
      this.values.delete(key);
      this.keys.splice(this.lowerBound(key), 1);
      return;
    }
    this.values.set(key, value);
    if (isKnown) return;
    const last = this.keys.at(-1);
    if (last === undefined || last < key) this.keys.push(key);
    else this.keys.splice(this.lowerBound(key), 0, key);
  }

  lowerBound(key: string): number {
    let low = 0;
    let high = this.keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.keys[middle] as string, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

type Tables = Map<Table, MemoryTable>;

/** What survives a crash. */
export class MemoryMedium {
  tables: Tables = new Map(TABLE_NAMES.map((name) => [name, new MemoryTable()]));
  applied: AppliedPoint = { index: 0, term: 0 };
  /** Records that a test has damaged, as table and key. */
  readonly damaged = new Set<string>();

  /** A bit flip in the stored value: reads of it throw CorruptRecord until it is written again. */
  damage(table: Table, key: Buffer): void {
    this.damaged.add(damageName(table, key.latin1Slice()));
  }

  /** All of it as it is now, in a medium of its own. */
  image(): MemoryMedium {
    const copy = new MemoryMedium();
    copy.tables = new Map([...this.tables].map(([name, table]) => [name, table.clone()]));
    copy.applied = this.applied;
    for (const name of this.damaged) copy.damaged.add(name);
    return copy;
  }

  /** Damages the last records of a table, as many as there are up to `count`; how many. */
  damageNewest(table: Table, count: number): number {
    const newest = tableOf(this.tables, table).keys.slice(-count);
    for (const key of newest) this.damage(table, Buffer.from(key, "latin1"));
    return newest.length;
  }

  write(operations: readonly Operation[], applied: AppliedPoint): void {
    for (const { table, key, value } of operations) {
      tableOf(this.tables, table).set(key, value);
      this.damaged.delete(damageName(table, key));
    }
    this.applied = applied;
  }
}

export interface MemoryBackendOptions {
  /** Shared by a backend and the one opened after its crash; a new one when missing. */
  readonly medium?: MemoryMedium;
  /** "auto": a commit is durable in the next microtask. "manual": by `settleOldest`. */
  readonly settle?: "auto" | "manual";
}

export class MemoryBackend implements Backend {
  applied: AppliedPoint;
  failure: BackendFailed | undefined;
  readonly medium: MemoryMedium;
  readonly #settle: "auto" | "manual";
  readonly #visible: Tables;
  #operations: Operation[] = [];
  #operationBytes = 0;
  #sealed: SealedBatch[] = [];
  #isClosed = false;

  constructor(options: MemoryBackendOptions = {}) {
    this.medium = options.medium ?? new MemoryMedium();
    this.#settle = options.settle ?? "auto";
    this.#visible = cloneTables(this.medium.tables);
    this.applied = this.medium.applied;
  }

  get durable(): AppliedPoint {
    return this.medium.applied;
  }

  get pendingOperations(): number {
    return this.#operations.length;
  }

  get pendingBytes(): number {
    return this.#operationBytes;
  }

  get overlayBytes(): number {
    return this.#sealed.reduce((sum, batch) => sum + batch.bytes, this.#operationBytes);
  }

  /** Sealed batches that are not durable yet. */
  get sealedBatches(): number {
    return this.#sealed.length;
  }

  sizeOf(table: Table, key: Buffer): number | undefined {
    this.#assertOpen();
    return tableOf(this.#visible, table).values.get(key.latin1Slice())?.length;
  }

  get(table: Table, key: Buffer): Buffer | undefined {
    this.#assertOpen();
    return readTable(this.#visible, this.medium, table, key.latin1Slice());
  }

  scan(
    table: Table,
    lo: Buffer,
    hi: Buffer | undefined,
    limit: number,
    bytesMax = Number.POSITIVE_INFINITY,
  ): Row[] {
    this.#assertOpen();
    return scanTable(this.#visible, this.medium, { table, lo, hi, limit, bytesMax });
  }

  put(table: Table, key: Buffer, value: Buffer): void {
    assert(key.length > 0 && key.length <= KEY_BYTES_MAX, "a key has 1 to KEY_BYTES_MAX bytes");
    this.#add(table, key.latin1Slice(), Buffer.from(value));
  }

  delete(table: Table, key: Buffer): void {
    this.#add(table, key.latin1Slice(), undefined);
  }

  setApplied(point: AppliedPoint): void {
    this.applied = point;
  }

  commit(): Promise<void> {
    this.#assertOpen();
    if (this.failure !== undefined) return Promise.reject(this.failure);
    this.#putMeta(META_CONSISTENT_INDEX, this.applied.index);
    this.#putMeta(META_TERM, this.applied.term);
    const operations = this.#operations;
    const bytes = this.#operationBytes;
    this.#operations = [];
    this.#operationBytes = 0;
    return new Promise((resolve, reject) => {
      this.#sealed.push({ operations, applied: this.applied, bytes, resolve, reject });
      if (this.#settle === "auto") queueMicrotask(() => this.settleOldest());
    });
  }

  /** Makes the oldest sealed batch durable; false when there is none. */
  settleOldest(): boolean {
    const batch = this.#sealed.shift();
    if (batch === undefined || this.failure !== undefined) return false;
    this.medium.write(batch.operations, batch.applied);
    batch.resolve();
    return true;
  }

  /** The medium refuses the oldest batch and all that follow. */
  fail(code: string): void {
    this.failure = new BackendFailed(`the store could not be written: ${code}`, code);
    for (const batch of this.#sealed.splice(0)) batch.reject(this.failure);
  }

  /** The process dies: everything not durable is gone, and this object with it. */
  crash(): MemoryBackend {
    this.#isClosed = true;
    this.#sealed = [];
    return new MemoryBackend({ medium: this.medium, settle: this.#settle });
  }

  openReadView(): ReadView {
    this.#assertOpen();
    const tables = cloneTables(this.medium.tables);
    const medium = this.medium;
    return {
      applied: medium.applied,
      get: (table, key) => readTable(tables, medium, table, key.latin1Slice()),
      scan: (table, lo, hi, limit, bytesMax = Number.POSITIVE_INFINITY) =>
        scanTable(tables, medium, { table, lo, hi, limit, bytesMax }),
      close: () => {},
    };
  }

  storedRows(table: Table): number {
    return tableOf(this.medium.tables, table).keys.length;
  }

  sizeBytes(): { total: number; inUse: number } {
    let bytes = 0;
    for (const table of this.medium.tables.values()) bytes += table.bytes;
    return { total: bytes, inUse: bytes };
  }

  async defragment(): Promise<void> {}

  async close(): Promise<void> {
    if (this.#isClosed) return;
    if (this.failure === undefined) {
      const last = this.commit();
      while (this.settleOldest());
      await last;
    }
    this.#isClosed = true;
  }

  #add(table: Table, key: string, value: Buffer | undefined): void {
    this.#assertOpen();
    tableOf(this.#visible, table).set(key, value);
    this.#operations.push({ table, key, value });
    this.#operationBytes += key.length + (value?.length ?? 0);
  }

  #putMeta(key: string, value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(value));
    this.#add("meta", key, bytes);
  }

  #assertOpen(): void {
    assert(!this.#isClosed, "a closed backend is not used");
  }
}

function tableOf(tables: Tables, name: Table): MemoryTable {
  return tables.get(name) as MemoryTable;
}

function cloneTables(tables: Tables): Tables {
  return new Map([...tables].map(([name, table]) => [name, table.clone()]));
}

function damageName(table: Table, key: string): string {
  return `${table}/${key}`;
}

function readTable(
  tables: Tables,
  medium: MemoryMedium,
  table: Table,
  key: string,
): Buffer | undefined {
  const value = tableOf(tables, table).values.get(key);
  if (value === undefined) return undefined;
  const isDurable = tableOf(medium.tables, table).values.get(key) === value;
  if (isDurable && medium.damaged.has(damageName(table, key))) {
    throw new CorruptRecord(table, Buffer.from(key, "latin1"), 0, 1);
  }
  return Buffer.from(value);
}

function scanTable(
  tables: Tables,
  medium: MemoryMedium,
  query: {
    readonly table: Table;
    readonly lo: Buffer;
    readonly hi: Buffer | undefined;
    readonly limit: number;
    readonly bytesMax: number;
  },
): Row[] {
  const table = tableOf(tables, query.table);
  const hi = query.hi?.latin1Slice();
  const rows: Row[] = [];
  let bytes = 0;
  for (let at = table.lowerBound(query.lo.latin1Slice()); at < table.keys.length; at += 1) {
    const key = table.keys[at] as string;
    if (rows.length >= query.limit || (hi !== undefined && key >= hi)) break;
    const value = readTable(tables, medium, query.table, key) as Buffer;
    bytes += value.length;
    if (rows.length > 0 && bytes > query.bytesMax) break;
    rows.push({ key: Buffer.from(key, "latin1"), value });
  }
  return rows;
}
