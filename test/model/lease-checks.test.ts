import assert from "node:assert/strict";
import { test } from "node:test";
import { RunOfHand } from "./fixture.ts";

/** A lease of 2 s with a key, watched; `lifeMs` later it ends. */
function story(lifeMs: number): RunOfHand {
  const run = new RunOfHand();
  const watch = run.watch();
  run.call({ kind: "grant", lease: "7", ttlSeconds: 2 }).done(1);
  run.show(watch, run.putNow("l/a", "1", "7"));
  run.pause(lifeMs);
  run.show(watch, run.delete("l/a"));
  return run;
}

test("lease: ends after its time → accepted; before it → found", () => {
  assert.deepEqual(story(3_000).judge(), []);
  assert.deepEqual(story(100).found, ["lease"]);
});

test("lease: ends early, but somebody gave it up → accepted", () => {
  const run = new RunOfHand();
  const watch = run.watch();
  run.call({ kind: "grant", lease: "7", ttlSeconds: 60 }).done(1);
  run.show(watch, run.putNow("l/a", "1", "7"));
  run.call({ kind: "revoke", lease: "7" });
  run.show(watch, run.delete("l/a"));
  assert.deepEqual(run.judge(), []);
});

test("lease: renewed, and told gone within its time → found", () => {
  const run = new RunOfHand();
  run.call({ kind: "grant", lease: "7", ttlSeconds: 2 }).done(1);
  run.call({ kind: "keepAlive", lease: "7" }).done(1);
  assert.deepEqual(run.found, ["lease"]);
});

test("lease: still there long after its time → found", () => {
  const run = new RunOfHand();
  run.leasesLeft = ["7 on m1"];
  assert.deepEqual(run.found, ["lease"]);
});

test("lease: a key put on it after the history has ended it → found", () => {
  const run = story(3_000);
  run.putNow("l/b", "1", "7");
  assert.deepEqual(run.found, ["lease"]);
});
