/** Opening a store: revision counters and index from what the backend holds (DB-01, DB-04). */
import type { Backend } from "../backend/index.ts";
import type { Key } from "../base/index.ts";
import { decodeKeyValue } from "../wire/index.ts";
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
  onLease?: (key: Key, lease: bigint) => void;
}

export async function openStore(backend: Backend, options: OpenStoreOptions): Promise<MvccStore> {
  const index = new KeyIndex();
  const compaction = new Compaction(backend, index);
  compaction.restore();
  const last = await scanInto(index, backend, 0, options.yieldToLoop);
  if (options.onLease !== undefined) reportLeases(index, options.onLease);
  return new MvccStore({
    backend,
    index,
    compaction,
    currentRevision: Math.max(1, last, compaction.revision),
    yieldToLoop: options.yieldToLoop,
  });
}

/** Indexes all revisions > `after`; returns the last one found, or `after`. */
async function scanInto(
  index: KeyIndex,
  backend: Backend,
  after: number,
  yieldToLoop: () => Promise<void>,
): Promise<number> {
  let from: Buffer = lowestKey(after + 1);
  let last = after;
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
    const end = rows.at(-1);
    if (end === undefined) return last;
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
