/**
 * The key index in a file, so that a restart reads 25 bytes a key instead of every record.
 *
 * A checkpoint is written while the store goes on: it may hold revisions newer than the one it
 * starts from, and the records after that one are read at the next start anyway. What it must never
 * miss is a key that is gone: once a compaction deletes the record of a tombstone that the
 * checkpoint does not know, nothing would tell of the deletion any more. So the first such record
 * takes the checkpoint's validity with it, and the driver writes a new one after the compaction.
 *
 * Shape: `<directory>/index-<number>.ckpt`, a new number each time = blocks of length u32 LE |
 * CRC-32C u32 LE | bytes
 *   (index-codec.ts). Table `local` names the one file that is valid.
 * Invariant: the entry in `local` becomes durable with, or after, all revisions in the file.
 */
import type { Backend } from "../backend/index.ts";
import { ByteWriter, crc32c } from "../base/index.ts";
import type { Disk, OpenFile } from "../seam/index.ts";
import { IndexDecoder, IndexEncoder } from "./index-codec.ts";
import { KeyIndex } from "./key-index.ts";

/** Of the row in table `local` that names the valid file. */
export const CHECKPOINT_KEY = Buffer.from("indexCheckpoint", "latin1");
const FILE_NAME = /^index-(\d+)\.ckpt$/;
const BLOCK_HEADER_BYTES = 8;
const BLOCK_BYTES = 256 * 1024;
/** Revisions encoded or decoded before the loop turns. */
const SLICE_REVISIONS = 1000;

/** The number of the file that the row names; undefined when the row is not right. */
export function checkpointNumber(row: Buffer): number | undefined {
  try {
    const { file } = JSON.parse(row.toString()) as CheckpointRecord;
    const digits = FILE_NAME.exec(file)?.[1];
    return digits === undefined || digits.length > 15 ? undefined : Number(digits);
  } catch {
    return undefined;
  }
}

export function checkpointName(number: number): string {
  return `index-${number}.ckpt`;
}

export interface CheckpointPlace {
  readonly disk: Disk;
  /** Exists. Other files in it are left alone. */
  readonly directory: string;
}

/** What table `local` says of the valid file. */
interface CheckpointRecord {
  readonly file: string;
  /** Later revisions are to be read from the records. */
  readonly revision: number;
  readonly sizeBytes: number;
  readonly keys: number;
}

export interface LoadedIndex {
  readonly index: KeyIndex;
  readonly revision: number;
}

export class CheckpointFile {
  readonly #backend: Backend;
  readonly #place: CheckpointPlace;
  readonly #yieldToLoop: () => Promise<void>;
  /** Of the valid file; -1 = none. */
  revision = -1;
  #file: string | undefined;

  constructor(backend: Backend, place: CheckpointPlace, yieldToLoop: () => Promise<void>) {
    this.#backend = backend;
    this.#place = place;
    this.#yieldToLoop = yieldToLoop;
  }

