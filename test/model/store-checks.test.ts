import assert from "node:assert/strict";
import { test } from "node:test";
import { RunOfHand } from "./fixture.ts";

function story(): RunOfHand {
  const run = new RunOfHand();
  for (const value of ["1", "2"]) run.putNow("a", value);
  return run;
}

test("durable: each member holds what was acknowledged, at each revision → accepted", () => {
  const run = story();
  const states = new Map([2, 3].map((at) => [at, run.replay.range("a", "z", at)]));
  run.stores.push({ member: "m1", states });
  assert.deepEqual(run.judge(), []);
});

test("durable: something is lost, old, too much or unreadable → found", () => {
  const wrong = story().replay;
  const old = wrong.range("a", "z", 2);
  const more = [...wrong.range("a", "z", 3), ...old];
  for (const pairs of [[], old, more, "damaged"]) {
    const run = story();
    run.stores.push({ member: "m1", states: new Map([[3, pairs]]) });
    assert.deepEqual(run.found, ["durable"]);
  }
});
