/**
 * A Range request on a view of the store: limits, filters and sorting as etcd does them.
 *
 * One function for all three users: plain reads, ranges that came through the log, and ranges
 * inside a transaction, which see its own writes. In key order without filters (what nearly every
 * request is) the store's answer passes through untouched.
 *
 * Source: surface 2.1 (KV-02, KV-04, KV-06 to KV-09).
 */
import type { Key } from "../base/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import type { RangeOutcome, RangeQuery } from "../mvcc/index.ts";
import {
  decodeKeyValue,
  type EncodedKeyValue,
  keyValueCreateRevision,
  keyValueModRevision,
  keyValueValue,
  keyValueVersion,
  marshalKeyValue,
  type RangeRequest,
  type RangeResponse,
  SortOrder,
  SortTarget,
} from "../wire/index.ts";

/** What can be ranged over: the store, or a transaction on it. */
export interface RangeView {
  range(query: RangeQuery): RangeOutcome;
}

const EMPTY = Buffer.alloc(0);

/**
 * `revision` is what the answer's header says: the store's current one, or the transaction's. The
 * request's sort options have been checked to exist. `keysOnlyWithLease`: answer as versions up to
 * 3.6 do (KV-06, DV-05). Refusals: Compacted, FutureRev.
 */
export function executeRange(
  view: RangeView,
  request: RangeRequest,
  revision: number,
  keysOnlyWithLease = false,
): RangeResponse | EtcdError {
  const isFiltered =
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0;
  // Only an explicit order makes etcd read everything: with order NONE and another target than the
  // key, it sorts the first `limit` + 1 records.
  const readsAll =
    isFiltered ||
    (request.sortOrder !== SortOrder.NONE &&
      !(request.sortOrder === SortOrder.ASCEND && request.sortTarget === SortTarget.KEY));
  const sortsByValue = request.sortTarget === SortTarget.VALUE;
  const outcome = view.range({
    key: request.key,
    rangeEnd: request.rangeEnd,
    revision: request.revision > 0 ? request.revision : 0,
    limit: readsAll || request.limit <= 0 ? 0 : request.limit + 1,
    countOnly: request.countOnly,
    keysOnly: request.keysOnly && !sortsByValue,
    keysOnlyWithLease,
  });
  if (outcome.kind === "compacted") return errors.Compacted;
  if (outcome.kind === "future") return errors.FutureRev;

  let kvs = outcome.kvs;
  if (isFiltered) kvs = filtered(kvs, request);
  if (kvs.length > 1) kvs = sorted(kvs, request.sortTarget, request.sortOrder);
  const more = request.limit > 0 && kvs.length > request.limit;
  if (more) kvs.length = request.limit;
  if (request.keysOnly && sortsByValue) kvs = kvs.map(withoutValue);
  return { revision, kvs, more, count: outcome.count };
}

function filtered(kvs: readonly EncodedKeyValue[], request: RangeRequest): EncodedKeyValue[] {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return kvs.filter((kv) => {
    const mod = keyValueModRevision(kv);
    if (maxModRevision !== 0 && mod > maxModRevision) return false;
    if (minModRevision !== 0 && mod < minModRevision) return false;
    const create = keyValueCreateRevision(kv);
    if (maxCreateRevision !== 0 && create > maxCreateRevision) return false;
    return minCreateRevision === 0 || create >= minCreateRevision;
  });
}

/** Takes records in key order; equal ones stay in it, also descending. */
function sorted(kvs: EncodedKeyValue[], target: number, order: number): EncodedKeyValue[] {
  const isDescending = order === SortOrder.DESCEND;
  switch (target) {
    case SortTarget.KEY:
      return isDescending ? kvs.reverse() : kvs;
    case SortTarget.VERSION:
      return sortedByNumber(kvs, keyValueVersion, isDescending);
    case SortTarget.CREATE:
      return sortedByNumber(kvs, keyValueCreateRevision, isDescending);
    case SortTarget.MOD:
      return sortedByNumber(kvs, keyValueModRevision, isDescending);
    default:
      return sortedByValue(kvs, isDescending);
  }
}

function sortedByNumber(
  kvs: readonly EncodedKeyValue[],
  fieldOf: (kv: EncodedKeyValue) => number,
  isDescending: boolean,
): EncodedKeyValue[] {
  const items = kvs.map((kv) => ({ kv, field: fieldOf(kv) }));
  items.sort(isDescending ? (a, b) => b.field - a.field : (a, b) => a.field - b.field);
  return items.map((item) => item.kv);
}

function sortedByValue(kvs: readonly EncodedKeyValue[], isDescending: boolean): EncodedKeyValue[] {
  const items = kvs.map((kv) => ({ kv, value: keyValueValue(kv) }));
  items.sort(
    isDescending
      ? (a, b) => Buffer.compare(b.value, a.value)
      : (a, b) => Buffer.compare(a.value, b.value),
  );
  return items.map((item) => item.kv);
}

function withoutValue(kv: EncodedKeyValue): EncodedKeyValue {
  const decoded = decodeKeyValue(kv);
  decoded.value = EMPTY;
  return marshalKeyValue(decoded);
}

/** Whether sort target and order are among those that exist (KV-04). */
export function hasKnownSort(request: RangeRequest): boolean {
  return (
    (request.sortOrder === SortOrder.NONE ||
      request.sortOrder === SortOrder.ASCEND ||
      request.sortOrder === SortOrder.DESCEND) &&
    request.sortTarget >= SortTarget.KEY &&
    request.sortTarget <= SortTarget.VALUE
  );
}

/** A query for the live record of one key. */
export function pointQuery(key: Key): RangeQuery {
  return { key, rangeEnd: "", revision: 0, limit: 1, countOnly: false, keysOnly: false };
}
