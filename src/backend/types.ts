/**
 * An ordered byte store with named tables, one writer, and batches that are whole or absent.
 *
 * Invariant: what `put` and `delete` did is visible to `get` and `scan` at once (the overlay), and
 *   durable only when the batch that holds it is; batches become durable in order.
 * Errors: a failed commit or sync is fatal to the backend; it is never tried again.
 */
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
export type Table = (typeof TABLES)[number];

export interface AppliedPoint {
  readonly index: number;
  readonly term: number;
}

export interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface Backend {
  /** Bytes owned by the caller; undefined when absent. Throws CorruptRecord on a bad checksum. */
  get(table: Table, key: Buffer): Buffer | undefined;
  /**
   * Rows with lo <= key < hi (undefined = to the end), in key order, at most `limit`. Taken at once
   * from one consistent view, so callers bound `limit` and come back for more.
   */
  scan(table: Table, lo: Buffer, hi: Buffer | undefined, limit: number): Row[];
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
  /** Seals what is waiting into one batch and writes it off the loop; settles when it is durable. */
  commit(): Promise<void>;
  /** Size of the store on disk, free pages included, and without them. */
  sizeBytes(): { total: number; inUse: number };
  close(): Promise<void>;
}
