/** Opening a store: revision counters and index from what the backend holds (DB-01, DB-04). */
import type { Backend } from "../backend/index.ts";
import type { Key } from "../base/index.ts";
import { decodeKeyValue } from "../wire/index.ts";
import type { Logger } from "../seam/index.ts";
import { CheckpointFile, type CheckpointPlace } from "./checkpoint.ts";
import { Compaction } from "./compaction.ts";
import { KeyIndex, LATEST } from "./key-index.ts";
import { SLICE_ROWS } from "./limits.ts";
import { isTombstoneKey, lowestKey, mainOf, subOf } from "./revision.ts";
import { MvccStore } from "./store.ts";

const SLICE_BYTES = 4 * 1024 * 1024;

export interface OpenStoreOptions {
  /** Lets other work of the process run between slices. */
  yieldToLoop(): Promise<void>;
  /** Told of each live key that has a lease, in key order, before the store is given out. */
  readonly onLease?: (key: Key, lease: bigint) => void;
  /** Where checkpoints of the key index are kept; without it every start reads every record. */
  readonly checkpoint?: CheckpointPlace;
  readonly logger?: Logger;
}

/** Throws CorruptRecord when a record that must be read is damaged. */
export async function openStore(backend: Backend, options: OpenStoreOptions): Promise<MvccStore> {
  const { yieldToLoop } = options;
  const place = options.checkpoint;
  const file = place === undefined ? undefined : new CheckpointFile(backend, place, yieldToLoop);
  const loaded = file === undefined ? "no place for checkpoints" : await file.load();
  const isLoaded = typeof loaded === "object";
  const index = isLoaded ? loaded.index : new KeyIndex();
  const compaction = new Compaction(backend, index);
  compaction.restore();
  const start = isLoaded ? loaded.revision : 0;
  const { last, records } = await scanInto(index, backend, start, yieldToLoop);
  // The file may know what compactions have deleted since.
  if (isLoaded && !compaction.isRunning) await compaction.catchUp(yieldToLoop);
  await file?.removeOthers();
  if (options.onLease !== undefined) reportLeases(index, options.onLease);
  options.logger?.info("restored the key index", {
    "checkpoint-revision": isLoaded ? start : -1,
    ...(isLoaded ? {} : { "no-checkpoint-because": loaded }),
    "records-read": records,
    keys: index.liveKeys,
    "last-revision": last,
    "compact-revision": compaction.revision,
  });
  return new MvccStore({
    backend,
    index,
    compaction,
    checkpoint: file,
    currentRevision: Math.max(1, last, compaction.revision),
    yieldToLoop,
  });
}

/** Indexes all revisions > `after`; `last` is the last one found, or `after`. */
async function scanInto(
  index: KeyIndex,
  backend: Backend,
  after: number,
  yieldToLoop: () => Promise<void>,
): Promise<{ last: number; records: number }> {
  let from: Buffer = lowestKey(after + 1);
  let last = after;
  let records = 0;
  for (;;) {
    const rows = backend.scan("key", from, undefined, SLICE_ROWS, SLICE_BYTES);
    for (const row of rows) {
      const pair = decodeKeyValue(row.value);
      last = mainOf(row.key);
      const isTombstone = isTombstoneKey(row.key);
      index.restore(pair.key, {
        main: last,
        sub: subOf(row.key),
        create: isTombstone ? 0 : pair.createRevision,
        version: isTombstone ? 0 : pair.version,
        lease: pair.lease,
      });
    }
    records += rows.length;
    const end = rows.at(-1);
    if (end === undefined) return { last, records };
    from = Buffer.concat([end.key, Buffer.of(0)]);
    await yieldToLoop();
  }
}

function reportLeases(index: KeyIndex, onLease: (key: Key, lease: bigint) => void): void {
  index.walk("", undefined, LATEST, (key, slot) => {
    const lease = index.lease(slot);
    if (lease !== 0n) onLease(key, lease);
    return true;
  });
}
