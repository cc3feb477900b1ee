import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedError } from "../base/index.ts";
import {
  decodeKeyValue,
  keyValueCreateRevision,
  keyValueKey,
  keyValueLease,
  keyValueModRevision,
  keyValueValue,
  keyValueVersion,
  marshalKeyValue,
  sizeKeyValue,
} from "./key-value.ts";

const pair = {
  key: "k\xff\0",
  createRevision: 2,
  modRevision: 300,
  version: 7,
  value: Buffer.from("value"),
  lease: -2n,
};

test("key-value: a pair → Go's bytes, fields in order, zeros left out (MA-06)", () => {
  assert.equal(
    marshalKeyValue(pair).toString("hex"),
    "0a036bff00100218ac022007" + "2a0576616c756530feffffffffffffffff01",
  );
  const tombstone = { ...pair, createRevision: 0, version: 0, value: Buffer.alloc(0), lease: 0n };
  assert.equal(marshalKeyValue({ ...tombstone, modRevision: 0 }).toString("hex"), "0a036bff00");
  assert.equal(sizeKeyValue(pair), marshalKeyValue(pair).length);
});

test("key-value: one field → read without the others, absent ones are zero", () => {
  const bytes = marshalKeyValue(pair);
  assert.equal(keyValueKey(bytes), pair.key);
  assert.equal(keyValueCreateRevision(bytes), 2);
  assert.equal(keyValueModRevision(bytes), 300);
  assert.equal(keyValueVersion(bytes), 7);
  assert.deepEqual(keyValueValue(bytes), pair.value);
  assert.equal(keyValueLease(bytes), -2n);
  const none = Buffer.alloc(0);
  assert.equal(keyValueKey(none), "");
  assert.equal(keyValueModRevision(none), 0);
  assert.equal(keyValueValue(none).length, 0);
  assert.equal(keyValueLease(none), 0n);
});

test("key-value: the value → a view into the pair; bytes of one taken earlier stay as they were", () => {
  const first = marshalKeyValue(pair);
  const copy = Buffer.from(first);
  marshalKeyValue({ ...pair, key: "another one", value: Buffer.alloc(2000, 1) });
  assert.equal(first.equals(copy), true);
  const value = keyValueValue(first);
  assert.equal(value.buffer, first.buffer);
});

test("key-value: damaged bytes → MalformedError from every reader", () => {
  const bytes = marshalKeyValue(pair).subarray(0, 8);
  for (const read of [decodeKeyValue, keyValueKey, keyValueModRevision, keyValueValue]) {
    assert.throws(() => read(bytes), MalformedError);
  }
  assert.throws(() => keyValueLease(bytes), MalformedError);
});
