/**
 * An ordered byte store with named tables, one writer, and batches that are whole or absent.
 *
 * Invariant: what `put` and `delete` did is visible to `get` and `scan` at once (the overlay), and
 *   durable only when the batch that holds it is; batches become durable in order.
 * Owns: keys and values given in are copied; buffers given out belong to the caller.
 * Errors: a failed commit or sync is fatal to the backend; it is never tried again. From then on
 *   `failure` is set, `commit` rejects with it and the store must be opened anew.
 */
import type { StoreImage } from "./image.ts";

export const TABLES = [
  "alarm",
  "auth",
  "authRoles",
  "authUsers",
  "cluster",
  "key",
  "lease",
  "members",
  "members_removed",
  "meta",
] as const;
/** etcd's buckets (surface 19), under etcd's names. */
export type EtcdTable = (typeof TABLES)[number];
/** `local` holds what concerns this member's files alone: never hashed, never in a snapshot. */
export type Table = EtcdTable | "local";

/** Keys of table `meta` that the backend itself writes (8 bytes big-endian each). */
export const META_CONSISTENT_INDEX = "consistent_index";
export const META_TERM = "term";
/** Key of table `meta`: what the state comes to at the applied index (StateDigest of wire/). */
export const META_DIGEST = "holdfast_digest";

/** What the file of a new store is called. */
export const STORE_FILE_NAME = "data-000001.mdb";

/** Longest key. Names that clients choose are checked against it before they come here. */
export const KEY_BYTES_MAX = 1978;

export interface AppliedPoint {
  readonly index: number;
  readonly term: number;
}

export interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** What was durable when the view was opened, whatever is written since. Must be closed. */
export interface ReadView {
  readonly applied: AppliedPoint;
  get(table: Table, key: Buffer): Buffer | undefined;
  /** As Backend.scan. */
  scan(table: Table, lo: Buffer, hi: Buffer | undefined, limit: number, bytesMax?: number): Row[];
  close(): void;
}

/**
 * The store's own file as it was when this was opened, whatever is written since. Two readings make
 * the same store; in places that the store does not use their bytes may differ. Must be closed.
 */
export interface StoreFile {
  readonly applied: AppliedPoint;
  readonly sizeBytes: number;
  /** What stands in it. Throws CorruptRecord. */
  get(table: Table, key: Buffer): Buffer | undefined;
  /** Fills `into` from `offset`; settles with the bytes read, fewer only at the end. */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** What is still being read is let finish. May be called again. */
  close(): void;
}

export interface Backend {
  /** Undefined when absent. Throws CorruptRecord on a bad checksum. */
  get(table: Table, key: Buffer): Buffer | undefined;
  /** Bytes of the value, which is neither copied nor checked; undefined when absent. */
  sizeOf(table: Table, key: Buffer): number | undefined;
  /**
   * Rows with lo <= key < hi (undefined = to the end), in key order, at most `limit`, and no more
   * than pass `bytesMax` of values (one row always fits). Taken at once from one consistent view,
   * so callers bound `limit` and come back for more. `lo` may be empty.
   */
  scan(table: Table, lo: Buffer, hi: Buffer | undefined, limit: number, bytesMax?: number): Row[];
  /** Keys have 1 to KEY_BYTES_MAX bytes. */
  put(table: Table, key: Buffer, value: Buffer): void;
  delete(table: Table, key: Buffer): void;
  /** The point that the effects put so far belong to; goes into the same batch. */
  setApplied(point: AppliedPoint): void;
  /** As put last (overlay included). */
  readonly applied: AppliedPoint;
  /** The point up to which effects are on the medium: the log before it may be released. */
  readonly durable: AppliedPoint;
  /** Operations waiting in the overlay and not yet given to a batch. */
  readonly pendingOperations: number;
  /** Their bytes, keys and values. */
  readonly pendingBytes: number;
  /** Bytes that the overlay holds: waiting, and sealed but not yet durable. */
  readonly overlayBytes: number;
  /** Set once the medium failed; nothing more becomes durable. */
  readonly failure: Error | undefined;
  /**
   * Seals what is waiting into one batch and writes it off the loop; settles when it is durable,
   * and with it every batch before.
   */
  commit(): Promise<void>;
  /** A consistent view of what is durable now; `commit()` first to see everything applied. */
  openReadView(): ReadView;
  /**
   * A consistent image of what is durable, as a bbolt file; `commit()` first to see everything
   * applied. Must be closed. Missing where the store has no thread for it: `imageOfView` then makes
   * one from a read view.
   */
  openImage?(): Promise<StoreImage>;
  /**
   * The store's file, of what is durable; `commit()` first to see everything applied. Such a file,
   * alone under the name STORE_FILE_NAME in a directory, is opened as a store, table `local` of its
   * origin included. Missing where the store is no file.
   */
  openFile?(): Promise<StoreFile>;
  /** Rows of a table on the medium, as the medium itself counts them: the overlay is left out. */
  storedRows(table: Table): number;
  /** Size of the store on disk, free pages included, and without them. */
  sizeBytes(): { total: number; inUse: number };
  /** Gives free pages back to the file system; reads and writes go on meanwhile. */
  defragment(): Promise<void>;
  /** Commits what is waiting, then closes. */
  close(): Promise<void>;
}

/**
 * When a batch is due. etcd's rhythm is 100 ms or 10 000 operations; the log has made the writes
 * durable, so the only price of a longer one is a replay of that much more at a start, which the
 * operations limit, while each commit's own syncs stand in the way of the log's (decision 0008).
 */
export interface CommitRhythm {
  readonly intervalMs: number;
  readonly operations: number;
}
export const COMMIT_RHYTHM: CommitRhythm = { intervalMs: 5_000, operations: 10_000 };
/** Large values fill memory before they fill the count. */
export const COMMIT_BYTES = 8 * 1024 * 1024;

/** Whether the driver should call `commit` now, `sinceLastMs` after it did so last. */
export function shouldCommit(
  backend: Backend,
  sinceLastMs: number,
  rhythm: CommitRhythm = COMMIT_RHYTHM,
): boolean {
  if (backend.pendingOperations >= rhythm.operations) return true;
  if (backend.pendingBytes >= COMMIT_BYTES) return true;
  if (sinceLastMs < rhythm.intervalMs) return false;
  return backend.pendingOperations > 0 || backend.applied.index !== backend.durable.index;
}
