/**
 * Makes a store from an image: a bbolt file of ours or of etcd's, from a peer, a backup or a disk.
 *
 * The image is taken as hostile. Its pages are checked where they are read (snapshot/), its rows
 * here: what the store could not hold, or would stumble over when it is opened, is refused by name,
 * and the half-made store counts for nothing.
 *
 * Invariant: a store is complete when table `local` has the mark, which the last commit writes
 *   together with the applied point; before, the applied point is zero.
 */
import type { AppliedPoint, Backend, EtcdTable } from "../backend/index.ts";
import { META_CONSISTENT_INDEX, META_TERM, TABLES } from "../backend/index.ts";
import type { Disk, Timers } from "../seam/index.ts";
import { BboltFile, type BucketRow } from "../snapshot/index.ts";
import { checkRow, RowChecker } from "./row-checker.ts";
import { parentOf } from "./data-directory.ts";
import { SnapshotRefused } from "./errors.ts";

const MARK = Buffer.from("imported", "latin1");
/** Sealed when this much waits: few syncs, and two batches in memory that is used again. */
const BATCH_BYTES = 15 * 1024 * 1024;
/** Rows between two turns of the loop. */
const SLICE_ROWS = 512;

/** Is shown each row on its way into the new store; false = it is left out. */
export type RowFilter = (table: EtcdTable, row: BucketRow) => boolean;

export interface ImportOptions {
  readonly disk: Disk;
  readonly timers: Timers;
  readonly imagePath: string;
  /** Emptied before; on the same file system as the store that it shall replace. */
  readonly directory: string;
  readonly openBackend: (directory: string) => Promise<Backend>;
  /** What the sender says that the image holds. Without it, what the image says itself. */
  readonly point?: AppliedPoint;
  /** The store begins with a log of its own: at this point, whatever the image says. */
  readonly newPoint?: AppliedPoint;
  readonly keeps?: RowFilter;
  /** Puts further rows, before the last commit. */
  readonly finish?: (backend: Backend) => void;
}

/**
 * Settles when the store is whole and durable. Rejects with SnapshotCorrupt or SnapshotRefused for
 * what is wrong with the image, and with what the disk or the backend throw.
 */
export async function importStore(options: ImportOptions): Promise<AppliedPoint> {
  const { disk, directory } = options;
  if (await disk.exists(directory)) await disk.remove(directory);
  const file = await disk.open(options.imagePath, "read");
  try {
    const image = await BboltFile.open(file, { reusesBuffers: true });
    await disk.makeDirectory(directory, 0o700);
    const backend = await options.openBackend(directory);
    let point: AppliedPoint;
    try {
      point = await new Import(options, image, backend).run();
    } finally {
      await backend.close();
    }
    // The rows are durable; so must be the names that lead to them.
    await disk.syncDirectory(directory);
    await disk.syncDirectory(parentOf(directory));
    return point;
  } finally {
    await file.close();
  }
}

/**
 * What an import left in a store: where it ends; undefined when it is not complete, is none, or the
 * store has gone on since.
 */
export function importedPoint(backend: Backend): AppliedPoint | undefined {
  const mark = backend.get("local", MARK);
  if (mark === undefined || !mark.equals(markOf(backend.applied))) return undefined;
  return backend.applied;
}

/** Together with the commit that the caller makes: the import is complete, and ends at `point`. */
export function markImported(backend: Backend, point: AppliedPoint): void {
  backend.setApplied(point);
  backend.put("local", MARK, markOf(point));
}

function markOf({ index, term }: AppliedPoint): Buffer {
  return Buffer.from(JSON.stringify({ index, term }));
}

class Import {
  readonly #options: ImportOptions;
  readonly #image: BboltFile;
  readonly #backend: Backend;
  readonly #rows = new Map<EtcdTable, number>();
  /** The batch that is being written. */
  #sealed: Promise<void> = Promise.resolve();

  constructor(options: ImportOptions, image: BboltFile, backend: Backend) {
    this.#options = options;
    this.#image = image;
    this.#backend = backend;
  }

  async run(): Promise<AppliedPoint> {
    const backend = this.#backend;
    const checker = new RowChecker(this.#options.imagePath);
    for (const table of TABLES) await this.#take(table, checker);
    const point = this.#pointOf(checker.applied);
    await this.#sealed;
    this.#checkCounts();
    this.#options.finish?.(backend);
    markImported(backend, point);
    await backend.commit();
    return point;
  }

  async #take(table: EtcdTable, checker: RowChecker): Promise<void> {
    const backend = this.#backend;
    const { keeps } = this.#options;
    let count = 0;
    let sinceTurn = 0;
    for await (const rows of this.#image.rows(table)) {
      for (const row of rows) {
        checkRow(checker, table, row);
        if (keeps?.(table, row) === false || isOwnMeta(table, row)) continue;
        backend.put(table, row.key, row.value);
        count += 1;
      }
      if (backend.pendingBytes >= BATCH_BYTES) await this.#seal();
      sinceTurn += rows.length;
      if (sinceTurn < SLICE_ROWS) continue;
      sinceTurn = 0;
      await new Promise<void>((resolve) => this.#options.timers.soon(resolve));
    }
    this.#rows.set(table, count);
    await this.#seal();
  }

  /** One batch is filled while the one before is written, and no more: that bounds the memory. */
  async #seal(): Promise<void> {
    await this.#sealed;
    this.#sealed = this.#backend.commit();
    // Told to whoever waits next.
    this.#sealed.catch(() => undefined);
  }

  #pointOf(found: AppliedPoint): AppliedPoint {
    const { point, newPoint, imagePath } = this.#options;
    if (newPoint !== undefined) return newPoint;
    if (point === undefined) return found;
    // etcd before 3.5 keeps no term, and may lag behind by entries that changed nothing.
    if (found.index <= point.index) return point;
    throw new SnapshotRefused(
      imagePath,
      `the snapshot holds index ${found.index}, and was sent as one of index ${point.index}`,
    );
  }

  #checkCounts(): void {
    for (const [table, wanted] of this.#rows) {
      const found = this.#backend.storedRows(table);
      // The store adds its own two rows to this one.
      if (table === "meta" ? found < wanted : found !== wanted) {
        throw new Error(
          `${found} rows of bucket ${table} arrived in ${this.#options.directory}, ` +
            `${wanted} were written: the new store cannot be trusted`,
        );
      }
    }
  }
}

/** Rows that the store writes itself, from the applied point. */
function isOwnMeta(table: EtcdTable, row: BucketRow): boolean {
  if (table !== "meta") return false;
  const name = row.key.latin1Slice();
  return name === META_CONSISTENT_INDEX || name === META_TERM;
}
