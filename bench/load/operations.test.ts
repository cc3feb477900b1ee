import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../src/base/index.ts";
import {
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
  encodeTxnResponse,
  marshal,
} from "../../src/wire/index.ts";
import { LARGE_RANGE_KEYS, type OperationName, VALUE_BYTES } from "../cases.ts";
import { orderedKey, scatteredKey } from "./keys.ts";
import { makeOperation, type Operation } from "./operations.ts";

function make(name: Exclude<OperationName, "lease-keepalive">, clients = 4): Operation {
  return makeOperation(name, new Prng(5), 2_000, clients);
}

function next(operation: Operation, client = 0): Buffer {
  operation.prepare(client);
  return Buffer.from(operation.message);
}

test("operations: put → another random key of 8 bytes each time, 256 B of value", () => {
  const put = make("put");
  const first = decodePutRequest(next(put));
  const second = decodePutRequest(next(put));
  assert.equal(first.key.length, 8);
  assert.notEqual(first.key, second.key);
  assert.equal(first.value.length, VALUE_BYTES);
  assert.equal(first.lease, 0n);
});

test("operations: point ranges → a preloaded key, serializable only when asked", () => {
  for (const name of ["range", "serializable-range"] as const) {
    const request = decodeRangeRequest(next(make(name)));
    assert.ok(request.key >= orderedKey(0) && request.key < orderedKey(2_000));
    assert.equal(request.rangeEnd, "");
    assert.equal(request.serializable, name === "serializable-range");
  }
});

test("operations: range of 1 000 keys → both ends patched, 1 000 apart, within the store", () => {
  const operation = make("range-1000-keys");
  for (let time = 0; time < 100; time += 1) {
    const { key, rangeEnd, limit } = decodeRangeRequest(next(operation));
    const number = (text: string): number => Buffer.from(text, "latin1").readUInt32BE(4);
    assert.equal(number(rangeEnd) - number(key), LARGE_RANGE_KEYS);
    assert.ok(rangeEnd <= orderedKey(2_000));
    assert.equal(limit, 0);
  }
  assert.equal(operation.accepts(0, Buffer.alloc(0), 0, 1000), false);
});

test("operations: mixed → a tenth of puts, to keys that the ranges read", () => {
  const mixed = make("mixed");
  let puts = 0;
  for (let time = 0; time < 5_000; time += 1) {
    const message = next(mixed);
    if (!mixed.path.endsWith("/Put")) continue;
    puts += 1;
    assert.ok(decodePutRequest(message).key < orderedKey(2_000));
  }
  assert.ok(puts > 400 && puts < 600, `${puts} of 5000`);
});

test("operations: compare-and-put → each client compares with its own last revision", () => {
  const operation = make("compare-and-put", 2);
  const compare = (client: number) => {
    const txn = decodeTxnRequest(next(operation, client));
    assert.equal(txn.success.length, 1);
    return txn.compare[0];
  };
  assert.deepEqual(compare(0)?.operand, { kind: "modRevision", value: 0 });
  const header = { clusterId: 1n, memberId: 2n, revision: 300, raftTerm: 2 };
  const answer = (succeeded: boolean): Buffer =>
    marshal((writer, response) => encodeTxnResponse(writer, header, response), {
      revision: 300,
      succeeded,
      responses: [],
    });
  const good = answer(true);
  assert.equal(operation.accepts(0, good, 0, good.length), true);
  assert.deepEqual(compare(0)?.operand, { kind: "modRevision", value: 300 });
  assert.deepEqual(compare(1)?.operand, { kind: "modRevision", value: 0 });
  assert.notEqual(compare(0)?.key, compare(1)?.key);
  const bad = answer(false);
  assert.equal(operation.accepts(1, bad, 0, bad.length), false);
});

test("keys: ordered and scattered → 8 bytes, all different, ordered ones in order", () => {
  const scattered = new Set<string>();
  let prefixes = 0;
  for (let index = 0; index < 10_000; index += 1) {
    const key = scatteredKey(index);
    assert.equal(key.length, 8);
    scattered.add(key);
    if (key < "\u0080") prefixes += 1;
    assert.ok(orderedKey(index) < orderedKey(index + 1));
  }
  assert.equal(scattered.size, 10_000);
  assert.ok(prefixes > 4_500 && prefixes < 5_500, `${prefixes} in the lower half`);
});
