import type { OverlayCursor } from "./overlay.ts";
import type { Row } from "./types.ts";

/** A row with its key as a one-byte string too. */
export interface TextRow extends Row {
  readonly text: string;
}

/** Rows of the medium in key order; undefined at the end. */
export type RowSource = () => TextRow | undefined;

/**
 * Merges overlay cursors (newest first) over the rows of the medium: the newest operation on a key
 * wins, deletes hide what lies below.
 */
export function mergeRows(
  source: RowSource,
  cursors: readonly OverlayCursor[],
  hi: string | undefined,
  bounds: { readonly limit: number; readonly bytesMax: number },
): Row[] {
  const rows: Row[] = [];
  let bytes = 0;
  let base = source();
  let baseKey = base?.text;
  while (rows.length < bounds.limit) {
    const least = leastKey(cursors, baseKey);
    if (least === undefined) break;
    if (hi !== undefined && least >= hi) break;
    let row: Row | undefined;
    let isDecided = false;
    for (const cursor of cursors) {
      if (cursor.key !== least) continue;
      if (!isDecided) {
        const value = cursor.value();
        if (value !== undefined) row = { key: Buffer.from(least, "latin1"), value };
        isDecided = true;
      }
      cursor.advance();
    }
    if (baseKey === least) {
      if (!isDecided) row = base;
      base = source();
      baseKey = base?.text;
    }
    if (row === undefined) continue;
    bytes += row.value.length;
    if (rows.length > 0 && bytes > bounds.bytesMax) break;
    rows.push(row);
  }
  return rows;
}

function leastKey(
  cursors: readonly OverlayCursor[],
  baseKey: string | undefined,
): string | undefined {
  let least = baseKey;
  for (const cursor of cursors) {
    const key = cursor.key;
    if (key !== undefined && (least === undefined || key < least)) least = key;
  }
  return least;
}
