/**
 * A line of text that a member cannot do without, written twice in one file, each with its
 * checksum: a byte that rots costs one of them, and the next write brings it back.
 *
 * Shape: `<text> #<CRC-32C of the text, 8 hex digits>\n`, two times.
 */
import { crc32c } from "../base/index.ts";
import type { Disk } from "../seam/index.ts";
import { writeWhole } from "./whole-file.ts";

/** Of " #" and eight digits and the line's end. */
const SEAL_BYTES = 11;

/** `text` has no line end. */
export function sealed(text: string): Buffer {
  const line = lineOf(Buffer.from(text));
  return Buffer.concat([line, line]);
}

/** The text; undefined when neither of the two is as it was written. */
export function unsealed(bytes: Buffer): string | undefined {
  const half = bytes.length / 2;
  for (const line of [bytes.subarray(0, half), bytes.subarray(half)]) {
    const text = line.subarray(0, Math.max(0, line.length - SEAL_BYTES));
    if (line.equals(lineOf(text))) return text.toString("utf8");
  }
  return undefined;
}

/** Settles when it is durable. */
export function writeSealed(disk: Disk, path: string, text: string): Promise<void> {
  return writeWhole(disk, path, sealed(text));
}

function lineOf(text: Buffer): Buffer {
  const checksum = (crc32c(0, text) >>> 0).toString(16).padStart(8, "0");
  return Buffer.concat([text, Buffer.from(` #${checksum}\n`)]);
}
