import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../src/base/index.ts";
import { LatencyHistogram } from "./histogram.ts";

test("histogram: random latencies of nine orders of magnitude → percentiles within 0.8 %", () => {
  const prng = new Prng(11);
  const histogram = new LatencyHistogram();
  const values: number[] = [];
  for (let i = 0; i < 20_000; i += 1) {
    const ms = 10 ** (prng.below(80_000) / 10_000 - 3.9);
    values.push(ms);
    histogram.record(ms);
  }
  values.sort((a, b) => a - b);
  for (const fraction of [0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = values[Math.ceil(fraction * values.length) - 1] as number;
    const found = histogram.percentileMs(fraction);
    // One unit of 0.1 us is what the smallest buckets hold.
    assert.ok(found >= exact * 0.9999, `${fraction}: ${found} is below ${exact}`);
    assert.ok(found <= exact * 1.008 + 0.0001, `${fraction}: ${found} is far above ${exact}`);
  }
  const mean = values.reduce((sum, ms) => sum + ms, 0) / values.length;
  assert.ok(Math.abs(histogram.meanMs - mean) < mean * 1e-9);
  assert.equal(histogram.maxMs, values.at(-1));
  assert.equal(histogram.count, 20_000);
});

test("histogram: nothing recorded, and after reset → zeros", () => {
  const histogram = new LatencyHistogram();
  assert.equal(histogram.percentileMs(0.99), 0);
  assert.equal(histogram.meanMs, 0);
  histogram.record(5);
  histogram.reset();
  assert.equal(histogram.percentileMs(0.5), 0);
  assert.equal(histogram.maxMs, 0);
  assert.equal(histogram.count, 0);
});

test("histogram: a negative and a huge value → counted at the ends, never outside", () => {
  const histogram = new LatencyHistogram();
  histogram.record(-1);
  histogram.record(10_000_000);
  assert.equal(histogram.count, 2);
  assert.ok(histogram.percentileMs(0.5) <= 0.0001);
  assert.ok(histogram.percentileMs(1) > 214_000);
});

test("histogram: values at the edges of buckets → the percentile is never below the value", () => {
  for (let power = 0; power < 31; power += 1) {
    for (const offset of [-1, 0, 1]) {
      const units = 2 ** power + offset;
      if (units < 0) continue;
      const histogram = new LatencyHistogram();
      histogram.record(units / 10_000);
      histogram.record(300_000);
      // The division by 10 000 may lose the last bit.
      assert.ok(histogram.percentileMs(0.5) * 10_000 >= units * 0.999_999, `${units}`);
      assert.ok(histogram.percentileMs(0.5) * 10_000 <= units * 1.0079 + 1.001, `${units}`);
    }
  }
});
