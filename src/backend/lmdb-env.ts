/** What the reading and the writing thread must open alike. */
import { open, type Database, type RootDatabase } from "lmdb";
import { crc32c } from "../base/index.ts";
import { TABLE_NAMES } from "./overlay.ts";
import type { Table } from "./types.ts";

export type BinaryDatabase = Database<Buffer, Buffer>;

export interface Environment {
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly tables: ReadonlyMap<Table, BinaryDatabase>;
}

/**
 * No read-ahead: point reads would pull 128 KiB into the map for one page, and the map counts as
 * resident memory. No overlapping sync: a commit returns when it is durable.
 */
export function openEnvironment(path: string): Environment {
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
    ...{ noReadAhead: true, permissionsMode: 0o600 },
  });
  const tables = new Map<Table, BinaryDatabase>();
  for (const name of TABLE_NAMES) {
    tables.set(name, root.openDB<Buffer, Buffer>({ ...binary, name, cache: false }));
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

function treePages(stats: TreeStats): number {
  return stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages;
}
