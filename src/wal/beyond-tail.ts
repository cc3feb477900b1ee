/**
 * Looks behind the end of a log for proof that the end is no crash's doing.
 *
 * A batch ends with its state, and the next batch is written after that one is durable. So where a
 * state is followed by one more record, everything before was on the medium once; if the log breaks
 * off before them, what is missing was acknowledged, and the disk has lost it since.
 *
 * Two records prove each other: the crc of the first seeds that of the second. The log broke off
 * inside its frames, so records are looked for at each multiple of 8. Behind a clean end there are
 * only zeros, and reading them is all that this costs.
 */
import { crc32c } from "../base/index.ts";
import type { OpenFile } from "../seam/index.ts";
import { FRAME_BYTES, RecordType } from "./record.ts";
import { Frame, parseFrame } from "./frame.ts";

const WINDOW_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(WINDOW_BYTES);
/** What is looked through behind the end at most; a segment is a quarter of it. */
const SEARCH_BYTES_MAX = 256 * 1024 * 1024;

/** Offset of a record, at or after `offset`, that follows the end of a batch. */
export async function findLaterBatch(file: OpenFile, offset: number): Promise<number | undefined> {
  const { lo, hi } = await nonZeroRange(file, offset);
  if (lo >= hi) return undefined;
  const bytes = Buffer.allocUnsafeSlow(Math.min(hi - lo, SEARCH_BYTES_MAX));
  const known = await file.read(bytes, lo);
  const found = search(bytes.subarray(0, known));
  return found === undefined ? undefined : lo + found;
}

function search(bytes: Buffer): number | undefined {
  const state = new Frame();
  const next = new Frame();
  for (let at = 0; at + FRAME_BYTES <= bytes.length; at += 8) {
    const isState =
      parseFrame(bytes, at, bytes.length, state) === "record" && state.type === RecordType.STATE;
    if (!isState || parseFrame(bytes, state.end, bytes.length, next) !== "record") continue;
    if (crc32c(state.crc, bytes, next.dataLo, next.dataHi) === next.crc) return state.end;
  }
  return undefined;
}

/** From the first byte that is not zero to after the last, widened to multiples of 8. */
async function nonZeroRange(file: OpenFile, offset: number): Promise<{ lo: number; hi: number }> {
  const window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  let lo = Number.MAX_SAFE_INTEGER;
  let hi = 0;
  for (let base = offset; ; ) {
    const known = await file.read(window, base);
    if (known === 0) break;
    base += known;
    if (window.compare(ZEROS, 0, known, 0, known) === 0) continue;
    let first = 0;
    while (window[first] === 0) first += 1;
    let last = known;
    while (window[last - 1] === 0) last -= 1;
    lo = Math.min(lo, base - known + first);
    hi = base - known + last;
  }
  return { lo: lo - (lo % 8), hi: hi + ((8 - (hi % 8)) % 8) };
}
