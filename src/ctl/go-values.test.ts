import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatDuration,
  hex16,
  parseBool,
  parseDuration,
  parseInt64,
  parseUint64,
} from "./go-values.ts";

test("numbers: each base, to the ends of 64 bits → exact", () => {
  assert.equal(parseInt64("9223372036854775807", 10), 2n ** 63n - 1n);
  assert.equal(parseInt64("-9223372036854775808", 10), -(2n ** 63n));
  assert.equal(parseInt64("694d5765fc71500b", 16), 0x694d5765fc71500bn);
  assert.equal(parseInt64("+7", 10), 7n);
  assert.deepEqual(
    ["0x1f", "0o17", "017", "0b11", "1_000"].map((text) => parseInt64(text, 0)),
    [31n, 15n, 15n, 3n, 1000n],
  );
  assert.equal(parseUint64("ffffffffffffffff", 16), 2n ** 64n - 1n);
});

test("numbers: no number, or one too large → Go's words", () => {
  const says = (text: string, base: 0 | 10 | 16): string => {
    try {
      return String(parseInt64(text, base));
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.equal(says("", 10), 'strconv.ParseInt: parsing "": invalid syntax');
  assert.equal(says("1x", 16), 'strconv.ParseInt: parsing "1x": invalid syntax');
  assert.equal(says("08", 0), 'strconv.ParseInt: parsing "08": invalid syntax');
  assert.equal(
    says("9223372036854775808", 10),
    'strconv.ParseInt: parsing "9223372036854775808": value out of range',
  );
  assert.throws(() => parseUint64("-1", 10), /strconv.ParseUint: parsing "-1": invalid syntax/);
});

test("switches: what Go takes for one → read, the rest refused", () => {
  assert.deepEqual(["1", "T", "True", "0", "f", "FALSE"].map(parseBool), [
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
  assert.throws(() => parseBool("yes"), /strconv.ParseBool: parsing "yes": invalid syntax/);
});

test("durations: as Go reads and prints them", () => {
  assert.equal(parseDuration("1h2m3.5s"), 3_723_500);
  assert.equal(parseDuration("-1.5ms"), -1.5);
  assert.equal(parseDuration("0"), 0);
  assert.throws(() => parseDuration("x"), /time: invalid duration "x"/);
  assert.throws(() => parseDuration("5"), /time: missing unit in duration "5"/);
  assert.throws(() => parseDuration("5y"), /time: unknown unit "y" in duration "5y"/);
  assert.deepEqual([0, 0.0005, 0.0125, 1.5, 2_000, 90_000, 3_661_001].map(formatDuration), [
    "0s",
    "500ns",
    "12.5µs",
    "1.5ms",
    "2s",
    "1m30s",
    "1h1m1.001s",
  ]);
});

test("lease ids: sixteen digits, the sign kept", () => {
  assert.equal(hex16(0x7bn), "000000000000007b");
  assert.equal(hex16(-1n), "-000000000000001");
});
