import type { Key } from "../base/index.ts";
import type { EncodedKeyValue } from "../wire/index.ts";
import type { KeyIndex } from "./key-index.ts";
import { isEmptySpan, spanOf, type Span } from "./range.ts";
import type { RangeCursor, RangeQuery } from "./types.ts";

interface CursorHost {
  readonly index: KeyIndex;
  readonly compactRevision: number;
  record(query: RangeQuery, key: Key, slot: number): EncodedKeyValue;
  recordBytes(query: RangeQuery, key: Key, slot: number): number;
}

/**
 * Holds nothing but a key and a revision between slices, so it may be kept as long as one likes.
 */
export class StoreCursor implements RangeCursor {
  readonly revision: number;
  readonly #host: CursorHost;
  readonly #query: RangeQuery;
  readonly #span: Span;
  #next: Key;
  #remaining: number;

  constructor(host: CursorHost, query: RangeQuery, revision: number) {
    this.#host = host;
    this.#query = query;
    this.revision = revision;
    this.#span = spanOf(query.key, query.rangeEnd);
    this.#next = query.key;
    const isEmpty = query.countOnly || isEmptySpan(this.#span);
    this.#remaining = isEmpty ? 0 : query.limit <= 0 ? Number.POSITIVE_INFINITY : query.limit;
  }

  next(maxRecords: number, maxBytes: number): EncodedKeyValue[] | "compacted" {
    let bytes = 0;
    return this.#walk(maxRecords, (key, slot, kvs: EncodedKeyValue[]) => {
      const record = this.#host.record(this.#query, key, slot);
      kvs.push(record);
      bytes += record.length;
      return bytes < maxBytes;
    });
  }

  sizes(maxRecords: number): number[] | "compacted" {
    return this.#walk(maxRecords, (key, slot, sizes: number[]) => {
      sizes.push(this.#host.recordBytes(this.#query, key, slot));
      return true;
    });
  }

  /** `visit` adds one item for a key and says whether there is room for more. */
  #walk<T>(
    maxRecords: number,
    visit: (key: Key, slot: number, items: T[]) => boolean,
  ): T[] | "compacted" {
    if (this.revision < this.#host.compactRevision) return "compacted";
    const items: T[] = [];
    const max = Math.min(maxRecords, this.#remaining);
    if (max <= 0) return items;
    const hi = this.#span.isPoint ? `${this.#query.key}\0` : this.#span.hi;
    this.#host.index.walk(this.#next, hi, this.revision, (key, slot) => {
      const hasRoom = visit(key, slot, items);
      this.#next = `${key}\0`;
      return hasRoom && items.length < max;
    });
    this.#remaining = items.length === 0 ? 0 : this.#remaining - items.length;
    return items;
  }

  close(): void {
    this.#remaining = 0;
  }
}
