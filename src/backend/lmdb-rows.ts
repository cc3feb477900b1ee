/** Reading rows of an LMDB table, each checked. */
import { CorruptRecord, DamagedTable } from "./errors.ts";
import { type BinaryDatabase, copyOf, recordChecksum } from "./lmdb-env.ts";
import type { RowSource } from "./merge.ts";
import { CHECKSUM_BYTES } from "./overlay.ts";
import { type AppliedPoint, META_CONSISTENT_INDEX, META_TERM, type Table } from "./types.ts";

const LOWEST_KEY = Buffer.of(0);
export const META_INDEX_KEY = Buffer.from(META_CONSISTENT_INDEX, "latin1");
export const META_TERM_KEY = Buffer.from(META_TERM, "latin1");

/** The second argument is missing in lmdb's types. */
interface FastDatabase {
  getBinaryFast(key: Buffer, options?: object): Buffer | undefined;
}

/** `options` may name a read transaction. Throws CorruptRecord. */
export function readRecord(
  database: BinaryDatabase,
  table: Table,
  key: Buffer,
  options?: object,
): Buffer | undefined {
  const found = (database as FastDatabase).getBinaryFast(key, options);
  if (found === undefined) return undefined;
  return checked(table, key, copyOf(found, found.length));
}

/** Bytes of the value, unread. */
export function recordSize(database: BinaryDatabase, key: Buffer): number | undefined {
  const found = (database as FastDatabase).getBinaryFast(key);
  return found === undefined ? undefined : Math.max(0, found.length - CHECKSUM_BYTES);
}

/** Rows with lo <= key < hi. Throws CorruptRecord, DamagedTable. `close` must be called. */
export function rowsOf(
  database: BinaryDatabase,
  table: Table,
  lo: Buffer,
  hi: Buffer | undefined,
  options?: object,
): { next: RowSource; close: () => void } {
  // Without a start, lmdb-js would leave out the lowest keys.
  const range = { ...options, start: lo.length > 0 ? lo : LOWEST_KEY };
  if (hi !== undefined) Object.assign(range, { end: hi });
  const iterator = database.getRange(range)[Symbol.iterator]();
  let previous = "";
  return {
    next: () => {
      const step = iterator.next();
      if (step.done === true) return undefined;
      const { key, value } = step.value;
      // A flipped bit in a page can show one row twice and hide another: each with a good checksum.
      const text = key.latin1Slice();
      if (text <= previous) {
        throw new DamagedTable(table, `key ${key.toString("hex")} does not ascend`);
      }
      previous = text;
      return { key, text, value: checked(table, key, value) };
    },
    close: () => iterator.return?.(),
  };
}

/** Reads a whole table; throws at the first row that is not right. Returns the rows found. */
export function verifyTable(database: BinaryDatabase, table: Table): number {
  const { next, close } = rowsOf(database, table, LOWEST_KEY, undefined);
  let count = 0;
  try {
    while (next() !== undefined) count += 1;
  } finally {
    close();
  }
  return count;
}

/** Empty when the table is. */
export function lastKey(database: BinaryDatabase): Buffer {
  for (const key of database.getKeys({ reverse: true, limit: 1 })) return key;
  return Buffer.alloc(0);
}

export function readApplied(get: (table: Table, key: Buffer) => Buffer | undefined): AppliedPoint {
  const index = get("meta", META_INDEX_KEY);
  const term = get("meta", META_TERM_KEY);
  return {
    index: index === undefined ? 0 : Number(index.readBigUInt64BE()),
    term: term === undefined ? 0 : Number(term.readBigUInt64BE()),
  };
}

/** The value in front of its checksum; a view. */
function checked(table: Table, key: Buffer, stored: Buffer): Buffer {
  const valueBytes = stored.length - CHECKSUM_BYTES;
  if (valueBytes < 0) throw new CorruptRecord(table, key, 0, 0);
  const wanted = stored.readUInt32LE(valueBytes);
  const found = recordChecksum(key, stored, valueBytes);
  if (found !== wanted) throw new CorruptRecord(table, key, found, wanted);
  return stored.subarray(0, valueBytes);
}
