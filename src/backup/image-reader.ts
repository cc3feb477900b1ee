/**
 * Reads an image of the store back: what it says, and what its records come to.
 *
 * A member does it in a thread (thread-reader.ts): a large store is seconds of work, and an index
 * of its keys where something was compacted. What is here is the work itself.
 */
import type { AppliedPoint } from "../backend/index.ts";
import { hashRows } from "../mvcc/index.ts";
import type { Digest, OpenFile } from "../seam/index.ts";
import {
  BboltFile,
  type BucketRow,
  SnapshotCorrupt,
  verifySnapshotFile,
} from "../snapshot/index.ts";

export interface ImageFacts {
  readonly applied: AppliedPoint;
  /** Of its newest record. */
  readonly revision: number;
}

export interface ImageReader {
  /** Reads the whole file for its checksum. Rejects when the file is not whole. */
  facts(): Promise<ImageFacts>;
  /** HashKV at a revision, as a store would say it that was compacted up to another. */
  hash(revision: number, compactRevision: number): Promise<number>;
  close(): Promise<void>;
}

/** Errors: SnapshotCorrupt; MalformedError for a record that is no pair. */
export class FileImageReader implements ImageReader {
  readonly #file: OpenFile;
  readonly #sha256: Digest;

  /** Takes over the file. */
  constructor(file: OpenFile, sha256: Digest) {
    this.#file = file;
    this.#sha256 = sha256;
  }

  async facts(): Promise<ImageFacts> {
    const file = this.#file;
    const { hasChecksum, dbBytes } = await verifySnapshotFile(file, this.#sha256);
    if (!hasChecksum) {
      const { path } = file;
      throw new SnapshotCorrupt({ path, offset: dbBytes, found: "the end", wanted: "a checksum" });
    }
    const db = await BboltFile.open(file);
    const { compactRevision, ...applied } = await readMeta(db);
    const newest = await db.lastKey("key");
    const mainOfNewest = newest === undefined ? 1 : Number(newest.readBigUInt64BE(0));
    return { applied, revision: Math.max(1, mainOfNewest, compactRevision) };
  }

  async hash(revision: number, compactRevision: number): Promise<number> {
    const db = await BboltFile.open(this.#file, { reusesBuffers: true });
    const found = await hashRows({ open: () => db.rows("key"), revision, compactRevision });
    if (typeof found === "object") return found.hash;
    throw new Error(`revision ${revision} of ${this.#file.path} cannot be hashed: ${found}`);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
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
