/**
 * The comparisons of a transaction (surface TX-05 to TX-08). Unknown targets compare as equal,
 * unknown results hold (DV-12): no client sends them, and every etcd member takes them so.
 */
import type { Key } from "../base/index.ts";
import {
  type Compare,
  CompareResult,
  CompareTarget,
  type EncodedKeyValue,
  keyValueCreateRevision,
  keyValueKey,
  keyValueLease,
  keyValueModRevision,
  keyValueValue,
  keyValueVersion,
} from "../wire/index.ts";
import type { RangeView } from "./range.ts";

const EMPTY = Buffer.alloc(0);
/** Records taken at a time for a comparison over a range. */
const PAGE_RECORDS = 256;

/** Whether all hold on the current state of `view`. */
export function holdAll(view: RangeView, compares: readonly Compare[]): boolean {
  for (const compare of compares) {
    if (!holds(view, compare)) return false;
  }
  return true;
}

function holds(view: RangeView, compare: Compare): boolean {
  const isPoint = compare.rangeEnd === "";
  // Revisions and versions stand in the key index: no record is read for them.
  const keysOnly = compare.target !== CompareTarget.VALUE && compare.target !== CompareTarget.LEASE;
  const limit = isPoint ? 1 : PAGE_RECORDS;
  let key: Key = compare.key;
  for (let isFirst = true; ; isFirst = false) {
    const outcome = view.range({
      key,
      rangeEnd: compare.rangeEnd,
      revision: 0,
      limit,
      countOnly: false,
      keysOnly,
    });
    if (outcome.kind !== "ok") return false;
    const kvs = outcome.kvs;
    if (kvs.length === 0) return isFirst ? holdsForMissing(compare) : true;
    for (const kv of kvs) {
      if (!holdsFor(compare, kv)) return false;
    }
    if (isPoint || kvs.length < limit) return true;
    key = `${keyValueKey(kvs[kvs.length - 1] as EncodedKeyValue)}\0`;
    if (compare.rangeEnd !== "\0" && key >= compare.rangeEnd) return true;
  }
}

/** A key that does not exist has no value to compare, and zero for everything else (TX-06). */
function holdsForMissing(compare: Compare): boolean {
  switch (compare.target) {
    case CompareTarget.VALUE:
      return false;
    case CompareTarget.LEASE:
      return hasResult(compare.result, orderOf(0n, leaseOperand(compare)));
    default:
      return hasResult(compare.result, orderOf(0, numberOperand(compare)));
  }
}

function holdsFor(compare: Compare, kv: EncodedKeyValue): boolean {
  switch (compare.target) {
    case CompareTarget.VALUE:
      return hasResult(compare.result, Buffer.compare(keyValueValue(kv), valueOperand(compare)));
    case CompareTarget.LEASE:
      return hasResult(compare.result, orderOf(keyValueLease(kv), leaseOperand(compare)));
    case CompareTarget.VERSION:
      return hasResult(compare.result, orderOf(keyValueVersion(kv), numberOperand(compare)));
    case CompareTarget.CREATE:
      return hasResult(compare.result, orderOf(keyValueCreateRevision(kv), numberOperand(compare)));
    case CompareTarget.MOD:
      return hasResult(compare.result, orderOf(keyValueModRevision(kv), numberOperand(compare)));
    default:
      return hasResult(compare.result, 0);
  }
}

/** The operand if it is the one that the target asks for, else zero (TX-08). */
function numberOperand(compare: Compare): number {
  const operand = compare.operand;
  if (operand === undefined) return 0;
  switch (compare.target) {
    case CompareTarget.VERSION:
      return operand.kind === "version" ? operand.value : 0;
    case CompareTarget.CREATE:
      return operand.kind === "createRevision" ? operand.value : 0;
    case CompareTarget.MOD:
      return operand.kind === "modRevision" ? operand.value : 0;
    default:
      return 0;
  }
}

function valueOperand(compare: Compare): Buffer {
  return compare.operand?.kind === "value" ? compare.operand.value : EMPTY;
}

function leaseOperand(compare: Compare): bigint {
  return compare.operand?.kind === "lease" ? compare.operand.value : 0n;
}

function orderOf<T extends number | bigint>(a: T, b: T): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function hasResult(result: number, order: number): boolean {
  switch (result) {
    case CompareResult.EQUAL:
      return order === 0;
    case CompareResult.NOT_EQUAL:
      return order !== 0;
    case CompareResult.GREATER:
      return order > 0;
    case CompareResult.LESS:
      return order < 0;
    default:
      return true;
  }
}
