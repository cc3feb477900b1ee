/**
 * The whole store as others see it: as a bbolt file (MA-07) and as etcd's checksum (MA-05), each of
 * one consistent view.
 */
import { type Backend, type ReadView, TABLES, type Table } from "../backend/index.ts";
import type { Digests, Timers } from "../seam/index.ts";
import { openImage } from "../datadir/index.ts";
import {
  type BucketRow,
  type BucketSource,
  CHUNK_BYTES,
  hashBuckets,
  type SnapshotChunk,
} from "../snapshot/index.ts";
import type { SnapshotStream } from "./types.ts";

const SLICE_ROWS = 512;
const SLICE_BYTES = 256 * 1024;
const NOTHING = Buffer.alloc(0);
const ZERO = Buffer.alloc(1);

export interface SnapshotOptions {
  readonly backend: Backend;
  readonly timers: Timers;
  readonly digests: Digests;
  /** Storage version that the messages carry. */
  readonly version: string;
}

/** The image is held until the last chunk was taken or the iteration was given up. */
export function openSnapshot(options: SnapshotOptions): SnapshotStream {
  return { version: options.version, chunks: chunksOf(options) };
}

async function* chunksOf(options: SnapshotOptions): AsyncGenerator<SnapshotChunk, void, void> {
  const { image } = await openImage(options);
  const hash = options.digests.sha256();
  let remainingBytes = image.sizeBytes;
  try {
    for await (const piece of image.read(0)) {
      hash.update(piece);
      for (let lo = 0; lo < piece.length; lo += CHUNK_BYTES) {
        const blob = piece.subarray(lo, lo + CHUNK_BYTES);
        remainingBytes -= blob.length;
        yield { remainingBytes, blob };
      }
    }
    yield { remainingBytes: 0, blob: hash.digest() };
  } finally {
    image.close();
  }
}

export async function hashStore(backend: Backend, timers: Timers): Promise<number> {
  const view = backend.openReadView();
  try {
    return await hashBuckets(bucketsOf(view, timers));
  } finally {
    view.close();
  }
}

function bucketsOf(view: ReadView, timers: Timers): BucketSource[] {
  const byName = [...TABLES].sort((a, b) => (a < b ? -1 : 1));
  return byName.map((table) => ({ name: table, open: () => rowsOf(view, table, timers) }));
}

function rowsOf(view: ReadView, table: Table, timers: Timers) {
  let lo: Buffer | undefined = NOTHING;
  const next = async (): Promise<BucketRow[] | undefined> => {
    if (lo === undefined) return undefined;
    await new Promise<void>((resolve) => timers.soon(resolve));
    const rows = view.scan(table, lo, undefined, SLICE_ROWS, SLICE_BYTES);
    const last = rows.at(-1);
    lo = last === undefined ? undefined : Buffer.concat([last.key, ZERO]);
    return last === undefined ? undefined : rows;
  };
  return { next };
}
