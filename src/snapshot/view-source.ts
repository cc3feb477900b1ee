/** The buckets of a store, as a source for snapshots and hashes. */
import { type ReadView, TABLES } from "../backend/index.ts";
import type { BucketSource, RowCursor } from "./types.ts";

const SLICE_ROWS = 1000;
const SLICE_BYTES = 256 * 1024;
const START = Buffer.alloc(0);

/**
 * All of etcd's buckets from one view, which the caller closes when it is done. `pause` is awaited
 * after each slice (some milliseconds of work at most), so that others get the thread.
 */
export function bucketsOfView(view: ReadView, pause: () => Promise<void>): BucketSource[] {
  return TABLES.map((name) => ({
    name,
    open(): RowCursor {
      let lo: Buffer | undefined = START;
      return {
        async next() {
          if (lo === undefined) return undefined;
          const rows = view.scan(name, lo, undefined, SLICE_ROWS, SLICE_BYTES);
          const newest = rows.at(-1);
          // The least key after the newest one.
          lo = newest === undefined ? undefined : Buffer.concat([newest.key, ZERO]);
          await pause();
          return newest === undefined ? undefined : rows;
        },
      };
    },
  }));
}

const ZERO = Buffer.alloc(1);
