/**
 * The whole store as a bbolt file, read from one consistent view while the store goes on.
 *
 * `imageOfView` makes it on the loop in slices, for any backend; lmdb-image.ts has a thread for it.
 */
import { BboltPlanner, BboltWriter, type BboltPlan } from "../snapshot/index.ts";
import { type AppliedPoint, type ReadView, TABLES, type Table } from "./types.ts";

/** etcd's buckets in the byte order of their names. What is a member's own is not among them. */
export const BUCKETS: readonly Table[] = [...TABLES].sort((a, b) => (a < b ? -1 : 1));
/** Pieces in which an image is handed over. */
export const IMAGE_PIECE_BYTES = 1024 * 1024;

export interface StoreImage {
  /** What the image holds; nothing later. */
  readonly applied: AppliedPoint;
  readonly sizeBytes: number;
  /**
   * The file from `offset` on, the same bytes each time, in pieces of any size that belong to the
   * caller. Rejects with CorruptRecord or DamagedTable when a row is not as it was written.
   */
  read(offset: number): AsyncIterable<Buffer>;
  /** Ends what still reads and lets go of the view. May be called again. */
  close(): void;
}

const SLICE_ROWS = 512;
const SLICE_BYTES = 256 * 1024;
const NOTHING = Buffer.alloc(0);
const ZERO = Buffer.alloc(1);

/** Takes over the view. `turn` lets the event loop turn between two slices. */
export async function imageOfView(view: ReadView, turn: () => Promise<void>): Promise<StoreImage> {
  try {
    const planner = new BboltPlanner();
    for (const table of BUCKETS) {
      planner.beginBucket(table);
      for await (const rows of slices(view, table, turn)) {
        for (const { key, value } of rows) planner.row(key.length, value.length);
      }
    }
    const plan = planner.finish();
    return {
      applied: view.applied,
      sizeBytes: plan.sizeBytes,
      read: (offset) => piecesFrom(offset, fileOf(view, plan, turn)),
      close: () => view.close(),
    };
  } catch (error) {
    view.close();
    throw error;
  }
}

async function* fileOf(
  view: ReadView,
  plan: BboltPlan,
  turn: () => Promise<void>,
): AsyncGenerator<Buffer, void, void> {
  const writer = new BboltWriter(plan, IMAGE_PIECE_BYTES);
  for (const table of BUCKETS) {
    writer.beginBucket(table);
    for await (const rows of slices(view, table, turn)) {
      for (const { key, value } of rows) writer.row(key, value);
      yield* writer.takeFull();
    }
  }
  yield* writer.finish();
}

async function* slices(view: ReadView, table: Table, turn: () => Promise<void>) {
  for (let lo = NOTHING; ; ) {
    await turn();
    const rows = view.scan(table, lo, undefined, SLICE_ROWS, SLICE_BYTES);
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows;
    lo = Buffer.concat([last.key, ZERO]);
  }
}

/** Leaves out the first bytes: a tree of pages can only be made from its beginning. */
async function* piecesFrom(
  offset: number,
  pieces: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, void> {
  let left = offset;
  for await (const piece of pieces) {
    if (left < piece.length) yield left === 0 ? piece : piece.subarray(left);
    left = Math.max(0, left - piece.length);
  }
}
