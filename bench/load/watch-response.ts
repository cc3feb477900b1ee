/**
 * Counts the events of a WatchResponse without making objects of them: the generator sees hundreds
 * of thousands a second, and may cost no more than a fraction of what the server spends on each.
 */

export interface WatchSummary {
  created: boolean;
  canceled: boolean;
  events: number;
}

/** One for all: a response is read and used before the next one comes. */
export const watchSummary: WatchSummary = { created: false, canceled: false, events: 0 };

/** Reads `bytes[lo, hi)` into `summary`. Throws RangeError when it is not a protobuf message. */
export function readWatchResponse(
  bytes: Uint8Array,
  lo: number,
  hi: number,
  summary: WatchSummary,
): void {
  summary.created = false;
  summary.canceled = false;
  summary.events = 0;
  let at = lo;
  while (at < hi) {
    const tag = bytes[at] as number;
    at += 1;
    // All fields have numbers below 16, so that a tag is one byte.
    if (tag >= 0x80) throw new RangeError(`watch response: tag ${tag}`);
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at] as number;
      at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      if (at >= hi) throw new RangeError("watch response: cut off");
    }
    if ((tag & 7) === 2) at += value;
    else if ((tag & 7) !== 0) throw new RangeError(`watch response: tag ${tag}`);
    if (tag === 0x5a) summary.events += 1;
    else if (tag === 0x18) summary.created = value !== 0;
    else if (tag === 0x20) summary.canceled = value !== 0;
  }
  if (at !== hi) throw new RangeError("watch response: cut off");
}
