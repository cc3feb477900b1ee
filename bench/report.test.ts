import assert from "node:assert/strict";
import { test } from "node:test";
import { CASES, GOALS } from "./cases.ts";
import { ratioOf, report, type Sample, showFigure, showRatio, table } from "./report.ts";

function sample(
  target: Sample["target"],
  round: number,
  throughput: number,
  caseName = "put-100",
): Sample {
  return { caseName, target, round, figures: { throughput, mean: 1000 / throughput } };
}

test("report: two rounds on both servers → ratios of pairs, the goal and the headroom", () => {
  const text = report([
    sample("etcd", 1, 10_000),
    sample("holdfast", 1, 40_000),
    sample("etcd", 2, 20_000),
    sample("holdfast", 2, 60_000),
    sample("null", 1, 200_000),
  ]);
  assert.match(text, /\| put, 100 clients +\| +3\.50 x \|/);
  assert.match(text, /\| put, 100 clients: throughput +\| 3\.00 x or more +\| 3\.50 x +\| yes/);
  assert.match(text, /throughput \| 15,000 \/s \| 50,000 \/s \| +3\.50 x/);
  assert.match(text, /\| +200,000 \| +50,000 \| +4\.00 x \| yes/);
});

test("report: a goal that is missed and a generator that is too slow → both say no", () => {
  const text = report([
    sample("etcd", 1, 10_000),
    sample("holdfast", 1, 20_000),
    sample("null", 1, 50_000),
  ]);
  assert.match(text, /3\.00 x or more +\| 2\.00 x +\| no/);
  assert.match(text, /50,000 \| +20,000 \| +2\.50 x \| no/);
});

test("report: only etcd was measured → its figures, no ratios and no goals", () => {
  const text = report([sample("etcd", 1, 10_000)]);
  assert.match(text, /10,000 \/s/);
  assert.doesNotMatch(text, /must reach|Holdfast \/ etcd|NaN/);
});

test("report: rounds given out of order → pairs of one round still meet", () => {
  const samples = [
    sample("etcd", 2, 20_000),
    sample("holdfast", 1, 40_000),
    sample("etcd", 1, 10_000),
    sample("holdfast", 2, 80_000),
  ];
  assert.equal(ratioOf(samples, "put-100", "throughput"), 4);
});

test("report: nothing → nothing, and no failure", () => {
  assert.equal(report([]).trim(), "");
});

test("report: table → columns lined up, numbers to the right", () => {
  assert.equal(
    table(
      ["case", "n"],
      [
        ["a", "1"],
        ["longer", "1,000"],
      ],
    ),
    ["| case   |     n |", "| ------ | ----: |", "| a      |     1 |", "| longer | 1,000 |"].join(
      "\n",
    ),
  );
});

test("report: figures → in the unit a reader expects", () => {
  assert.equal(showFigure(1_234.5, { unit: "per second" }), "1,235 /s");
  assert.equal(showFigure(0.1234, { unit: "ms" }), "0.123 ms");
  assert.equal(showFigure(64 * 1024 * 1024, { unit: "bytes" }), "64.0 MB");
  assert.equal(showFigure(Number.NaN, { unit: "ms" }), "");
  assert.equal(showRatio(0.3456), "0.346 x");
  assert.equal(showRatio(123.4), "123.4 x");
});

test("cases: every goal names a case that exists, and names are unique", () => {
  const names = CASES.map((spec) => spec.name);
  assert.equal(new Set(names).size, names.length);
  for (const goal of GOALS) {
    assert.ok(names.includes(goal.caseName), goal.caseName);
    assert.ok((goal.least === undefined) !== (goal.most === undefined), goal.caseName);
  }
});
