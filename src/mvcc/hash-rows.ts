/**
 * HashKV of records that are in no open store: those of a snapshot file, or of another store
 * (UT-05). The same sum as hash-kv.ts, with an index made for it when a compaction asks for one.
 */
import { indexRecord } from "./restore.ts";
import { RecordHash } from "./hash-kv.ts";
import { KeyIndex } from "./key-index.ts";
import { mainOf } from "./revision.ts";
import type { HashOutcome } from "./types.ts";

interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface RowsToHash {
  /** Table `key` in ascending order, from its beginning at each call. Slices are only borrowed. */
  readonly open: () => AsyncIterable<readonly Row[]>;
  /** 0 = the newest that there is. */
  readonly revision: number;
  /** What table `meta` says was scheduled or finished, the higher; -1 = never compacted. */
  readonly compactRevision: number;
}

/**
 * Reads the rows once, or twice when something was compacted. What the rows' source throws, and
 * MalformedError for a record that is no pair, come through.
 */
export async function hashRows(given: RowsToHash): Promise<HashOutcome | "compacted" | "future"> {
  const { open, compactRevision } = given;
  if (given.revision > 0 && given.revision < compactRevision) return "compacted";
  const index = new KeyIndex();
  let newest = Math.max(1, compactRevision);
  if (compactRevision > 0) {
    for await (const rows of open()) {
      for (const { key, value } of rows) newest = Math.max(newest, indexRecord(index, key, value));
    }
    if (given.revision > newest) return "future";
  }
  const revision = given.revision > 0 ? given.revision : newest;
  const limit = given.revision > 0 ? given.revision : Number.MAX_SAFE_INTEGER;
  const hash = new RecordHash({ index, revision, compactRevision });
  for await (const rows of open()) {
    for (const { key, value } of rows) {
      const main = mainOf(key);
      newest = Math.max(newest, main);
      if (main <= limit) hash.record(key, value);
    }
  }
  if (given.revision > newest) return "future";
  const hashRevision = given.revision > 0 ? given.revision : newest;
  return { hash: hash.value, compactRevision, hashRevision };
}
