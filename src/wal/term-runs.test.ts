/** Terms by index, against an array. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { TermRuns } from "./term-runs.ts";

test("term runs: an entry in place of an older one → what followed is gone (WL-08)", () => {
  const runs = new TermRuns(4, 2);
  for (const [index, term] of [
    [5, 2],
    [6, 3],
    [7, 3],
    [6, 4],
  ] as const) {
    runs.append(index, term);
  }
  assert.deepEqual(
    [3, 4, 5, 6, 7].map((index) => runs.term(index)),
    [undefined, 2, 2, 4, undefined],
  );
  assert.equal(runs.lastIndex, 6);
  runs.truncate(5);
  assert.deepEqual([runs.lastIndex, runs.lastTerm], [4, 2]);
});

test("term runs: a gap, a term that goes back, a cut of the base → a bug of the caller", () => {
  const runs = new TermRuns(4, 2);
  assert.throws(() => runs.append(6, 2), /no gap/);
  assert.throws(() => runs.append(5, 1), /never goes back/);
  assert.throws(() => runs.truncate(4), /base/);
  assert.throws(() => runs.forget(5), /in the log/);
});

test("term runs: appends, cuts, releases and resets at random → as an array would say", () => {
  const prng = new Prng(11);
  let runs = new TermRuns(0, 0);
  let base = 0;
  let terms = [0];
  for (let step = 0; step < 5000; step += 1) {
    const last = base + terms.length - 1;
    const action = prng.below(12);
    if (action === 0) {
      const to = base + prng.below(terms.length);
      runs.forget(to);
      terms = terms.slice(to - base);
      base = to;
    } else if (action === 1 && prng.chance(0.05)) {
      base = last + prng.below(5);
      terms = [(terms.at(-1) as number) + 1];
      if (prng.chance(0.5)) runs.reset(base, terms[0] as number);
      else runs = new TermRuns(base, terms[0] as number);
    } else {
      const index = prng.chance(0.9) ? last + 1 : base + 1 + prng.below(terms.length);
      const term = (terms[index - 1 - base] as number) + (prng.chance(0.1) ? 1 : 0);
      runs.append(index, term);
      terms.length = index - base;
      terms.push(term);
    }
    const end = base + terms.length - 1;
    assert.deepEqual([runs.baseIndex, runs.lastIndex], [base, end]);
    assert.equal(runs.lastTerm, terms.at(-1));
    const index = base - 1 + prng.below(terms.length + 2);
    assert.equal(runs.term(index), terms[index - base], `index ${index} in step ${step}`);
  }
});
