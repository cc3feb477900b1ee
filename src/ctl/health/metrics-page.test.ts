import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricsPage } from "./metrics-page.ts";

const buckets = (...counts: number[]): string =>
  counts
    .map((count, at) => `fsync_bucket{le="${["0.001", "0.01", "0.1", "+Inf"][at]}"} ${count}\n`)
    .join("");

test("metrics page: values by name and by label, comments and rubbish passed over", () => {
  const page = new MetricsPage(
    '# HELP a\na 1\nb{To="x",Local="\\"q"} 0\nb{To="y"} -2.5e3\nnonsense\n\n{}\na{ 3\n',
  );
  assert.equal(page.value("a"), 1);
  assert.deepEqual(page.values("b"), [0, -2500]);
  assert.deepEqual(page.labelsWhere("b", "To", 0), ["x"]);
  assert.equal(page.value("missing"), undefined);
});

test("metrics page: a quantile is the bound of the bucket that holds it", () => {
  const page = new MetricsPage(buckets(90, 98, 99, 100));
  assert.equal(page.quantile("fsync", 0.9), 0.001);
  assert.equal(page.quantile("fsync", 0.99), 0.1);
  assert.equal(page.quantile("fsync", 1), Number.POSITIVE_INFINITY);
});

test("metrics page: with an earlier page → only what was counted since", () => {
  const earlier = new MetricsPage(buckets(100, 100, 100, 100));
  const page = new MetricsPage(buckets(100, 100, 110, 110));
  assert.equal(page.quantile("fsync", 0.5), 0.001);
  assert.equal(page.quantile("fsync", 0.5, earlier), 0.1);
  assert.equal(earlier.quantile("fsync", 0.5, earlier), undefined);
});
