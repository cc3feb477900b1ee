/**
 * A mark beside the store while it is in use, so that the next start knows of an end that was not
 * orderly. LMDB may end the process over a page that rotted, and such a death looks like a kill: it
 * must not come again and again. So the more ends of that kind there were in a row, the more of the
 * store is checked before LMDB is let at it.
 *
 * Shape: `<directory>/in-use`, the number of such ends before this use, in decimal. It need not
 * outlive a power cut, which is not LMDB's doing.
 */
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PageCheck } from "./page-check.ts";

const NAME = "in-use";
/** Files up to this are checked whole: after an orderly end, and after one that was not. */
const WHOLE_BYTES_MAX = [64 * 1024 * 1024, 1024 * 1024 * 1024] as const;

/** Sets the mark; how many ends before this were not orderly, in a row. */
export function markUse(directory: string): number {
  const path = join(directory, NAME);
  const ends = endsBefore(path);
  writeFileSync(path, `${ends}\n`, { mode: 0o600 });
  return ends;
}

/** The store was closed. */
export function unmarkUse(directory: string): void {
  rmSync(join(directory, NAME), { force: true });
}

/** How much of the file is to be checked; from the second such end on all of it. */
export function checkAfter(ends: number, file: string): PageCheck {
  const bytesMax = WHOLE_BYTES_MAX[ends] ?? Number.POSITIVE_INFINITY;
  const bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return bytes <= bytesMax ? "whole" : "structure";
}

function endsBefore(path: string): number {
  let text: string;
  try {
    text = readFileSync(path, "latin1");
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return 0;
    throw error;
  }
  const counted = Number(text);
  // A mark that rotted is a mark all the same.
  return Number.isSafeInteger(counted) && counted >= 0 ? counted + 1 : 1;
}
