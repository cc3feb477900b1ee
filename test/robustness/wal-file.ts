/** Just enough of the log's format (WL-02) to find where its records lie. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Frame {
  /** Of the length word. */
  readonly offset: number;
  /** Offset after the padding. */
  readonly end: number;
  /** Bytes of the record between length word and padding. */
  readonly recordBytes: number;
  /** 2 = entry, 3 = state (WL-03). */
  readonly type: number;
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
    // The type is the first field of a record, tag 1, and fits one byte.
    frames.push({ offset, end, recordBytes, type: bytes[offset + 9] ?? 0 });
    offset = end;
  }
  return { path, frames };
}
