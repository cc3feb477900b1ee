/**
 * A store as it lies there, for whoever must not change it. No thread writes, nothing is tidied up,
 * and what would change something is a bug that is told by an assertion. Nobody else may write to
 * it meanwhile.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../base/index.ts";
import { verifyEnvironment } from "./commit-record.ts";
import { BackendFailed, CorruptRecord, DamagedTable } from "./errors.ts";
import {
  type BinaryDatabase,
  type Environment,
  environmentSize,
  openEnvironment,
} from "./lmdb-env.ts";
import { readApplied, readRecord, recordSize, rowsOf } from "./lmdb-rows.ts";
import { mergeRows } from "./merge.ts";
import { checkFile } from "./page-check.ts";
import type { AppliedPoint, Backend, ReadView, Row, Table } from "./types.ts";

const FILE_NAME = /^data-(\d{6})\.mdb$/;

/**
 * The number of the store's file among the names in its directory: a defragmentation makes one with
 * a higher number, whole from the start. Undefined when there is none.
 */
export function newestSequence(names: readonly string[]): number | undefined {
  let newest: number | undefined;
  for (const name of names) {
    const match = FILE_NAME.exec(name);
    if (match !== null) newest = Math.max(newest ?? 0, Number(match[1]));
  }
  return newest;
}

/** The path of a store's file in its directory. */
export function storeFileOf(directory: string, sequence: number): string {
  return join(directory, `data-${String(sequence).padStart(6, "0")}.mdb`);
}

/**
 * The store in `directory`, which must have one. Rejects with BackendFailed for one that cannot be
 * opened, with CorruptRecord or DamagedTable for one that is not as it was written.
 */
export async function openStoreReadOnly(directory: string): Promise<Backend> {
  const sequence = newestSequence(readdirSync(directory));
  if (sequence === undefined) throw new BackendFailed(`no store in ${directory}`, "ENOENT");
  const path = storeFileOf(directory, sequence);
  let environment: Environment;
  try {
    checkFile(path, "whole");
    environment = openEnvironment(path, true);
  } catch (error) {
    const { message } = error as Error;
    throw new BackendFailed(`cannot open ${path}: ${message}`, "DAMAGED", error);
  }
  try {
    verifyEnvironment(environment);
    return new ReadOnlyBackend(path, environment);
  } catch (error) {
    await environment.root.close();
    throw error;
  }
}

class ReadOnlyBackend implements Backend {
  readonly applied: AppliedPoint;
  readonly durable: AppliedPoint;
  readonly pendingOperations = 0;
  readonly pendingBytes = 0;
  readonly overlayBytes = 0;
  readonly failure = undefined;
  readonly #path: string;
  readonly #environment: Environment;

  constructor(path: string, environment: Environment) {
    this.#path = path;
    this.#environment = environment;
    this.applied = readApplied((table, key) => this.get(table, key));
    this.durable = this.applied;
  }

  get(table: Table, key: Buffer): Buffer | undefined {
    return this.#read(table, (database) => readRecord(database, table, key));
  }

  sizeOf(table: Table, key: Buffer): number | undefined {
    return this.#read(table, (database) => recordSize(database, key));
  }

  scan(
    table: Table,
    lo: Buffer,
    hi: Buffer | undefined,
    limit: number,
    bytesMax = Number.POSITIVE_INFINITY,
  ): Row[] {
    return this.#read(table, (database) => {
      const { next, close } = rowsOf(database, table, lo, hi);
      try {
        return mergeRows(next, [], hi?.latin1Slice(), { limit, bytesMax });
      } finally {
        close();
      }
    });
  }

  storedRows(table: Table): number {
    return this.#read(
      table,
      (database) => (database.getStats() as { entryCount: number }).entryCount,
    );
  }

  sizeBytes(): { total: number; inUse: number } {
    return environmentSize(this.#environment);
  }

  put(): void {
    refuse();
  }

  delete(): void {
    refuse();
  }

  setApplied(): void {
    refuse();
  }

  commit(): Promise<void> {
    return Promise.resolve();
  }

  openReadView(): ReadView {
    return {
      applied: this.applied,
      get: (table, key) => this.get(table, key),
      scan: (...scan) => this.scan(...scan),
      close: () => {},
    };
  }

  defragment(): Promise<void> {
    return refuse();
  }

  async close(): Promise<void> {
    await this.#environment.root.close();
  }

  #read<T>(table: Table, read: (database: BinaryDatabase) => T): T {
    try {
      return read(this.#environment.tables.get(table) as BinaryDatabase);
    } catch (error) {
      if (error instanceof CorruptRecord) {
        throw new CorruptRecord(table, error.key, error.found, error.wanted, this.#path);
      }
      if (error instanceof DamagedTable) throw error;
      throw new DamagedTable(table, error instanceof Error ? error.message : String(error), error);
    }
  }
}

function refuse(): never {
  assert(false, "a store that was opened for reading is not written");
}
