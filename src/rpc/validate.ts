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
  /** [lo, hi), compared literally: etcd gives a "\0" end no special meaning here. */
  readonly deletes: { lo: Key; hi: Key }[];
}

function newWrites(): Writes {
  return { puts: new Set(), deletes: [] };
}

/**
 * Adds the writes of `ops` to `writes`, or refuses a key that is written twice (TX-04). The two
 * branches of a nested transaction may overlap, as only one of them runs.
 */
function collectWrites(ops: readonly RequestOp[], writes: Writes): Refusal {
  for (const op of ops) {
    if (op.kind !== "deleteRange") continue;
    const { key, rangeEnd } = op.deleteRange;
    writes.deletes.push({ lo: key, hi: rangeEnd.length === 0 ? `${key}\0` : rangeEnd });
  }
  for (const op of ops) {
    if (op.kind !== "txn") continue;
    const success = newWrites();
    const failure = newWrites();
    const refusal =
      collectWrites(op.txn.success, success) ??
      collectWrites(op.txn.failure, failure) ??
      addPuts(writes, success.puts, undefined) ??
      addPuts(writes, failure.puts, success.puts);
    if (refusal !== undefined) return refusal;
    writes.deletes.push(...success.deletes, ...failure.deletes);
  }
  for (const op of ops) {
    if (op.kind !== "put") continue;
    if (isWritten(writes, op.put.key)) return errors.DuplicateKey;
    writes.puts.add(op.put.key);
  }
  return undefined;
}

function addPuts(
  writes: Writes,
  puts: ReadonlySet<Key>,
  sibling: Writes["puts"] | undefined,
): Refusal {
  for (const key of puts) {
    if (writes.puts.has(key) && sibling?.has(key) !== true) return errors.DuplicateKey;
    if (isDeleted(writes, key)) return errors.DuplicateKey;
    writes.puts.add(key);
  }
  return undefined;
}

function isWritten(writes: Writes, key: Key): boolean {
  return writes.puts.has(key) || isDeleted(writes, key);
}

function isDeleted(writes: Writes, key: Key): boolean {
  for (const { lo, hi } of writes.deletes) {
    if (lo <= key && key < hi) return true;
  }
  return false;
}
