/**
 * Transactions: decide, check, then do.
 *
 * All comparisons, those of nested transactions too, are decided on the state before the first
 * operation (TX-09); then everything that could refuse is checked on that same state (TX-13); only
 * then is the first byte written, so nothing is ever half done.
 */
import { TXN_OPS_MAX } from "../base/index.ts";
import { EtcdError, errors } from "../errors/index.ts";
import type { LeaseTable } from "../lease/index.ts";
import type { RangeOutcome, RangeQuery, Store, WriteTransaction } from "../mvcc/index.ts";
import {
  type DeleteRangeRequest,
  type DeleteRangeResponse,
  keyValueLease,
  keyValueValue,
  type PutRequest,
  type PutResponse,
  type RangeRequest,
  type RangeResponse,
  type RequestOp,
  type ResponseOp,
  type TxnRequest,
  type TxnResponse,
} from "../wire/index.ts";
import { holdAll } from "./compare.ts";
import { executeRange, hasKnownSort, pointQuery } from "./range.ts";

/** What operations run on: a write transaction, or the store when there is nothing to write. */
interface TxnView {
  readonly revision: number;
  range(query: RangeQuery): RangeOutcome;
}

/**
 * The branches that a transaction takes: its own decision, then those of the transactions nested in
 * the branch taken, depth first. Undefined when it nests deeper than any client's may (TX-02).
 */
export function decide(store: Store, txn: TxnRequest): boolean[] | undefined {
  const path: boolean[] = [];
  return decideInto(path, store, txn, 1) ? path : undefined;
}

function decideInto(path: boolean[], store: Store, txn: TxnRequest, depth: number): boolean {
  if (depth > TXN_OPS_MAX) return false;
  const isSuccess = holdAll(store, txn.compare);
  path.push(isSuccess);
  for (const operation of isSuccess ? txn.success : txn.failure) {
    if (operation.kind === "txn" && !decideInto(path, store, operation.txn, depth + 1)) {
      return false;
    }
  }
  return true;
}

/** Whether a transaction reads only: no operation but ranges at its top level (TX-12). */
export function isReadOnlyTxn(txn: TxnRequest): boolean {
  return txn.success.every(isRange) && txn.failure.every(isRange);
}

function isRange(operation: RequestOp): boolean {
  return operation.kind === "range";
}

/** Runs a read-only transaction on the store. `keysOnlyWithLease` as in `executeRange`. */
export function executeReadTxn(
  store: Store,
  txn: TxnRequest,
  keysOnlyWithLease = false,
): TxnResponse | EtcdError {
  const path = decide(store, txn);
  if (path === undefined) return errors.TooManyOps;
  const run = new TxnRun({ store, leases: undefined, path, isWaited: true, keysOnlyWithLease });
  const refusal = run.check(txn);
  if (refusal !== undefined) return refusal;
  const view: TxnView = {
    revision: store.currentRevision,
    range: (query) => store.range(query),
  };
  const response = run.read(view, txn);
  if (!(response instanceof EtcdError)) response.revision = view.revision;
  return response;
}

export interface TxnRunOptions {
  readonly store: Store;
  /** Undefined when nothing is written. */
  readonly leases: LeaseTable | undefined;
  /** From `decide`. */
  readonly path: readonly boolean[];
  readonly isWaited: boolean;
  readonly keysOnlyWithLease: boolean;
}

/** One transaction on its way along its path. `check` comes before `execute` or `read`. */
export class TxnRun {
  readonly #store: Store;
  readonly #leases: LeaseTable | undefined;
  readonly #path: readonly boolean[];
  readonly #isWaited: boolean;
  readonly #keysOnlyWithLease: boolean;
  #at = 0;

  constructor(options: TxnRunOptions) {
    this.#store = options.store;
    this.#leases = options.leases;
    this.#path = options.path;
    this.#isWaited = options.isWaited;
    this.#keysOnlyWithLease = options.keysOnlyWithLease;
  }

  /** Whatever could refuse, in the order of the operations. */
  check(txn: TxnRequest): EtcdError | undefined {
    this.#at = 0;
    return this.#check(txn);
  }

