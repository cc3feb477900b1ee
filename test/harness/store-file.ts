/** The files of a member as they lie on the disk, and how a byte of one rots. */
import assert from "node:assert/strict";
import { closeSync, openSync, readdirSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";

/** The store's file in its directory. */
export function storeFileIn(directory: string): string {
  const name = readdirSync(directory).find((file) => file.endsWith(".mdb"));
  assert.ok(name !== undefined, `no store in ${directory}`);
  return join(directory, name);
}

/** The same of the member that keeps its data in `dataDirectory`. */
export function storeFileOf({ dataDirectory }: { readonly dataDirectory: string }): string {
  return storeFileIn(join(dataDirectory, "member", "store"));
}

/** In place: a process that has the file open sees it at once. */
export function flipBit(path: string, at: number, bit: number): void {
  const file = openSync(path, "r+");
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  byte[0] = (byte[0] as number) ^ (1 << bit);
  writeSync(file, byte, 0, 1, at);
  closeSync(file);
}
