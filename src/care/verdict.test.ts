import assert from "node:assert/strict";
import { test } from "node:test";
import type { StateDigest } from "../wire/index.ts";
import { type Standing, verdictOf } from "./verdict.ts";

const RIGHT = { index: 64, a: 1, b: 1 };
const WRONG = { index: 64, a: 2, b: 2 };
const OTHER = { index: 64, a: 3, b: 3 };

function member(
  id: number,
  agrees: boolean | undefined,
  reports: readonly StateDigest[] = [],
  isVoter = true,
): Standing {
  return { id: BigInt(id), isVoter, agrees, reports };
}

test("verdict: nobody differs → alike, whoever has not answered yet", () => {
  assert.deepEqual(verdictOf([], true), { kind: "alike" });
  assert.deepEqual(verdictOf([member(2, true), member(3, undefined)], true), { kind: "alike" });
});

test("verdict: a majority agrees with the leader → the others are wrong, learners too (BT-f1)", () => {
  const three = [member(2, true, [RIGHT]), member(3, false, [WRONG])];
  assert.deepEqual(verdictOf(three, true), { kind: "others", wrong: [3n] });
  const five = [member(2, true), member(3, false), member(4, false), member(5, true)];
  assert.deepEqual(verdictOf(five, true), { kind: "others", wrong: [3n, 4n] });
  const learner = [member(2, true), member(3, true), member(4, false, [], false)];
  assert.deepEqual(verdictOf(learner, true), { kind: "others", wrong: [4n] });
  const alone = [member(2, false, [WRONG], false)];
  assert.deepEqual(verdictOf(alone, true), { kind: "others", wrong: [2n] });
});

test("verdict: a majority agrees with each other and not with the leader → the leader is wrong (BT-f2)", () => {
  const three = [member(2, false, [RIGHT]), member(3, false, [OTHER, RIGHT])];
  assert.deepEqual(verdictOf(three, true), { kind: "self", right: [2n, 3n] });
});

test("verdict: those that differ were not seen at one index yet, or have not answered → undecided", () => {
  const apart = [member(2, false, [RIGHT]), member(3, false, [{ ...RIGHT, index: 128 }])];
  assert.deepEqual(verdictOf(apart, true), { kind: "undecided" });
  const missing = [member(2, false, [RIGHT]), member(3, undefined)];
  assert.deepEqual(verdictOf(missing, true), { kind: "undecided" });
});

test("verdict: no digest has a strict majority → split, with two, three and four voters", () => {
  assert.deepEqual(verdictOf([member(2, false, [WRONG])], true), { kind: "split" });
  const three = [member(2, false, [WRONG]), member(3, false, [OTHER])];
  assert.deepEqual(verdictOf(three, true), { kind: "split" });
  const four = [member(2, true), member(3, false, [WRONG]), member(4, false, [WRONG])];
  assert.deepEqual(verdictOf(four, true), { kind: "split" });
});
