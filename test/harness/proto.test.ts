import assert from "node:assert/strict";
import { test } from "node:test";
import { Compare, KeyValue, RangeRequest, TxnRequest, WatchRequest } from "./messages.ts";
import { decode, encode } from "./proto.ts";

test("harness: a message → the bytes of the wire format, written down by hand", () => {
  const range = { key: Buffer.from("a"), limit: -1n, keysOnly: true };
  assert.equal(encode(RangeRequest, range).toString("hex"), "0a016118ffffffffffffffffff014001");
  const compare = {
    key: Buffer.from("k"),
    target: 3,
    value: Buffer.alloc(0),
    rangeEnd: Buffer.from("z"),
  };
  assert.equal(encode(Compare, compare).toString("hex"), "10031a016b3a008204017a");
  assert.equal(encode(WatchRequest, { progress: {} }).toString("hex"), "1a00");
});

test("harness: what was encoded → decoded, zeros filled in, members of a oneof only if sent", () => {
  const kv = { key: Buffer.from([0, 255]), modRevision: 2n ** 62n, lease: -2n };
  const back = decode(KeyValue, encode(KeyValue, kv));
  assert.deepEqual(back, { ...kv, createRevision: 0n, version: 0n, value: Buffer.alloc(0) });
  const txn = { success: [{ txn: { failure: [{}] } }], compare: [{ lease: 0n }] };
  const decoded = decode(TxnRequest, encode(TxnRequest, txn));
  assert.equal(decoded.compare[0]?.lease, 0n);
  assert.equal(decoded.compare[0]?.version, undefined);
  assert.equal(decoded.success[0]?.txn?.failure.length, 1);
});

test("harness: unknown fields → skipped; cut and mistyped ones → refused", () => {
  const bytes = encode(KeyValue, { key: Buffer.from("a"), version: 3n });
  const unknown = Buffer.concat([bytes, Buffer.from("f80701fa0702aabbfd07ffffffff", "hex")]);
  assert.equal(decode(KeyValue, unknown).version, 3n);
  assert.throws(() => decode(KeyValue, bytes.subarray(0, 2)), /past the end/);
  assert.throws(() => decode(KeyValue, Buffer.from("0801", "hex")), /wire type 0/);
});
