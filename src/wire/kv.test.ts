import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedError } from "../base/index.ts";
import {
  decodePutRequest,
  decodePutResponse,
  decodeRangeRequest,
  encodeRangeRequest,
} from "./kv.ts";
import { decodeKeyValue } from "./key-value.ts";
import { marshal } from "./marshal.ts";

const bytes = (hex: string): Buffer => Buffer.from(hex, "hex");

test("put: previous pair sent in two parts → merged, each whole by itself", () => {
  const merged = decodePutResponse(bytes("12030a0161" + "12021805"));
  assert.ok(merged.prevKv !== undefined);
  assert.equal(decodeKeyValue(merged.prevKv).key, "a");
  assert.equal(decodeKeyValue(merged.prevKv).modRevision, 5);
  // The first part announces two bytes of key and has one.
  assert.throws(() => decodePutResponse(bytes("12030a0261" + "12021805")), MalformedError);
});

test("put: the value → a view into the request, whole at any offset", () => {
  const message = bytes("ffff0a016b1203616263ffff");
  const put = decodePutRequest(message, 2, message.length - 2);
  assert.equal(put.key, "k");
  assert.equal(put.value.toString(), "abc");
  assert.equal(put.value.buffer, message.buffer);
});

test("range: revisions beyond 2^53 → the sign and the order stay when written again (KV-03)", () => {
  const request = decodeRangeRequest(bytes("0a016b20ffffffffffffffff7f"));
  assert.equal(request.revision, 2 ** 63);
  const again = decodeRangeRequest(marshal(encodeRangeRequest, request));
  assert.ok(again.revision > Number.MAX_SAFE_INTEGER);
});
