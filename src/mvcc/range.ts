import type { Key } from "../base/index.ts";
import type { RangeQuery } from "./types.ts";

/** [lo, hi), hi undefined = no end; `isPoint` = only `lo`. */
export interface Span {
  readonly lo: Key;
  readonly hi: Key | undefined;
  readonly isPoint: boolean;
}

/** etcd's three kinds of range (KV-01). */
export function spanOf(key: Key, rangeEnd: Key): Span {
  if (rangeEnd === "") return { lo: key, hi: undefined, isPoint: true };
  return { lo: key, hi: rangeEnd === "\0" ? undefined : rangeEnd, isPoint: false };
}

export function isEmptySpan(span: Span): boolean {
  return span.hi !== undefined && span.hi <= span.lo;
}

export type QueryRefusal = "compacted" | "future";

/** KV-03: the compacted revision itself can still be read. */
export function refusalOf(
  query: RangeQuery,
  currentRevision: number,
  compactRevision: number,
): QueryRefusal | undefined {
  if (query.revision <= 0) return undefined;
  if (query.revision > currentRevision) return "future";
  if (query.revision < compactRevision) return "compacted";
  return undefined;
}
