import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoadResult } from "../load.ts";
import { judge } from "./check-perf.ts";

const GOOD: LoadResult = {
  count: 9_000,
  perSecond: 149.6,
  slowestSeconds: 0.0123456,
  stddevSeconds: 0.001,
  errors: new Map(),
};

test("check perf: all well → PASS, in etcdctl's words (CT-25)", () => {
  assert.deepEqual(judge(GOOD, 150), {
    text:
      "PASS: Throughput is 150 writes/s\nPASS: Slowest request took 0.012346s\n" +
      "PASS: Stddev is 0.001000s\nPASS\n",
    hasPassed: true,
  });
});

test("check perf: too few, too slow, unsteady, errors → FAIL, each told (CT-25)", () => {
  const cases: [Partial<LoadResult>, RegExp][] = [
    [{ perSecond: 135 }, /^FAIL: Throughput too low: 136 writes\/s$/m],
    [{ slowestSeconds: 0.51 }, /^Slowest request took too long: 0\.510000s$/m],
    [{ stddevSeconds: 0.11 }, /^Stddev too high: 0\.110000s$/m],
    [{ errors: new Map([["no", 2]]) }, /^FAIL: too many errors\nFAIL: ERROR\(no\) -> 2$/m],
  ];
  for (const [change, line] of cases) {
    const { text, hasPassed } = judge({ ...GOOD, ...change }, 150);
    assert.match(text, line);
    assert.ok(text.endsWith("\nFAIL\n"));
    assert.equal(hasPassed, false);
  }
});
