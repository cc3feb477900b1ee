/**
 * What a request may add to the store, in bytes, for the quota check before its proposal and for
 * the question whether NOSPACE stops it (surface QU-03, MA-02). Pure, and the same everywhere.
 */
import type { PutRequest, RaftOperation, RequestOp, TxnRequest } from "../wire/index.ts";

/** Bytes that a key-value pair takes beside key and value. */
const PUT_OVERHEAD_BYTES = 256;
const LEASE_BYTES = 64;

export function costOfPut(put: PutRequest): number {
  return PUT_OVERHEAD_BYTES + put.key.length + put.value.length;
}

/** The dearer of the branches, nested transactions included. 0 = it only deletes and reads. */
export function costOfTxn(txn: TxnRequest): number {
  return Math.max(costOfBranch(txn.success), costOfBranch(txn.failure));
}

function costOfBranch(operations: readonly RequestOp[]): number {
  let cost = 0;
  for (const operation of operations) {
    if (operation.kind === "put") cost += costOfPut(operation.put);
    else if (operation.kind === "txn") cost += costOfTxn(operation.txn);
  }
  return cost;
}

export function costOfOperation(operation: RaftOperation): number {
  switch (operation.kind) {
    case "put":
      return costOfPut(operation.put);
    case "txn":
      return costOfTxn(operation.txn);
    case "leaseGrant":
      return LEASE_BYTES;
    default:
      return 0;
  }
}
