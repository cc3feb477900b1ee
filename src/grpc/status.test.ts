import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Code } from "../errors/index.ts";
import { ErrorCode } from "../http2/index.ts";
import { decodeBinary, encodeBinary } from "./metadata.ts";
import {
  codeOfHttpStatus,
  codeOfReset,
  decodeStatusMessage,
  encodeStatusMessage,
  formatTimeout,
  parseTimeout,
} from "./status.ts";

test("status: any message → printable ASCII, and back the same", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 50 }), (message) => {
      const encoded = encodeStatusMessage(message);
      assert.match(encoded, /^[ -~]*$/);
      assert.equal(decodeStatusMessage(encoded), message.toWellFormed());
    }),
  );
});

test("status: etcd's texts → sent as they are; odd ones as the specification says", () => {
  assert.equal(
    encodeStatusMessage("etcdserver: mvcc: required revision has been compacted"),
    "etcdserver: mvcc: required revision has been compacted",
  );
  assert.equal(encodeStatusMessage("50% é\n"), "50%25 %C3%A9%0A");
  assert.equal(decodeStatusMessage("100% %zz %2"), "100% %zz %2");
  assert.ok(encodeStatusMessage("é".repeat(100_000)).length <= 6 * 8 * 1024);
});

test("timeout: each unit → milliseconds; malformed → NaN", () => {
  const cases: [string, number][] = [
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3_000],
    ["4m", 4],
    ["5000u", 5],
    ["6000000n", 6],
    ["99999999H", 99_999_999 * 3_600_000],
    ["0n", 0],
  ];
  for (const [text, ms] of cases) assert.ok(Math.abs(parseTimeout(text) - ms) < 1e-6, text);
  for (const text of ["", "S", "1", "1s", "-1S", "1.5S", "123456789S", "1 S", "0x1S"]) {
    assert.ok(Number.isNaN(parseTimeout(text)), text);
  }
});

test("timeout: any duration → at most eight digits, never shorter than asked", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), (ms) => {
      const text = formatTimeout(ms);
      assert.match(text, /^\d{1,8}[HMSmun]$/);
      assert.ok(parseTimeout(text) >= ms * 0.999_999);
    }),
  );
});

test("binary metadata: with and without padding → the same bytes", () => {
  const bytes = Buffer.of(0, 255, 7, 1);
  assert.equal(encodeBinary(bytes), "AP8HAQ");
  assert.deepEqual(decodeBinary("AP8HAQ"), bytes);
  assert.deepEqual(decodeBinary("AP8HAQ=="), bytes);
});

test("status: resets and HTTP statuses → the codes of the gRPC documents", () => {
  assert.equal(codeOfReset(ErrorCode.REFUSED_STREAM), Code.UNAVAILABLE);
  assert.equal(codeOfReset(ErrorCode.CANCEL), Code.CANCELLED);
  assert.equal(codeOfReset(ErrorCode.ENHANCE_YOUR_CALM), Code.RESOURCE_EXHAUSTED);
  assert.equal(codeOfReset(ErrorCode.PROTOCOL_ERROR), Code.INTERNAL);
  assert.deepEqual([400, 401, 403, 404, 429, 503, 418].map(codeOfHttpStatus), [
    Code.INTERNAL,
    Code.UNAUTHENTICATED,
    Code.PERMISSION_DENIED,
    Code.UNIMPLEMENTED,
    Code.UNAVAILABLE,
    Code.UNAVAILABLE,
    Code.UNKNOWN,
  ]);
});
