/** Opening a store: revision counters and index from what the backend holds (DB-01, DB-04). */
import type { Backend } from "../backend/index.ts";
import type { Key } from "../base/index.ts";
import { decodeKeyValue } from "../wire/index.ts";
import type { Logger } from "../seam/index.ts";
import { CheckpointFile, type CheckpointPlace, type LoadedIndex } from "./checkpoint.ts";
import { Compaction } from "./compaction.ts";
import { KeyIndex, LATEST } from "./key-index.ts";
import { SLICE_KEYS, SLICE_ROWS } from "./limits.ts";
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

/** The medium holds more or fewer records than it counts: damage that no checksum can see. */
export class RecordsMissing extends Error {
  readonly found: number;
  readonly wanted: number;

  constructor(found: number, wanted: number) {
    super(
      `table "key": found ${found} records where the store counts ${wanted}; the store is damaged: ` +
        "put back a copy of the data directory",
    );
    this.name = "RecordsMissing";
    this.found = found;
    this.wanted = wanted;
  }
}

interface Restored {
  readonly index: KeyIndex;
  readonly compaction: Compaction;
  readonly lastRevision: number;
  readonly recordsRead: number;
}

/** Throws CorruptRecord and RecordsMissing when the store is damaged. */
export async function openStore(backend: Backend, options: OpenStoreOptions): Promise<MvccStore> {
  const { yieldToLoop, checkpoint: place, logger } = options;
  const file = place === undefined ? undefined : new CheckpointFile(backend, place, yieldToLoop);
  const { restored, reason } = await restore(backend, file, yieldToLoop);
  await file?.removeOthers();
  const { index, compaction } = restored;
  if (options.onLease !== undefined) await reportLeases(index, options.onLease, yieldToLoop);
  logger?.info("restored the key index", {
    "checkpoint-revision": file?.revision ?? -1,
    ...(reason === undefined ? {} : { "no-checkpoint-because": reason }),
    "records-read": restored.recordsRead,
    keys: index.liveKeys,
    "last-revision": restored.lastRevision,
    "compact-revision": compaction.revision,
  });
  return new MvccStore({
    backend,
    index,
    compaction,
    checkpoint: file,
    currentRevision: Math.max(1, restored.lastRevision, compaction.revision),
    tailRecords: restored.recordsRead,
    yieldToLoop,
  });
}

/** From the checkpoint if it is there and right; `reason` says why it was not used. */
async function restore(
  backend: Backend,
  file: CheckpointFile | undefined,
  yieldToLoop: () => Promise<void>,
): Promise<{ restored: Restored; reason: string | undefined }> {
  let reason = "no place for checkpoints";
  if (file !== undefined) {
    const loaded = await file.load();
    if (typeof loaded === "string") reason = loaded;
    else {
      const restored = await readOn(backend, loaded, yieldToLoop);
      if (restored.compaction.isRunning || countOf(restored) === backend.storedRows("key")) {
        return { restored, reason: undefined };
      }
      reason = `it leads to ${countOf(restored)} records, the store counts another number`;
      file.discard();
    }
  }
  const empty = { index: new KeyIndex(), revision: 0 };
  const restored = await readOn(backend, empty, yieldToLoop);
  const wanted = backend.storedRows("key");
  if (restored.recordsRead !== wanted) throw new RecordsMissing(restored.recordsRead, wanted);
  return { restored, reason };
}

function countOf(restored: Restored): number {
  return restored.index.keys + restored.index.oldRevisions;
}

/** Brings an index up to what the store holds. */
async function readOn(
  backend: Backend,
  loaded: LoadedIndex,
  yieldToLoop: () => Promise<void>,
): Promise<Restored> {
  const { index, revision } = loaded;
  const compaction = new Compaction(backend, index);
  compaction.restore();
  const { last, records } = await scanInto(index, backend, revision, yieldToLoop);
  // A checkpoint may know what compactions have deleted since.
  if (revision > 0 && !compaction.isRunning) await compaction.catchUp(yieldToLoop);
  return { index, compaction, lastRevision: last, recordsRead: records };
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
    for (const row of rows) last = indexRecord(index, row.key, row.value);
    records += rows.length;
    const end = rows.at(-1);
    if (end === undefined) return { last, records };
    from = Buffer.concat([end.key, Buffer.of(0)]);
    await yieldToLoop();
  }
}

/** Takes a record into the index, in ascending order; its main revision. */
export function indexRecord(index: KeyIndex, key: Buffer, value: Buffer): number {
  const pair = decodeKeyValue(value);
  const main = mainOf(key);
  const isTombstone = isTombstoneKey(key);
  index.restore(pair.key, {
    main,
    sub: subOf(key),
    create: isTombstone ? 0 : pair.createRevision,
    // A restore that raises the revision leaves a record without a pair (UT-04): no deletion.
    version: isTombstone ? 0 : Math.max(1, pair.version),
    lease: pair.lease,
  });
  return main;
}

async function reportLeases(
  index: KeyIndex,
  onLease: (key: Key, lease: bigint) => void,
  yieldToLoop: () => Promise<void>,
): Promise<void> {
  let next: Key | undefined = "";
  while (next !== undefined) {
    let visited = 0;
    const from: Key = next;
    next = undefined;
    index.walk(from, undefined, LATEST, (key, slot) => {
      if (visited === SLICE_KEYS) {
        next = key;
        return false;
      }
      visited += 1;
      const lease = index.lease(slot);
      if (lease !== 0n) onLease(key, lease);
      return true;
    });
    await yieldToLoop();
  }
}
