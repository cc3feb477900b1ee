/**
 * Copies a member's store, which is never worked on itself. Where the file system can share blocks
 * between files (xfs, btrfs), the copy takes neither time nor space; elsewhere the space is looked
 * for first.
 */
import { constants, copyFileSync, mkdirSync, readdirSync, statfsSync, statSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { newestSequence, storeFileOf } from "../backend/index.ts";
import { failureOf, hostDisk } from "../host/index.ts";
import type { OpenFile } from "../seam/index.ts";

const PIECE_BYTES = 4 * 1024 * 1024;
const MODE = 0o600;

export class NoSpace extends Error {
  constructor(place: string, needBytes: number, freeBytes: number) {
    super(
      `${place}: ${megabytes(needBytes)} are needed, ${megabytes(freeBytes)} are free; make room, or ` +
        "copy the data directory to a larger disk and recover the copy",
    );
    this.name = "NoSpace";
  }
}

/** Throws NoSpace. `place` is there already. */
export function checkSpace(place: string, needBytes: number): void {
  const { bavail, bsize } = statfsSync(place);
  const freeBytes = bavail * bsize;
  if (freeBytes < needBytes) throw new NoSpace(place, needBytes, freeBytes);
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}

/**
 * The store in `source` under the same name in `target`, which is made, durably. `spareBytes` are
 * to be free beside it. `onBytes` is told of what is copied, of so many. Throws NoSpace.
 */
export async function copyStore(
  source: string,
  target: string,
  spareBytes: number,
  onBytes: (done: number, of: number) => void,
): Promise<void> {
  mkdirSync(target, { recursive: true, mode: 0o700 });
  const sequence = newestSequence(readdirSync(source));
  if (sequence === undefined) return;
  const from = storeFileOf(source, sequence);
  const into = storeFileOf(target, sequence);
  if (shareBlocks(from, into)) {
    await chmod(into, MODE);
    checkSpace(target, spareBytes);
  } else {
    checkSpace(target, statSync(from).size + spareBytes);
    await copyBytes(from, into, onBytes);
  }
  const file = await hostDisk.open(into, "write");
  await file.sync();
  await file.close();
  await hostDisk.syncDirectory(target);
}

/** False where the file system cannot. */
function shareBlocks(from: string, into: string): boolean {
  try {
    copyFileSync(from, into, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    const code = failureOf(error);
    if (code === "EEXIST" || code === "ENOENT") throw error;
    return false;
  }
}

async function copyBytes(
  from: string,
  into: string,
  onBytes: (done: number, of: number) => void,
): Promise<void> {
  const source = await hostDisk.open(from, "read");
  let target: OpenFile | undefined;
  try {
    if (await hostDisk.exists(into)) await hostDisk.remove(into);
    target = await hostDisk.open(into, "create");
    const sizeBytes = await source.size();
    const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    for (let offset = 0; offset < sizeBytes; ) {
      const count = await source.read(piece, offset);
      if (count === 0) break;
      await target.write(piece.subarray(0, count), offset);
      offset += count;
      onBytes(offset, sizeBytes);
    }
  } finally {
    await target?.close();
    await source.close();
  }
}
