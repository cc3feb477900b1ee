import assert from "node:assert/strict";
import { test } from "node:test";
import { costOfOperation, costOfPut, costOfTxn } from "./cost.ts";
import { deleteOp, putOf, putOp, putRequest, rangeOp, txnOf, txnRequest } from "./fixture.test.ts";

test("cost: a put costs 256 bytes, its key and its value (QU-03)", () => {
  assert.equal(costOfPut(putRequest("abc", "12345")), 264);
  assert.equal(costOfOperation(putOf("abc", "12345")), 264);
});

test("cost: a transaction costs its dearer branch, nested ones included (QU-03)", () => {
  const nested = { kind: "txn", txn: txnRequest({ failure: [putOp("k", "v")] }) } as const;
  const txn = {
    success: [putOp("a", ""), deleteOp("x"), rangeOp("y")],
    failure: [putOp("b", "1"), nested],
  };
  assert.equal(costOfTxn(txnRequest(txn)), 258 + 258);
  assert.equal(costOfOperation(txnOf({ success: [deleteOp("a"), rangeOp("b")] })), 0);
});

test("cost: a lease grant costs 64 bytes, everything else nothing (QU-03)", () => {
  const grant = { kind: "leaseGrant", leaseGrant: { id: 1n, ttlSeconds: 5 } } as const;
  assert.equal(costOfOperation(grant), 64);
  assert.equal(costOfOperation({ kind: "leaseRevoke", leaseRevoke: { id: 1n } }), 0);
  const compaction = { revision: 5, physical: true };
  assert.equal(costOfOperation({ kind: "compaction", compaction }), 0);
});
