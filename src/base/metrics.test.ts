import assert from "node:assert/strict";
import { test } from "node:test";
import { Counter, exponentialBounds, Histogram } from "./metrics.ts";

test("metrics: a counter adds, by one unless told otherwise", () => {
  const counter = new Counter();
  counter.add();
  counter.add(41);
  assert.equal(counter.value, 42);
});

test("metrics: a histogram puts a value into the first bucket that holds it", () => {
  const histogram = new Histogram(exponentialBounds(1, 2, 3));
  assert.deepEqual(histogram.bounds, [1, 2, 4]);
  for (const value of [0.5, 1, 1.5, 4, 5]) histogram.observe(value);
  assert.deepEqual([...histogram.counts], [2, 1, 1, 1]);
  assert.deepEqual([histogram.count, histogram.sum], [5, 12]);
});
