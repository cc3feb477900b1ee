import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32c } from "./crc32c.ts";

test("crc32c: the check values of RFC 3720 B.4", () => {
  assert.equal(crc32c(0, Buffer.from("123456789")), 0xe3069283);
  assert.equal(crc32c(0, Buffer.alloc(32)), 0x8a9136aa);
  assert.equal(crc32c(0, Buffer.alloc(32, 0xff)), 0x62a8ab43);
});

test("crc32c: a value continued over any split equals the whole", () => {
  const bytes = Buffer.from("a record, cut at each of its bytes in turn");
  const whole = crc32c(0, bytes);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    assert.equal(crc32c(crc32c(0, bytes, 0, cut), bytes, cut), whole);
  }
});
