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
import type { Digests, Disk, SnapshotImage } from "../seam/index.ts";
import type { ImageReader } from "./image-reader.ts";
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
  readonly path: string;
  readonly reader: ImageReader;
  readonly source: Pick<BackupSource, "hashKv">;
  /** What the image was made of. */
  readonly applied: AppliedPoint;
  /** Between two slices of the member's own work. */
  readonly rest: () => Promise<void>;
}

/**
 * The revision of the file. Throws what the reader does and ImageMismatch for a file that is not
 * what it should be, an EtcdError when the member cannot answer for that revision any more.
 */
export async function checkImage(options: CheckImageOptions): Promise<number> {
  const { path, reader, source, applied, rest } = options;
  const found = await reader.facts();
  if (found.applied.index !== applied.index || found.applied.term !== applied.term) {
    const shown = (at: AppliedPoint): string => `index ${at.index} of term ${at.term}`;
    throw new ImageMismatch(path, shown(found.applied), shown(applied));
  }
  const { revision } = found;
  const wanted = await source.hashKv(revision, rest);
  if (wanted instanceof EtcdError) throw wanted;
  const hash = await reader.hash(revision, wanted.compactRevision);
  if (hash !== wanted.hash) {
    const shown = (value: number): string => `HashKV ${value} at revision ${revision}`;
    throw new ImageMismatch(path, shown(hash), shown(wanted.hash));
  }
  return revision;
}
