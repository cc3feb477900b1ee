/** Checks a snapshot file as its receivers do, and says what is in it (UT-02). */
import type { OpenFile } from "../seam/index.ts";
import { BboltFile } from "./bbolt-reader.ts";
import { DbHash } from "./db-hash.ts";
import { SnapshotCorrupt } from "./errors.ts";
import type { StreamHash } from "./types.ts";

export const CHECKSUM_BYTES = 32;
/** A file of whole pages plus a checksum has this remainder. */
const SECTOR_BYTES = 512;
const READ_BYTES = 1024 * 1024;

export interface SnapshotFile {
  /** Bytes of the store in it, without the checksum. */
  readonly dbBytes: number;
  /** The file ends in a SHA-256 and it is right; a plain copy of a store has none. */
  readonly hasChecksum: boolean;
}

/** Throws SnapshotCorrupt when the checksum is wrong or the size is that of no snapshot. */
export async function verifySnapshotFile(file: OpenFile, hash: StreamHash): Promise<SnapshotFile> {
  const sizeBytes = await file.size();
  if (sizeBytes > 0 && sizeBytes % SECTOR_BYTES === 0) {
    return { dbBytes: sizeBytes, hasChecksum: false };
  }
  const dbBytes = sizeBytes - CHECKSUM_BYTES;
  if (dbBytes <= 0 || dbBytes % SECTOR_BYTES !== 0) {
    throw new SnapshotCorrupt({
      path: file.path,
      offset: sizeBytes,
      found: `${sizeBytes} bytes`,
      wanted: "whole pages and a checksum of 32 bytes: the file may be cut",
    });
  }
  const bytes = Buffer.allocUnsafeSlow(READ_BYTES);
  for (let offset = 0; offset < dbBytes; ) {
    const read = await file.read(bytes.subarray(0, Math.min(READ_BYTES, dbBytes - offset)), offset);
    if (read === 0) break;
    hash.update(bytes.subarray(0, read));
    offset += read;
  }
  const wanted = Buffer.alloc(CHECKSUM_BYTES);
  await file.read(wanted, dbBytes);
  const computed = Buffer.from(hash.digest());
  if (!computed.equals(wanted)) {
    throw new SnapshotCorrupt({
      path: file.path,
      offset: dbBytes,
      found: `the checksum ${wanted.toString("hex")}`,
      wanted: computed.toString("hex"),
    });
  }
  return { dbBytes, hasChecksum: true };
}

/** What `snapshot status` prints. */
export interface SnapshotStatus {
  readonly hash: number;
  /** Main revision of the newest record; 0 for an empty store. */
  readonly revision: number;
  /** Rows of all buckets. */
  readonly totalKey: number;
  readonly totalSize: number;
  /** meta/storageVersion; "" where there is none. */
  readonly version: string;
}

export async function snapshotStatus(file: OpenFile): Promise<SnapshotStatus> {
  const db = await BboltFile.open(file);
  const hash = new DbHash({ leavesLocalOut: false });
  let revision = 0;
  let version = "";
  for (const name of db.bucketNames) {
    hash.bucket(name);
    for await (const rows of db.rows(name)) {
      for (const { key, value } of rows) {
        hash.row(key, value);
        if (name === "meta" && key.latin1Slice() === "storageVersion") version = value.toString();
      }
      const newest = rows.at(-1)?.key;
      if (name === "key" && newest !== undefined && newest.length >= 8) {
        revision = Number(newest.readBigUInt64BE(0));
      }
    }
  }
  return { hash: hash.value, revision, totalKey: hash.rowCount, totalSize: db.sizeBytes, version };
}
