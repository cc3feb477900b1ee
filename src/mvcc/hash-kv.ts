/**
 * HashKV, bit-equal to etcd's (MA-06): CRC-32C over the word `key`, then over each record of table
 * `key` up to the revision. Records at or below the compact revision count only when a compaction
 * at the hash revision would keep them, so that members which have scrubbed and members which have
 * not yet agree.
 */
import type { ReadView } from "../backend/index.ts";
import { crc32c } from "../base/index.ts";
import { keyValueKey } from "../wire/index.ts";
import type { KeyIndex } from "./key-index.ts";
import { SLICE_ROWS } from "./limits.ts";
import { lowestKey, mainOf, subOf } from "./revision.ts";

const SLICE_BYTES = 1024 * 1024;

export interface HashJob {
  readonly view: ReadView;
  readonly index: KeyIndex;
  readonly revision: number;
  /** As it was when the hash was asked for. */
  readonly compactRevision: number;
  yieldToLoop(): Promise<void>;
}

/** The index must not be scrubbed meanwhile. */
export async function hashRecords(job: HashJob): Promise<number> {
  const { view, index, revision, compactRevision } = job;
  // With no key left alive etcd's set of revisions to keep is empty, and then it skips none.
  const keepsAll = index.count("", undefined, revision) === 0;
  const hi = lowestKey(revision + 1);
  let lo = lowestKey(0);
  let hash = crc32c(0, Buffer.from("key", "latin1"));
  for (;;) {
    const rows = view.scan("key", lo, hi, SLICE_ROWS, SLICE_BYTES);
    for (const { key, value } of rows) {
      const main = mainOf(key);
      if (main <= compactRevision) {
        // Neither etcd nor this counts a tombstone here, not even the one at the compact revision.
        const at = keepsAll ? compactRevision : revision;
        if (!isKept(index, key, value, at)) continue;
      }
      hash = crc32c(crc32c(hash, key), value);
    }
    const last = rows.at(-1);
    if (last === undefined) return hash;
    lo = Buffer.concat([last.key, Buffer.of(0)]);
    await job.yieldToLoop();
  }
}

/** Whether a record is its key's newest at `revision`, and not a tombstone. */
function isKept(index: KeyIndex, key: Buffer, value: Buffer, revision: number): boolean {
  if (!index.locate(keyValueKey(value), revision)) return false;
  return index.main === mainOf(key) && index.sub === subOf(key);
}
