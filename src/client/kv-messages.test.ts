import assert from "node:assert/strict";
import { test } from "node:test";
import { endOfPrefix, keyOf, putRequestOf, spanOf, valueOf } from "./kv-messages.ts";

test("spans: the end of a prefix is the least key above all that begin with it", () => {
  assert.equal(endOfPrefix("ab"), "ac");
  assert.equal(endOfPrefix("a\xff"), "b");
  assert.equal(endOfPrefix("a\xfe\xff\xff"), "a\xff");
  assert.equal(endOfPrefix("\xff\xff"), "\0");
});

test("spans: one key, a range, a prefix, from a key on, all keys", () => {
  assert.deepEqual(spanOf("k", {}, ""), { key: "k", rangeEnd: "" });
  assert.deepEqual(spanOf("k", { rangeEnd: "m" }, ""), { key: "k", rangeEnd: "m" });
  assert.deepEqual(spanOf("k", { prefix: true }, ""), { key: "k", rangeEnd: "l" });
  assert.deepEqual(spanOf("k", { fromKey: true }, ""), { key: "k", rangeEnd: "\0" });
  assert.deepEqual(spanOf("", { prefix: true }, ""), { key: "\0", rangeEnd: "\0" });
  assert.deepEqual(spanOf("", { fromKey: true }, ""), { key: "\0", rangeEnd: "\0" });
  assert.throws(() => spanOf("k", { prefix: true, fromKey: true }, ""), /exclude each other/);
});

test("spans: nothing reaches out of a namespace", () => {
  assert.deepEqual(spanOf("k", {}, "n/"), { key: "n/k", rangeEnd: "" });
  assert.deepEqual(spanOf("k", { rangeEnd: "m" }, "n/"), { key: "n/k", rangeEnd: "n/m" });
  assert.deepEqual(spanOf("k", { fromKey: true }, "n/"), { key: "n/k", rangeEnd: "n0" });
  assert.deepEqual(spanOf("", { prefix: true }, "n/"), { key: "n/", rangeEnd: "n0" });
  assert.deepEqual(spanOf("\xff", { prefix: true }, "n/").rangeEnd, "n/\xc3\xc0");
  const last = Buffer.from([0xff]);
  assert.deepEqual(spanOf(last, { prefix: true }, "n/"), { key: "n/\xff", rangeEnd: "n0" });
});

test("keys and values: text is UTF-8, bytes are taken as they are", () => {
  assert.equal(keyOf("é"), "\xc3\xa9");
  assert.equal(keyOf(Buffer.from([0xe9])), "\xe9");
  const bytes = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
  assert.deepEqual(valueOf(bytes), Buffer.from([2, 3]));
  assert.equal(putRequestOf("", "v", {}, "n/").key, "");
});
