/**
 * The multi-version store: what the floors above rely on.
 *
 * Everything is synchronous. `range` over many keys is meant for bounded work; a large read goes
 * through a `RangeCursor`, which is pinned to a revision and taken in slices by its caller.
 */
import type { Key } from "../base/index.ts";
import type { EncodedKeyValue } from "../wire/index.ts";

export interface RangeQuery {
  readonly key: Key;
  /** "" = only `key`; "\0" = from `key` on; else [key, rangeEnd). */
  readonly rangeEnd: Key;
  /** 0 = current. */
  readonly revision: number;
  /** 0 = unlimited; the store takes no more records than this. */
  readonly limit: number;
  /** Only counts. */
  readonly countOnly: boolean;
  /** Records hold no value and no lease and are made from the index alone (KV-06). */
  readonly keysOnly: boolean;
  /** With `keysOnly`: records hold their lease, as etcd answers up to 3.6. */
  readonly keysOnlyWithLease?: boolean;
}

export type RangeOutcome =
  | {
      readonly kind: "ok";
      /** In key order, at most `limit`. */
      readonly kvs: EncodedKeyValue[];
      /** Keys in the range at that revision, whatever the limit. */
      readonly count: number;
    }
  | { readonly kind: "compacted" }
  | { readonly kind: "future" };

/** One key's change. `record` is what a watcher sees as `kv`. */
export interface Change {
  readonly type: "put" | "delete";
  readonly key: Key;
  readonly record: EncodedKeyValue;
  /** Sub-revision: position of the change in its transaction. */
  readonly sub: number;
}

/** All changes of one main revision, in order. */
export interface RevisionChanges {
  readonly revision: number;
  readonly changes: readonly Change[];
}

/** One mutating request: at most one main revision, sub-revisions in order (AP-05). */
export interface WriteTransaction {
  /** The revision that reads inside see as current: the new one once something changed. */
  readonly revision: number;
  range(query: RangeQuery): RangeOutcome;
  /** `prev` is asked for only when needed: reading it costs a store access. */
  put(key: Key, value: Buffer, lease: bigint): void;
  /** Deletes and returns the keys, in order; empty = no new revision. */
  deleteRange(key: Key, rangeEnd: Key): Key[];
  /** Publishes; returns the changes, undefined when nothing changed. */
  end(): RevisionChanges | undefined;
}

/** A range pinned at a revision and read in slices. */
export interface RangeCursor {
  readonly revision: number;
  /**
   * The next records, at most `maxRecords` and about `maxBytes`; an empty array at the end.
   * "compacted" when the pinned revision is gone meanwhile.
   */
  next(maxRecords: number, maxBytes: number): EncodedKeyValue[] | "compacted";
  /**
   * Steps over the next records as `next` would and tells their sizes, without reading them where
   * the store can tell. An empty array at the end.
   */
  sizes(maxRecords: number): number[] | "compacted";
  close(): void;
}

export type CompactOutcome = "ok" | "compacted" | "future";

export interface HashOutcome {
  readonly hash: number;
  readonly compactRevision: number;
  readonly hashRevision: number;
}

export interface Store {
  readonly currentRevision: number;
  /** -1 when never compacted. */
  readonly compactRevision: number;
  /** Keys that are not deleted at the current revision. */
  readonly keyCount: number;
  range(query: RangeQuery): RangeOutcome;
  openRange(query: RangeQuery): RangeCursor | "compacted" | "future";
  /** The live record of one key at a revision (0 = current); undefined when there is none. */
  get(key: Key, revision: number): EncodedKeyValue | undefined;
  begin(): WriteTransaction;
  /** Marks `revision` compacted at once; the records are scrubbed by `compactStep`. */
  compact(revision: number): CompactOutcome;
  /**
   * Scrubs at most `maxRecords`; false when nothing is left. Called off the hot path, paced by
   * member/.
   */
  compactStep(maxRecords: number): boolean;
  readonly isCompacting: boolean;
  /**
   * History for watchers: changes with lo <= revision, whole revisions, at most about `maxChanges`
   * and CHANGES_BYTES_MAX. "compacted" when `lo` is below the compact revision.
   */
  changesFrom(lo: number, maxChanges: number): RevisionChanges[] | "compacted";
  /** HashKV (MA-06) in slices that yield to the loop, or wait for `rest` in between. */
  hashKv(
    revision: number,
    rest?: () => Promise<void>,
  ): Promise<HashOutcome | "compacted" | "future">;
}

/** A store that keeps its key index on the disk as well. */
export interface CheckpointingStore extends Store {
  /**
   * Whether a restart now would have to read many records: `checkpoint` is worth it. `isLast`:
   * the store is about to be closed.
   */
  isCheckpointDue(isLast: boolean): boolean;
  /**
   * Writes the key index to its file, in slices that yield to the loop while the store goes on, so
   * that the next start is quick. False when it cannot be done now (a compaction runs) or at all.
   * Rejects when the disk refuses; the checkpoint before stays valid then.
   */
  checkpoint(): Promise<boolean>;
}