  #check(txn: TxnRequest): EtcdError | undefined {
    for (const operation of this.#branch(txn)) {
      const refusal = this.#checkOperation(operation);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  #checkOperation(operation: RequestOp): EtcdError | undefined {
    switch (operation.kind) {
      case "range":
        return checkRange(this.#store, operation.range);
      case "put":
        return this.#leases === undefined
          ? undefined
          : checkPut(this.#store, this.#leases, operation.put);
      case "deleteRange":
        return operation.deleteRange.key === "" ? errors.EmptyKey : undefined;
      case "txn":
        return this.#check(operation.txn);
      default:
        return errors.KeyNotFound;
    }
  }

  /** Runs the operations in order; reads see the writes before them (TX-09). */
  execute(tx: WriteTransaction, txn: TxnRequest): TxnResponse {
    this.#at = 0;
    return this.#execute(tx, txn);
  }

  #execute(tx: WriteTransaction, txn: TxnRequest): TxnResponse {
    const succeeded = this.#path[this.#at] as boolean;
    const operations = this.#branch(txn);
    const responses: ResponseOp[] = [];
    for (const operation of operations) {
      const response = this.#executeOperation(tx, operation);
      if (this.#isWaited && response !== undefined) responses.push(response);
    }
    return { revision: 0, succeeded, responses };
  }

  #executeOperation(tx: WriteTransaction, operation: RequestOp): ResponseOp | undefined {
    const leases = this.#leases as LeaseTable;
    switch (operation.kind) {
      case "put":
        return { kind: "put", put: executePut(tx, leases, operation.put, this.#isWaited) };
      case "deleteRange": {
        const request = operation.deleteRange;
        const response = executeDelete(tx, leases, request, this.#isWaited);
        return { kind: "deleteRange", deleteRange: response };
      }
      case "txn":
        return { kind: "txn", txn: this.#execute(tx, operation.txn) };
      case "range": {
        // Nobody reads the answer here, and a range changes nothing (TX-16).
        if (!this.#isWaited) return undefined;
        const range = this.#range(tx, operation.range);
        return { kind: "range", range: range instanceof EtcdError ? emptyRange(tx) : range };
      }
      default:
        return undefined;
    }
  }

  /** The same for a transaction of ranges only, where a refusal is still harmless. */
  read(view: TxnView, txn: TxnRequest): TxnResponse | EtcdError {
    const succeeded = this.#path[0] as boolean;
    const responses: ResponseOp[] = [];
    for (const operation of succeeded ? txn.success : txn.failure) {
      if (operation.kind !== "range") return errors.KeyNotFound;
      const range = this.#range(view, operation.range);
      if (range instanceof EtcdError) return range;
      responses.push({ kind: "range", range });
    }
    return { revision: 0, succeeded, responses };
  }

  #range(view: TxnView, request: RangeRequest): RangeResponse | EtcdError {
    return executeRange(view, request, view.revision, this.#keysOnlyWithLease);
  }

  /** The branch taken; moves along the path. */
  #branch(txn: TxnRequest): readonly RequestOp[] {
    const isSuccess = this.#path[this.#at] as boolean;
    this.#at += 1;
    return isSuccess ? txn.success : txn.failure;
  }
}

/** Compaction does not run between check and execution, so a checked range is never refused. */
function emptyRange(tx: WriteTransaction): RangeResponse {
  return { revision: tx.revision, kvs: [], more: false, count: 0 };
}

/** TX-11. */
function checkRange(store: Store, request: RangeRequest): EtcdError | undefined {
  if (request.key === "") return errors.EmptyKey;
  if (!hasKnownSort(request)) return errors.InvalidSortOption;
  if (request.revision === 0) return undefined;
  if (request.revision > store.currentRevision) return errors.FutureRev;
  if (request.revision < store.compactRevision) return errors.Compacted;
  return undefined;
}

function checkPut(store: Store, leases: LeaseTable, put: PutRequest): EtcdError | undefined {
  if (put.key === "") return errors.EmptyKey;
  if (put.ignoreValue || put.ignoreLease) {
    if (store.get(put.key, 0) === undefined) return errors.KeyNotFound;
  }
  if (put.lease !== 0n && !leases.has(put.lease)) return errors.LeaseNotFound;
  return undefined;
}

/** A put that was checked. The key of one with `ignoreValue` or `ignoreLease` exists. */
export function executePut(
  tx: WriteTransaction,
  leases: LeaseTable,
  put: PutRequest,
  isWaited: boolean,
): PutResponse {
  let value = put.value;
  let lease = put.lease;
  let prevKv: Buffer | undefined;
  if (put.ignoreValue || put.ignoreLease || (put.prevKv && isWaited)) {
    const outcome = tx.range(pointQuery(put.key));
    const before = outcome.kind === "ok" ? outcome.kvs[0] : undefined;
    if (before !== undefined) {
      if (put.ignoreValue) value = keyValueValue(before);
      if (put.ignoreLease) lease = keyValueLease(before);
      if (put.prevKv) prevKv = before;
    }
  }
  tx.put(put.key, value, lease);
  leases.attach(lease, put.key);
  return { revision: tx.revision, prevKv };
}

export function executeDelete(
  tx: WriteTransaction,
  leases: LeaseTable,
  request: DeleteRangeRequest,
  isWaited: boolean,
): DeleteRangeResponse {
  let prevKvs: Buffer[] = [];
  if (request.prevKv && isWaited) {
    const outcome = tx.range({
      key: request.key,
      rangeEnd: request.rangeEnd,
      revision: 0,
      limit: 0,
      countOnly: false,
      keysOnly: false,
    });
    if (outcome.kind === "ok") prevKvs = outcome.kvs;
  }
  const keys = tx.deleteRange(request.key, request.rangeEnd);
  for (const key of keys) leases.detach(key);
  return { revision: tx.revision, deleted: keys.length, prevKvs };
}
