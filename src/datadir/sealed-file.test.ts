import assert from "node:assert/strict";
import { test } from "node:test";
import { sealed, unsealed } from "./sealed-file.ts";

test("sealed file: any one byte becomes any other → the text is still known (BT-f3)", () => {
  for (const text of ["holdfast 1", '{"epoch":7,"nonce":1,"base":0,"lost":"größer"}', ""]) {
    const bytes = sealed(text);
    for (let at = 0; at < bytes.length; at += 1) {
      const flipped = Buffer.from(bytes);
      for (let value = 0; value < 256; value += 1) {
        flipped[at] = value;
        assert.equal(unsealed(flipped), text, `byte ${at} became ${value}`);
      }
    }
  }
});

test("sealed file: both copies are damaged, cut, or never were → nothing is made up", () => {
  const bytes = sealed("holdfast 1");
  const half = bytes.length / 2;
  for (let at = 0; at < half; at += 1) {
    const flipped = Buffer.from(bytes);
    for (const place of [at, half + at]) flipped[place] = (flipped[place] as number) ^ 0x10;
    assert.equal(unsealed(flipped), undefined, `byte ${at} of both`);
  }
  for (let end = 0; end < bytes.length; end += 1) {
    assert.equal(unsealed(bytes.subarray(0, end)), undefined, `cut at ${end}`);
  }
  assert.equal(unsealed(Buffer.from("holdfast 1\n")), undefined);
  assert.equal(unsealed(Buffer.alloc(0)), undefined);
});
