/**
 * What is refused before a request is proposed or read (surface 2): the same checks for a request
 * that stands alone and for one inside a transaction. Pure; answers the refusal or undefined.
 */
import type { Key } from "../base/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import {
  AlarmAction,
  type AlarmRequest,
  AlarmType,
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  SortOrder,
  SortTarget,
  type TxnRequest,
} from "../wire/index.ts";

export type Refusal = EtcdError | undefined;

export function checkRange(request: RangeRequest): Refusal {
  if (request.key.length === 0) return errors.EmptyKey;
  const { sortOrder, sortTarget } = request;
  if (sortOrder < 0 || sortOrder > SortOrder.DESCEND) return errors.InvalidSortOption;
  if (sortTarget < 0 || sortTarget > SortTarget.VALUE) return errors.InvalidSortOption;
  return undefined;
}

/** Such a range needs the whole result before its first record (KV-08). */
export function hasRevisionFilter(request: RangeRequest): boolean {
  return (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  );
}

export function checkPut(request: PutRequest): Refusal {
  if (request.key.length === 0) return errors.EmptyKey;
  if (request.ignoreValue && request.value.length !== 0) return errors.ValueProvided;
  if (request.ignoreLease && request.lease !== 0n) return errors.LeaseProvided;
  return undefined;
}

export function checkDeleteRange(request: DeleteRangeRequest): Refusal {
  return request.key.length === 0 ? errors.EmptyKey : undefined;
}

export function checkTxn(request: TxnRequest, operationsMax: number): Refusal {
  return (
    checkTxnShape(request, operationsMax) ??
    collectWrites(request.success, newWrites()) ??
    collectWrites(request.failure, newWrites())
  );
}

export function checkAlarm(request: AlarmRequest): Refusal {
  const { action, alarm } = request;
  const isKnown =
    action >= AlarmAction.GET &&
    action <= AlarmAction.DEACTIVATE &&
    alarm >= AlarmType.NONE &&
    alarm <= AlarmType.CORRUPT;
  return isKnown ? undefined : errors.InvalidAlarm;
}

/** Counts and fields, depth first. A nested transaction gets what its parent left (TX-02). */
function checkTxnShape(request: TxnRequest, budget: number): Refusal {
  const widest = Math.max(request.compare.length, request.success.length, request.failure.length);
  if (widest > budget) return errors.TooManyOps;
  for (const compare of request.compare) {
    if (compare.key.length === 0) return errors.EmptyKey;
  }
  for (const branch of [request.success, request.failure]) {
    for (const op of branch) {
      const refusal = checkOp(op, budget - widest);
      if (refusal !== undefined) return refusal;
    }
  }
  return undefined;
}

function checkOp(op: RequestOp, budget: number): Refusal {
  switch (op.kind) {
    case "range":
      return checkRange(op.range);
    case "put":
      return checkPut(op.put);
    case "deleteRange":
      return checkDeleteRange(op.deleteRange);
    case "txn":
      return checkTxnShape(op.txn, budget);
    case "none":
      return errors.KeyNotFound;
  }
}

/** Keys put and intervals deleted by a list of operations, with all that is nested in them. */
interface Writes {
  readonly puts: Set<Key>;
  deletes: Interval[];
}

/**
 * [lo, hi), compared literally: etcd gives a "\0" end no special meaning here. Lists of them are
 * sorted and disjoint, so that joining two takes one pass: a request is at most 128 wide in sum
 * over its levels, which bounds the work whatever a client sends.
 */
interface Interval {
  readonly lo: Key;
  readonly hi: Key;
}

function newWrites(): Writes {
  return { puts: new Set(), deletes: [] };
}

/**
 * Adds the writes of `ops` to `writes`, or refuses a key that is written twice (TX-04). The two
 * branches of a nested transaction may overlap, as only one of them runs.
 */
function collectWrites(ops: readonly RequestOp[], writes: Writes): Refusal {
  const own: Interval[] = [];
  for (const op of ops) {
    if (op.kind !== "deleteRange") continue;
    const { key, rangeEnd } = op.deleteRange;
    const hi = rangeEnd.length === 0 ? `${key}\0` : rangeEnd;
    if (key < hi) own.push({ lo: key, hi });
  }
  own.sort((a, b) => (a.lo < b.lo ? -1 : a.lo > b.lo ? 1 : 0));
  writes.deletes = join(writes.deletes, own);
  for (const op of ops) {
    if (op.kind !== "txn") continue;
    const refusal = collectNested(op.txn, writes);
    if (refusal !== undefined) return refusal;
  }
  for (const op of ops) {
    if (op.kind !== "put") continue;
    const { key } = op.put;
    if (writes.puts.has(key) || isDeleted(writes, key)) return errors.DuplicateKey;
    writes.puts.add(key);
  }
  return undefined;
}

function collectNested(txn: TxnRequest, writes: Writes): Refusal {
  const success = newWrites();
  const failure = newWrites();
  const refusal =
    collectWrites(txn.success, success) ??
    collectWrites(txn.failure, failure) ??
    addPuts(writes, success.puts, undefined) ??
    addPuts(writes, failure.puts, success.puts);
  if (refusal !== undefined) return refusal;
  writes.deletes = join(join(writes.deletes, success.deletes), failure.deletes);
  return undefined;
}

function addPuts(
  writes: Writes,
  puts: ReadonlySet<Key>,
  sibling: ReadonlySet<Key> | undefined,
): Refusal {
  for (const key of puts) {
    if (writes.puts.has(key) && sibling?.has(key) !== true) return errors.DuplicateKey;
    if (isDeleted(writes, key)) return errors.DuplicateKey;
    writes.puts.add(key);
  }
  return undefined;
}

/** The union of two sorted lists, itself sorted and disjoint. */
function join(a: Interval[], b: Interval[]): Interval[] {
  const joined: Interval[] = [];
  let last: { lo: Key; hi: Key } | undefined;
  let atA = 0;
  let atB = 0;
  while (atA < a.length || atB < b.length) {
    const fromA = a[atA];
    const fromB = b[atB];
    const takesA = fromB === undefined || (fromA !== undefined && fromA.lo <= fromB.lo);
    const next = (takesA ? fromA : fromB) as Interval;
    if (takesA) atA += 1;
    else atB += 1;
    if (last === undefined || next.lo > last.hi) {
      last = { lo: next.lo, hi: next.hi };
      joined.push(last);
    } else if (next.hi > last.hi) {
      last.hi = next.hi;
    }
  }
  return joined;
}

function isDeleted(writes: Writes, key: Key): boolean {
  const { deletes } = writes;
  let lo = 0;
  let hi = deletes.length;
  while (lo < hi) {
    const middle = (lo + hi) >>> 1;
    if ((deletes[middle] as Interval).lo <= key) lo = middle + 1;
    else hi = middle;
  }
  return lo > 0 && key < (deletes[lo - 1] as Interval).hi;
}
