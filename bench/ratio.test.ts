import assert from "node:assert/strict";
import { test } from "node:test";
import { median, pairedRatio } from "./ratio.ts";

test("ratio: median of odd, even and no values → the middle, the mean of the two, NaN", () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([10, 9, 1, 2]), 5.5);
  assert.ok(Number.isNaN(median([])));
});

test("ratio: a machine that slows down between rounds → the pairs' ratio stays", () => {
  assert.equal(pairedRatio([300, 150, 30], [100, 50, 10]), 3);
});

test("ratio: one round out of line → the median ignores it", () => {
  assert.equal(pairedRatio([300, 310, 9_000], [100, 100, 100]), 3.1);
});

test("ratio: a round that one side lacks, or a division by zero → left out", () => {
  assert.equal(pairedRatio([300, 700], [100]), 3);
  assert.equal(pairedRatio([300, 5], [100, 0]), 3);
  assert.ok(Number.isNaN(pairedRatio([], [1])));
});
