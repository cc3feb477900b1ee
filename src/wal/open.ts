/** Makes a new log, and goes on with one that was read. */
import type { Disk, OpenFile } from "../seam/index.ts";
import type { Entry, HardState } from "../wire/index.ts";
import { RecordBuffer } from "./encoder.ts";
import {
  marshalHardState,
  marshalMetadata,
  marshalSnapshot,
  RecordType,
  type WalMetadata,
  type WalSnapshot,
} from "./record.ts";
import type { WalReader } from "./reader.ts";
import { walExists, joinPath, SEGMENT_BYTES, segmentName } from "./segment.ts";
import { Wal, type WalOptions } from "./wal.ts";

const COPY_BYTES = 1024 * 1024;

export interface CreateWalOptions extends WalOptions {
  /** The first records of a new cluster (RA-06): there with the log, or not at all. */
  readonly founding?: {
    readonly entries: readonly Entry[];
    readonly hardState: HardState;
    /** Of a store that is there already: the log goes on after it. */
    readonly snapshot?: WalSnapshot;
  };
}

/** What a rename makes the log whole with: its directory, or the segment in one that is there. */
interface Draft {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** A directory that exists may be a volume of its own, and hold segments that were set aside. */
async function draftOf(disk: Disk, directory: string, name: string): Promise<Draft> {
  const isThere = await disk.exists(directory);
  if (isThere && (await walExists(disk, directory))) {
    throw Object.assign(new Error(`there is a log in ${directory}`), { code: "ENOTEMPTY" });
  }
  const to = isThere ? joinPath(directory, name) : directory;
  const from = `${to}.tmp`;
  if (await disk.exists(from)) await disk.remove(from);
  if (isThere) return { file: from, from, to };
  await disk.makeDirectory(from);
  return { file: joinPath(from, name), from, to };
}

/**
 * Makes the log of a new member in a directory that must be missing or empty. It is made beside it
 * and renamed, so a crash leaves a whole log or none.
 */
export async function createWal(
  disk: Disk,
  directory: string,
  metadata: WalMetadata,
  options: CreateWalOptions,
): Promise<Wal> {
  const { founding } = options;
  const name = segmentName(0, 0);
  const draft = await draftOf(disk, directory, name);
  const file = await disk.open(draft.file, "create");
  await file.truncate(options.segmentBytes ?? SEGMENT_BYTES);
  const records = new RecordBuffer();
  records.addCrc(0);
  let crc = records.addRecord(RecordType.METADATA, 0, marshalMetadata(metadata));
  const start = { index: 0, term: 0 };
  crc = records.addRecord(RecordType.SNAPSHOT, crc, marshalSnapshot(start));
  if (founding !== undefined) {
    if (founding.snapshot !== undefined) {
      crc = records.addRecord(RecordType.SNAPSHOT, crc, marshalSnapshot(founding.snapshot));
    }
    for (const entry of founding.entries) crc = records.addEntry(crc, entry);
    crc = records.addRecord(RecordType.STATE, crc, marshalHardState(founding.hardState));
  }
  await file.write(records.written, 0);
  await file.sync();
  await disk.syncDirectory(parentOf(draft.file));
  await disk.rename(draft.from, draft.to);
  await disk.syncDirectory(parentOf(draft.to));
  const position = {
    metadata,
    segments: [{ path: joinPath(directory, name), sequence: 0, firstIndex: 0 }],
    file,
    offset: records.length,
    crc,
    lastIndex: founding?.entries.at(-1)?.index ?? founding?.snapshot?.index ?? 0,
    hardState: founding?.hardState ?? { term: 0, vote: 0n, commit: 0 },
    snapshotIndex: founding?.snapshot?.index ?? 0,
  };
  return new Wal(disk, directory, position, options);
}

/**
 * Opens the log for appending after all of it was read. A torn tail is cut: the segment as it was
 * is kept beside it as `<name>.broken`. Spare segments that were never begun are removed.
 */
export async function resumeWal(reader: WalReader, options: WalOptions): Promise<Wal> {
  const { tail, metadata } = reader;
  if (tail === undefined || metadata === undefined) {
    throw new Error("the write-ahead log must be read to its end before it is appended to");
  }
  if (reader.lastIndex < reader.from.index) {
    throw new Error("a write-ahead log that is behind its store is not appended to");
  }
  const { disk, directory } = reader;
  for (const name of await disk.list(directory)) {
    if (/^\d+\.tmp$/.test(name)) await disk.remove(joinPath(directory, name));
  }
  const segment = tail.segments.at(-1);
  if (segment === undefined) throw new Error("a log that was read has a segment");
  const file = await disk.open(segment.path, "write");
  if (tail.torn !== undefined) await keepBroken(disk, file, directory);
  // What a crash left behind the tail must never be read as a record later.
  await file.truncate(tail.offset);
  await file.truncate(Math.max(options.segmentBytes ?? SEGMENT_BYTES, tail.offset));
  await file.sync();
  // A process that was killed may have left names in memory alone: what is written under them from
  // here on would go with them when the power fails.
  await disk.syncDirectory(directory);
  const position = {
    metadata,
    segments: tail.segments,
    file,
    offset: tail.offset,
    crc: tail.crc,
    lastIndex: reader.lastIndex,
    hardState: reader.hardState,
    snapshotIndex: reader.snapshots.at(-1)?.index ?? 0,
  };
  return new Wal(disk, directory, position, options);
}

/** Copies a segment whose tail is about to be cut, for whoever wants to know what was lost. */
async function keepBroken(disk: Disk, file: OpenFile, directory: string): Promise<void> {
  const path = `${file.path}.broken`;
  if (await disk.exists(path)) await disk.remove(path);
  const copy = await disk.open(path, "create");
  const bytes = Buffer.allocUnsafeSlow(COPY_BYTES);
  try {
    for (let offset = 0; ; ) {
      const count = await file.read(bytes, offset);
      await copy.write(bytes.subarray(0, count), offset);
      offset += count;
      if (count < bytes.length) break;
    }
    await copy.sync();
  } finally {
    await copy.close();
  }
  await disk.syncDirectory(directory);
}

function parentOf(path: string): string {
  const at = path.replace(/\/+$/, "").lastIndexOf("/");
  if (at < 0) return ".";
  return at === 0 ? "/" : path.slice(0, at);
}
