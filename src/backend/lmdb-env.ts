/** What the reading and the writing thread must open alike. */
import { open, type Database, type RootDatabase } from "lmdb";
import { crc32c } from "../base/index.ts";
import { checkHeader } from "./lmdb-header.ts";
import { TABLE_NAMES } from "./overlay.ts";
import type { Table } from "./types.ts";

/** Of the store's files: nobody else's to read. */
export const FILE_MODE = 0o600;

export type BinaryDatabase = Database<Buffer, Buffer>;

/**
 * How lmdb-js turns bytes into keys and values. Its own way for binary data makes two array buffers
 * of their own for each row, which costs more than reading the row; these copy into Node's pool.
 */
export const keyEncoder = {
  writeKey(key: Buffer, target: Buffer, start: number): number {
    target.set(key, start);
    return start + key.length;
  },
  readKey(source: Buffer, start: number, end: number): Buffer {
    const key = Buffer.allocUnsafe(end - start);
    source.copy(key, 0, start, end);
    return key;
  },
};

const valueEncoder = {
  encode: (value: Buffer): Buffer => value,
  /** With its checksum. */
  decode(source: Uint8Array, size = source.length): Buffer {
    return copyOf(source, size);
  },
};

/**
 * What lmdb-js has read, in memory that the next read reuses or that is the map itself. Its buffer
 * shows the length of the value, but is longer: only explicit bounds are right.
 */
export function copyOf(source: Uint8Array, size: number): Buffer {
  const copy = Buffer.allocUnsafe(size);
  if (source instanceof Buffer) source.copy(copy, 0, 0, size);
  else copy.set(source.subarray(0, size));
  return copy;
}

export interface Environment {
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly tables: ReadonlyMap<Table, BinaryDatabase>;
}

/**
 * No read-ahead: point reads would pull 128 KiB into the map for one page, and the map counts as
 * resident memory. No overlapping sync: a commit returns when it is durable.
 */
export function openEnvironment(path: string, isReadOnly = false): Environment {
  checkHeader(path);
  const binary = { keyEncoding: "binary", encoding: "binary" } as const;
  const root = open<Buffer, Buffer>({
    ...binary,
    path,
    noSubdir: true,
    maxDbs: TABLE_NAMES.length + 1,
    maxReaders: 512,
    overlappingSync: false,
    noMemInit: true,
    cache: false,
    readOnly: isReadOnly,
    ...{ noReadAhead: true, permissionsMode: FILE_MODE },
  });
  const tables = new Map<Table, BinaryDatabase>();
  for (const name of TABLE_NAMES) {
    const options = { name, cache: false, keyEncoder, encoder: valueEncoder };
    tables.set(name, root.openDB<Buffer, Buffer>(options));
  }
  return { root, tables };
}

/** The checksum of a record: its key, then its value. */
export function recordChecksum(key: Uint8Array, value: Uint8Array, valueBytes: number): number {
  return crc32c(crc32c(0, key), value, 0, valueBytes);
}

export interface EnvironmentSize {
  total: number;
  inUse: number;
}

interface TreeStats {
  readonly entryCount: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

interface EnvironmentStats extends TreeStats {
  readonly pageSize: number;
  readonly lastPageNumber: number;
  readonly root: TreeStats;
  readonly free: TreeStats;
}

/** Two pages at the front of the file hold LMDB's own state. */
const META_PAGES = 2;

/** Counts pages of all trees; a few lookups, whatever the size of the store. */
export function environmentSize(environment: Environment): EnvironmentSize {
  const whole = environment.root.getStats() as EnvironmentStats;
  let pages = META_PAGES + treePages(whole.root) + treePages(whole.free);
  for (const table of environment.tables.values()) {
    pages += treePages(table.getStats() as TreeStats);
  }
  return { total: (whole.lastPageNumber + 1) * whole.pageSize, inUse: pages * whole.pageSize };
}

/** No transaction has freed a page that is not in use again. */
export function isFreelistEmpty(environment: Environment): boolean {
  return (environment.root.getStats() as EnvironmentStats).free.entryCount === 0;
}

export function lastPage(environment: Environment): number {
  return (environment.root.getStats() as EnvironmentStats).lastPageNumber;
}

function treePages(stats: TreeStats): number {
  return stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages;
}
