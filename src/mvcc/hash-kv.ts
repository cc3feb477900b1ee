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
  const hash = new RecordHash({ index, revision, compactRevision });
  const hi = lowestKey(revision + 1);
  let lo = lowestKey(0);
  for (;;) {
    const rows = view.scan("key", lo, hi, SLICE_ROWS, SLICE_BYTES);
    for (const { key, value } of rows) hash.record(key, value);
    const last = rows.at(-1);
    if (last === undefined) return hash.value;
    lo = Buffer.concat([last.key, Buffer.of(0)]);
    await job.yieldToLoop();
  }
}

/** The hash itself, over records in ascending order. */
export class RecordHash {
  readonly #scope: Pick<HashJob, "index" | "revision" | "compactRevision">;
  /** Where a record is looked for that a compaction has passed. */
  readonly #keptAt: number;
  value = crc32c(0, Buffer.from("key", "latin1"));

  constructor(scope: Pick<HashJob, "index" | "revision" | "compactRevision">) {
    const { index, revision, compactRevision } = scope;
    this.#scope = scope;
    // With no key left alive etcd's set of revisions to keep is empty, and then it skips none.
    this.#keptAt = index.count("", undefined, revision) === 0 ? compactRevision : revision;
  }

  record(key: Buffer, value: Buffer): void {
    const { index, compactRevision } = this.#scope;
    // Neither etcd nor this counts a tombstone here, not even the one at the compact revision.
    if (mainOf(key) <= compactRevision && !isKept(index, key, value, this.#keptAt)) return;
    this.value = crc32c(crc32c(this.value, key), value);
  }
}

/** Whether a record is its key's newest at `revision`, and not a tombstone. */
function isKept(index: KeyIndex, key: Buffer, value: Buffer, revision: number): boolean {
  if (!index.locate(keyValueKey(value), revision)) return false;
  return index.main === mainOf(key) && index.sub === subOf(key);
}
