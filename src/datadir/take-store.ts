/**
 * Makes a store from a member's own file (store-image.ts): it is moved into its place and opened,
 * and what concerned its origin alone is dropped.
 *
 * The file comes from a member of the cluster and has arrived as it was sent. What opening a store
 * checks is checked here (meta pages, row counts, all rows of all tables but `key`); records are
 * checked where they are read, as in a store of one's own. A store is complete when it has the mark
 * of an import at the point that it stands at, so the mark of its origin does not count.
 */
import type { AppliedPoint, Backend } from "../backend/index.ts";
import { META_DIGEST, STORE_FILE_NAME, TABLES } from "../backend/index.ts";
import { CHECKPOINT_KEY, checkpointName, checkpointNumber } from "../mvcc/index.ts";
import type { Disk, OpenFile } from "../seam/index.ts";
import { decodeStateDigest, type StateDigest } from "../wire/index.ts";
import { parentOf } from "./data-directory.ts";
import { SnapshotRefused } from "./errors.ts";
import { markImported } from "./import-store.ts";
import { checkRow, RowChecker } from "./row-checker.ts";
import { decodeFooter, FOOTER_BYTES, type StoreImageLayout } from "./store-image.ts";

const PIECE_BYTES = 1024 * 1024;
/** More rows than this in a table other than `key` are looked at in several scans. */
const ROWS_PER_SCAN = 512;
const ZERO = Buffer.alloc(1);

export interface TakeStoreOptions {
  readonly disk: Disk;
  /** Is cut, and moved away. */
  readonly imagePath: string;
  /** Emptied before; on the same file system as the store that it shall replace. */
  readonly directory: string;
  readonly openBackend: (directory: string) => Promise<Backend>;
  /** What the sender says that the image holds. */
  readonly point: AppliedPoint;
  /** What the sender's state came to at `point`; undefined = not said. */
  readonly digest: StateDigest | undefined;
  /** All records are read, which takes a second for half a million of them. */
  readonly areRecordsChecked: boolean;
  readonly turn: () => Promise<void>;
}

/** Settles when the store is whole and durable. Rejects as importStore does. */
export async function takeStore(options: TakeStoreOptions): Promise<AppliedPoint> {
  const { disk, directory, imagePath, point } = options;
  if (await disk.exists(directory)) await disk.remove(directory);
  await disk.makeDirectory(directory, 0o700);
  const layout = await split(options);
  await move(disk, imagePath, `${directory}/${STORE_FILE_NAME}`);
  const backend = await openTaken(options);
  try {
    await checkRows(backend, options);
    const { index, term } = backend.applied;
    if (index !== point.index || term !== point.term) {
      const found = `index ${index} of term ${term}`;
      const wanted = `index ${point.index} of term ${point.term}`;
      throw new SnapshotRefused(imagePath, `the store holds ${found}, and was sent as ${wanted}`);
    }
    checkDigest(backend, options);
    dropLocal(backend, layout);
    markImported(backend, point);
    await backend.commit();
  } finally {
    await backend.close();
  }
  await disk.syncDirectory(directory);
  await disk.syncDirectory(parentOf(directory));
  return point;
}

async function openTaken({ openBackend, directory, imagePath }: TakeStoreOptions) {
  try {
    return await openBackend(directory);
  } catch (error) {
    throw new SnapshotRefused(imagePath, error instanceof Error ? error.message : String(error));
  }
}

/** The index goes into a file of its own, the rest of the image is the store's. */
async function split(options: TakeStoreOptions): Promise<StoreImageLayout> {
  const { disk, imagePath, directory } = options;
  const file = await disk.open(imagePath, "write");
  try {
    const size = await file.size();
    const footer = Buffer.alloc(FOOTER_BYTES);
    const count = await file.read(footer, Math.max(0, size - FOOTER_BYTES));
    const layout = decodeFooter(footer.subarray(0, count), size);
    if (layout === undefined) throw new SnapshotRefused(imagePath, "found no store's file");
    const { storeBytes, indexBytes, indexNumber } = layout;
    if (indexBytes > 0) {
      const target = await disk.open(`${directory}/${checkpointName(indexNumber)}`, "create");
      try {
        await copy(file, target, { from: storeBytes, count: indexBytes });
        await target.sync();
      } finally {
        await target.close();
      }
    }
    await file.truncate(storeBytes);
    await file.sync();
    return layout;
  } finally {
    await file.close();
  }
}

/** Where the two are on different file systems after all, it is copied. */
async function move(disk: Disk, source: string, target: string): Promise<void> {
  try {
    return await disk.rename(source, target);
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EXDEV") throw error;
  }
  const from = await disk.open(source, "read");
  try {
    const to = await disk.open(target, "create");
    try {
      await copy(from, to, { from: 0, count: await from.size() });
      await to.sync();
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

async function copy(
  source: OpenFile,
  target: OpenFile,
  { from, count }: { from: number; count: number },
): Promise<void> {
  const bytes = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, count));
  for (let at = 0; at < count; at += bytes.length) {
    const piece = bytes.subarray(0, Math.min(bytes.length, count - at));
    await source.read(piece, from + at);
    await target.write(piece, at);
  }
}

/** What a store decodes when it is opened must decode; records are too many for it. */
async function checkRows(backend: Backend, options: TakeStoreOptions): Promise<void> {
  const checker = new RowChecker(options.imagePath);
  for (const table of TABLES) {
    if (table === "key" && !options.areRecordsChecked) continue;
    for (let lo = Buffer.alloc(0); ; ) {
      const rows = backend.scan(table, lo, undefined, ROWS_PER_SCAN, PIECE_BYTES);
      for (const row of rows) checkRow(checker, table, row);
      const last = rows.at(-1);
      if (last === undefined) break;
      lo = Buffer.concat([last.key, ZERO]);
      await options.turn();
    }
  }
}

/** A store that does not know its digest is as good as one that was not asked for it. */
function checkDigest(backend: Backend, { digest, imagePath }: TakeStoreOptions): void {
  const found = decodeStateDigest(backend.get("meta", Buffer.from(META_DIGEST, "latin1")));
  if (digest === undefined || found === undefined || found.index !== digest.index) return;
  if (found.a === digest.a && found.b === digest.b) return;
  throw new SnapshotRefused(imagePath, "the store's digest is not the one that was sent with it");
}

/** All but the row that names the index that came along. */
function dropLocal(backend: Backend, layout: StoreImageLayout): void {
  const rows = backend.scan("local", Buffer.alloc(0), undefined, Number.POSITIVE_INFINITY);
  for (const { key, value } of rows) {
    const isIndex = key.equals(CHECKPOINT_KEY) && layout.indexBytes > 0;
    if (isIndex && checkpointNumber(value) === layout.indexNumber) continue;
    backend.delete("local", key);
  }
}
