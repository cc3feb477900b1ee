/**
 * An image of the store as a file: written with its SHA-256 behind it, as etcd's tools take it, and
 * read back from the disk before it counts.
 *
 * What the reading back shows: every byte is the one that was written (SHA-256); every page and row
 * can be read; the file stands at the index it was made for; and all keys, values, leases of keys
 * and their history up to the newest revision are those of the running store (HashKV, asked of the
 * member itself at that revision). Rows of the other tables (leases, users, members) were checked
 * against their own checksums when the image was made, and are covered by the SHA-256 since.
 */
import type { AppliedPoint } from "../backend/index.ts";
import { EtcdError } from "../errors/index.ts";
import { hashRows } from "../mvcc/index.ts";
import type { Digests, Disk, OpenFile, SnapshotImage } from "../seam/index.ts";
import { BboltFile, type BucketRow, verifySnapshotFile } from "../snapshot/index.ts";
import type { Pace } from "./pace.ts";
import type { BackupSource } from "./types.ts";

/** The file does not say what the member says. */
export class ImageMismatch extends Error {
  constructor(path: string, found: string, wanted: string) {
    super(`backup ${path} has ${found}, the member says ${wanted}`);
    this.name = "ImageMismatch";
  }
}

export interface WriteImageOptions {
  readonly disk: Disk;
  readonly digests: Digests;
  readonly pace: Pick<Pace, "spend">;
  /** Replaced when it exists. */
  readonly path: string;
}

/** Settles when all of it is on the medium; the bytes written. The image stays the caller's. */
export async function writeImage(
  image: SnapshotImage,
  options: WriteImageOptions,
): Promise<number> {
  const { disk, digests, pace, path } = options;
  if (await disk.exists(path)) await disk.remove(path);
  const file = await disk.open(path, "create");
  try {
    const sha256 = digests.sha256();
    let offset = 0;
    for await (const piece of image.read(0)) {
      sha256.update(piece);
      await file.write(piece, offset);
      offset += piece.length;
      await pace.spend(piece.length);
    }
    const checksum = sha256.digest();
    await file.write(checksum, offset);
    await file.sync();
    return offset + checksum.length;
  } finally {
    await file.close();
  }
}

export interface CheckImageOptions {
  readonly digests: Digests;
  readonly pace: Pick<Pace, "spend">;
  readonly source: Pick<BackupSource, "hashKv">;
  /** What the image was made of. */
  readonly applied: AppliedPoint;
}

/**
 * The revision of the file. Throws SnapshotCorrupt and ImageMismatch for a file that is not what it
 * should be, an EtcdError when the member cannot answer for that revision any more.
 */
export async function checkImage(file: OpenFile, options: CheckImageOptions): Promise<number> {
  const { digests, pace, source, applied } = options;
  const paced = pacedFile(file, pace);
  const { hasChecksum } = await verifySnapshotFile(paced, digests.sha256());
  if (!hasChecksum) throw new ImageMismatch(file.path, "no checksum", "it wrote one");
  const db = await BboltFile.open(paced, { reusesBuffers: true });
  const meta = await readMeta(db);
  if (meta.index !== applied.index || meta.term !== applied.term) {
    const shown = (at: AppliedPoint): string => `index ${at.index} of term ${at.term}`;
    throw new ImageMismatch(file.path, shown(meta), shown(applied));
  }
  const newest = await db.lastKey("key");
  const mainOfNewest = newest === undefined ? 1 : Number(newest.readBigUInt64BE(0));
  const revision = Math.max(1, mainOfNewest, meta.compactRevision);
  const wanted = await source.hashKv(revision);
  if (wanted instanceof EtcdError) throw wanted;
  const { compactRevision } = wanted;
  const found = await hashRows({ open: () => db.rows("key"), revision, compactRevision });
  const hash = typeof found === "string" ? found : found.hash;
  if (hash !== wanted.hash) {
    const shown = (value: string | number): string => `HashKV ${value} at revision ${revision}`;
    throw new ImageMismatch(file.path, shown(hash), shown(wanted.hash));
  }
  return revision;
}

export interface ImageMeta extends AppliedPoint {
  /** -1 = never compacted. */
  readonly compactRevision: number;
}

/** What table `meta` of an image says. Throws SnapshotCorrupt. */
export async function readMeta(db: BboltFile): Promise<ImageMeta> {
  const meta = { index: 0, term: 0, compactRevision: -1 };
  for await (const rows of db.rows("meta")) for (const row of rows) takeMeta(meta, row);
  return meta;
}

function takeMeta(
  meta: { index: number; term: number; compactRevision: number },
  { key, value }: BucketRow,
): void {
  if (value.length < 8) return;
  const number = Number(value.readBigUInt64BE(0));
  const name = key.latin1Slice();
  if (name === "consistent_index") meta.index = number;
  else if (name === "term") meta.term = number;
  else if (name === "scheduledCompactRev" || name === "finishedCompactRev") {
    meta.compactRevision = Math.max(meta.compactRevision, number);
  }
}

/** Its reads are counted. */
function pacedFile(file: OpenFile, pace: Pick<Pace, "spend">): OpenFile {
  return {
    path: file.path,
    write: (bytes, offset) => file.write(bytes, offset),
    writeDurable: (bytes, offset) => file.writeDurable(bytes, offset),
    read: async (into, offset) => {
      const count = await file.read(into, offset);
      await pace.spend(count);
      return count;
    },
    size: () => file.size(),
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    sync: () => file.sync(),
    close: () => file.close(),
  };
}
