import assert from "node:assert/strict";
import { test } from "node:test";
import { quote } from "./go-quote.ts";

test("quote: control characters, bad bytes and letters of every kind → Go's %q", () => {
  assert.equal(quote('a"\\\n\u0007\u007f'), '"a\\"\\\\\\n\\a\\x7f"');
  assert.equal(quote(Buffer.from([0xff, 0x61, 0xed, 0xa0, 0x80])), '"\\xffa\\xed\\xa0\\x80"');
  assert.equal(
    quote("日本 é \u00a0\u2028\ufeff\u{1f600}\u{e0001}"),
    '"日本 é \\u00a0\\u2028\\ufeff😀\\U000e0001"',
  );
});