  /** The index as the valid file has it, or why there is none. */
  async load(): Promise<LoadedIndex | string> {
    const bytes = this.#backend.get("local", CHECKPOINT_KEY);
    if (bytes === undefined) return "no checkpoint";
    try {
      const record = JSON.parse(bytes.toString()) as CheckpointRecord;
      const index = await this.#read(record);
      this.revision = record.revision;
      this.#file = record.file;
      return { index, revision: record.revision };
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /**
   * Writes a new file; the one before is valid until this one is. No compaction may scrub until
   * this settles: the caller holds it.
   */
  async write(index: KeyIndex, revision: number): Promise<void> {
    const { disk, directory } = this.#place;
    const name = await this.#unusedName();
    const file = await disk.open(`${directory}/${name}`, "create");
    const encoder = new IndexEncoder(index);
    let sizeBytes = 0;
    try {
      sizeBytes = await this.#writeBlocks(file, encoder);
      await file.sync();
    } finally {
      await file.close();
    }
    await disk.syncDirectory(directory);
    const record: CheckpointRecord = { file: name, revision, sizeBytes, keys: encoder.keys };
    this.#backend.put("local", CHECKPOINT_KEY, Buffer.from(JSON.stringify(record)));
    this.revision = revision;
    this.#file = name;
    await this.#backend.commit();
    await this.removeOthers();
  }

  /** The record of a tombstone is about to be deleted. */
  noteTombstoneDropped(main: number): void {
    if (this.revision !== -1 && main > this.revision) this.discard();
  }

  /** The valid file has turned out to be wrong. */
  discard(): void {
    this.revision = -1;
    this.#file = undefined;
    this.#backend.delete("local", CHECKPOINT_KEY);
  }

  /** Files that are not the valid one. */
  async removeOthers(): Promise<void> {
    const { disk, directory } = this.#place;
    for (const name of await disk.list(directory)) {
      if (!FILE_NAME.test(name) || name === this.#file) continue;
      await disk.remove(`${directory}/${name}`);
    }
  }

  async #writeBlocks(file: OpenFile, encoder: IndexEncoder): Promise<number> {
    const writer = new ByteWriter(BLOCK_BYTES + BLOCK_BYTES / 4);
    let offset = 0;
    let hasMore = true;
    while (hasMore) {
      writer.reset();
      writer.fixed32(0);
      writer.fixed32(0);
      while (hasMore && writer.length < BLOCK_BYTES) {
        hasMore = encoder.write(writer, SLICE_REVISIONS);
        await this.#yieldToLoop();
      }
      const block = writer.view();
      block.writeUInt32LE(block.length - BLOCK_HEADER_BYTES, 0);
      block.writeUInt32LE(crc32c(0, block, BLOCK_HEADER_BYTES), 4);
      await file.write(block, offset);
      offset += block.length;
    }
    return offset;
  }

  async #unusedName(): Promise<string> {
    let highest = 0;
    for (const name of await this.#place.disk.list(this.#place.directory)) {
      highest = Math.max(highest, Number(FILE_NAME.exec(name)?.[1] ?? 0));
    }
    return checkpointName(highest + 1);
  }

  async #read(record: CheckpointRecord): Promise<KeyIndex> {
    const path = `${this.#place.directory}/${record.file}`;
    const file = await this.#place.disk.open(path, "read");
    try {
      const size = await file.size();
      if (size !== record.sizeBytes) {
        throw new Error(`${path}: found ${size} bytes, wanted ${record.sizeBytes}`);
      }
      const index = new KeyIndex();
      const decoder = new IndexDecoder(index.loader());
      let offset = 0;
      while (offset < size) {
        const block = await readBlock(file, path, offset, size);
        decoder.read(block);
        offset += BLOCK_HEADER_BYTES + block.length;
        await this.#yieldToLoop();
      }
      decoder.finish();
      if (decoder.keys !== record.keys) {
        throw new Error(`${path}: found ${decoder.keys} keys, wanted ${record.keys}`);
      }
      return index;
    } finally {
      await file.close();
    }
  }
}

async function readBlock(
  file: OpenFile,
  path: string,
  offset: number,
  size: number,
): Promise<Buffer> {
  const header = Buffer.alloc(BLOCK_HEADER_BYTES);
  await file.read(header, offset);
  const length = header.readUInt32LE(0);
  if (length > size - offset - BLOCK_HEADER_BYTES) {
    throw new Error(`${path}: block at offset ${offset} is longer than the file`);
  }
  const block = Buffer.allocUnsafeSlow(length);
  await file.read(block, offset + BLOCK_HEADER_BYTES);
  const found = crc32c(0, block);
  const wanted = header.readUInt32LE(4);
  if (found !== wanted) {
    throw new Error(
      `${path}: block at offset ${offset} has checksum ${found.toString(16)}, ` +
        `wanted ${wanted.toString(16)}`,
    );
  }
  return block;
}
