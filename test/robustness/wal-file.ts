/** Just enough of the log's format (WL-02) to find where its records lie. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decode, field, schema } from "../harness/proto.ts";

export interface Frame {
  /** Of the length word. */
  readonly offset: number;
  /** Offset after the padding. */
  readonly end: number;
  /** Bytes of the record between length word and padding. */
  readonly recordBytes: number;
  /** 1 = metadata, 2 = entry, 3 = state, 4 = crc, 5 = snapshot (WL-03). */
  readonly type: number;
  readonly data: Buffer;
}

interface WalRecord {
  type: number;
  data: Buffer;
}
const WalRecord = schema<WalRecord>([field("type", 1, "int32"), field("data", 3, "bytes")]);

export interface LogEntry {
  type: number;
  term: bigint;
  index: bigint;
  data: Buffer;
}
/** raftpb.Entry. */
export const LogEntry = schema<LogEntry>([
  field("type", 1, "int32"),
  field("term", 2, "uint64"),
  field("index", 3, "uint64"),
  field("data", 4, "bytes"),
]);

export interface WalSnapshot {
  index: bigint;
  term: bigint;
}
export const WalSnapshot = schema<WalSnapshot>([
  field("index", 1, "uint64"),
  field("term", 2, "uint64"),
]);

function decodeOrZero(bytes: Buffer): WalRecord {
  try {
    return decode(WalRecord, bytes);
  } catch {
    // Records that a test has damaged have no type.
    return { type: 0, data: Buffer.alloc(0) };
  }
}

export interface WalFile {
  readonly path: string;
  readonly frames: readonly Frame[];
}

export function walDirectory(dataDirectory: string): string {
  return join(dataDirectory, "member", "wal");
}

/** The newest segment that holds records. */
export function lastWalFile(dataDirectory: string): WalFile {
  const directory = walDirectory(dataDirectory);
  const names = readdirSync(directory).filter((name) => name.endsWith(".wal"));
  const path = join(directory, names.sort().at(-1) ?? "missing.wal");
  const bytes = readFileSync(path);
  const frames: Frame[] = [];
  let offset = 0;
  while (offset + 8 <= bytes.length) {
    const word = bytes.readBigUInt64LE(offset);
    if (word === 0n) break;
    const recordBytes = Number(word & 0x00ff_ffff_ffff_ffffn);
    const top = Number(word >> 56n);
    const padBytes = (top & 0x80) === 0 ? 0 : top & 0x07;
    const end = offset + 8 + recordBytes + padBytes;
    if (end > bytes.length) break;
    const record = decodeOrZero(bytes.subarray(offset + 8, offset + 8 + recordBytes));
    frames.push({ offset, end, recordBytes, ...record });
    offset = end;
  }
  return { path, frames };
}
