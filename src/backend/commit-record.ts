/**
 * What each batch writes last, into table `local`: the rows of every table, and the applied point.
 *
 * Checksums protect rows; they cannot tell that a row is gone. A flipped bit in LMDB's own pages
 * can make rows, a whole table or the applied index invisible, so a store is compared with this
 * record when it is opened.
 *
 * Shape: a double LE for each table of TABLE_NAMES, then index and term.
 */
import { DamagedTable } from "./errors.ts";
import { CHECKSUM_BYTES, TABLE_NAMES } from "./overlay.ts";
import { type BinaryDatabase, type Environment, lastPage, recordChecksum } from "./lmdb-env.ts";
import { readApplied, readRecord, verifyTable } from "./lmdb-rows.ts";
import type { AppliedPoint, Table } from "./types.ts";

const KEY = Buffer.from("lastCommit", "latin1");
const FIELD_BYTES = 8;
const RECORD_BYTES = (TABLE_NAMES.length + 2) * FIELD_BYTES;
/** A file with more pages than this has seen a commit. */
const UNUSED_PAGES_MAX = 64;

/** Within a write transaction, at its end. */
export function writeCommitRecord(environment: Environment): void {
  const record = Buffer.alloc(RECORD_BYTES + CHECKSUM_BYTES);
  TABLE_NAMES.forEach((name, position) => {
    if (name !== "local")
      record.writeDoubleLE(countRows(environment, name), position * FIELD_BYTES);
  });
  const applied = appliedOf(environment);
  record.writeDoubleLE(applied.index, RECORD_BYTES - 2 * FIELD_BYTES);
  record.writeDoubleLE(applied.term, RECORD_BYTES - FIELD_BYTES);
  record.writeUInt32LE(recordChecksum(KEY, record, RECORD_BYTES), RECORD_BYTES);
  databaseOf(environment, "local").putSync(KEY, record);
}

/** False for a store that has seen no commit. */
export function hasCommitRecord(environment: Environment): boolean {
  return readRecord(databaseOf(environment, "local"), "local", KEY) !== undefined;
}

/**
 * Throws DamagedTable or CorruptRecord. Reads all rows of all tables but `key`, which is too large
 * for that: whoever reads it finds out.
 */
export function verifyEnvironment(environment: Environment): void {
  const record = readRecord(databaseOf(environment, "local"), "local", KEY);
  if (record === undefined) {
    const isUsed =
      lastPage(environment) > UNUSED_PAGES_MAX ||
      TABLE_NAMES.some((name) => countRows(environment, name) > 0);
    if (isUsed) throw new DamagedTable("local", "the record of the last commit is gone");
    return;
  }
  for (const [position, name] of TABLE_NAMES.entries()) {
    if (name === "local") continue;
    const counted = countRows(environment, name);
    const found = name === "key" ? counted : verifyTable(databaseOf(environment, name), name);
    const wanted = record.readDoubleLE(position * FIELD_BYTES);
    if (found !== wanted || counted !== wanted) {
      const seen = found === wanted ? counted : found;
      throw new DamagedTable(name, `found ${seen} rows, the last commit counted ${wanted}`);
    }
  }
  const applied = appliedOf(environment);
  const index = record.readDoubleLE(RECORD_BYTES - 2 * FIELD_BYTES);
  const term = record.readDoubleLE(RECORD_BYTES - FIELD_BYTES);
  if (applied.index !== index || applied.term !== term) {
    throw new DamagedTable(
      "meta",
      `found index ${applied.index}, term ${applied.term}; ` +
        `the last commit wrote index ${index}, term ${term}`,
    );
  }
}

export function countRows(environment: Environment, table: Table): number {
  const database = databaseOf(environment, table) as unknown as {
    readonly db: { stat(): { readonly entryCount: number } };
  };
  return database.db.stat().entryCount;
}

function appliedOf(environment: Environment): AppliedPoint {
  return readApplied((table, key) => readRecord(databaseOf(environment, table), table, key));
}

function databaseOf(environment: Environment, table: Table): BinaryDatabase {
  return environment.tables.get(table) as BinaryDatabase;
}
