import assert from "node:assert/strict";
import { test } from "node:test";
import { RunOfHand, withPrevious } from "./fixture.ts";
import type { HistoryEvent } from "./history.ts";

/** Revisions 2 to 4: a=1, then a=2 and b=2 at once, then a is gone. */
function story(): RunOfHand {
  const run = new RunOfHand();
  run.putNow("a", "1");
  const open = run.call({
    kind: "kv",
    compares: [],
    success: [
      { kind: "put", key: "a", value: "2", lease: "0" },
      { kind: "put", key: "b", value: "2", lease: "0" },
    ],
    failure: [],
    isSerializable: false,
  });
  const pair = { lease: "0", modRevision: 3 };
  run.happens(
    { type: "put", pair: { key: "a", value: "2", createRevision: 2, version: 2, ...pair } },
    { type: "put", pair: { key: "b", value: "2", createRevision: 3, version: 1, ...pair } },
  );
  open.done(3);
  run.call({
    kind: "kv",
    compares: [],
    success: [{ kind: "delete", key: "a", rangeEnd: "" }],
    failure: [],
    isSerializable: false,
  });
  run.delete("a");
  return run;
}

function at(run: RunOfHand, revision: number, sub = 0): HistoryEvent {
  return run.chronicle.get(revision)?.[sub] as HistoryEvent;
}

test("watch: everything in order, with progress, to the end → accepted", () => {
  const run = story();
  const watch = run.watch({ wantsProgress: true });
  run.show(watch, 2, 3);
  run.progress(watch, 3);
  run.show(watch, 4);
  run.progress(watch, 4);
  watch.isOpenAtEnd = true;
  assert.deepEqual(run.judge(), []);
});

test("watch filter: an event outside of what was asked → found", () => {
  const run = story();
  run.show(run.watch({ key: "b", rangeEnd: "" }), 2);
  assert.deepEqual(run.found, ["watch filter"]);
  const other = story();
  other.show(other.watch({ filter: "noDelete" }), 2, 3, 4);
  assert.deepEqual(other.found, ["watch filter"]);
});

test("watch ordered: an older revision after a newer → found", () => {
  const run = story();
  const watch = run.watch({ startRevision: 2 });
  run.show(watch, 2, 3);
  run.show(watch, 2);
  assert.deepEqual(run.found, ["watch ordered"]);
});

test("watch unique: the same revision twice → found", () => {
  const run = story();
  const watch = run.watch();
  run.show(watch, 2);
  run.show(watch, 2);
  assert.deepEqual(run.found, ["watch unique"]);
});

test("watch atomic: a transaction in two responses that are no fragments → found", () => {
  const run = story();
  const watch = run.watch();
  run.showEvents(watch, [at(run, 2), at(run, 3, 0)]);
  run.showEvents(watch, [at(run, 3, 1)]);
  assert.deepEqual(run.found, ["watch atomic"]);
  const fragments = story();
  const other = fragments.watch();
  fragments.showEvents(other, [at(fragments, 2), at(fragments, 3, 0)], true);
  fragments.showEvents(other, [at(fragments, 3, 1)]);
  assert.deepEqual(fragments.judge(), []);
});

test("watch reliable: a gap, an event that never was, an end that never comes → found", () => {
  const gap = story();
  const watch = gap.watch();
  gap.show(watch, 2);
  gap.show(watch, 4);
  assert.deepEqual(gap.found, ["watch reliable"]);
  const invented = story();
  const event = at(invented, 2);
  const pair = { ...event.pair, value: "other" };
  invented.showEvents(invented.watch(), [{ ...event, pair }]);
  assert.deepEqual(invented.found, ["watch reliable"]);
  const short = story();
  const last = short.watch();
  short.show(last, 2, 3);
  last.isOpenAtEnd = true;
  assert.deepEqual(short.found, ["watch reliable"]);
});

test("watch resumable: the first events after its start are left out, or some before it → found", () => {
  const late = story();
  late.show(late.watch({ startRevision: 2 }), 3);
  assert.deepEqual(late.found, ["watch resumable"]);
  const early = story();
  early.show(early.watch({ startRevision: 3 }), 2, 3);
  assert.deepEqual(early.found, ["watch resumable"]);
});

test("watch bookmarkable: progress ahead of events, or events behind it → found", () => {
  const ahead = story();
  const watch = ahead.watch();
  ahead.show(watch, 2);
  ahead.progress(watch, 3);
  assert.deepEqual(ahead.found, ["watch bookmarkable"]);
});

test("watch prev_kv: missing, wrong, or unasked → found", () => {
  const right = story();
  const watch = right.watch({ wantsPrevious: true });
  right.showEvents(watch, [at(right, 2)]);
  right.showEvents(watch, [withPrevious(at(right, 3), at(right, 2).pair), at(right, 3, 1)]);
  right.showEvents(watch, [withPrevious(at(right, 4), at(right, 3).pair)]);
  assert.deepEqual(right.judge(), []);
  const missing = story();
  missing.show(missing.watch({ wantsPrevious: true }), 2, 3);
  assert.deepEqual(missing.found, ["watch prev_kv"]);
  const unasked = story();
  unasked.showEvents(unasked.watch({ startRevision: 3 }), [
    withPrevious(at(unasked, 3), at(unasked, 2).pair),
    at(unasked, 3, 1),
  ]);
  assert.deepEqual(unasked.found, ["watch prev_kv"]);
});

test("watch: canceled for a compaction that nobody asked for → found", () => {
  const run = story();
  run.cancel(run.watch(), 3);
  assert.deepEqual(run.found, ["watch reliable"]);
  const asked = story();
  asked.call({ kind: "compact", revision: 3 }).done(4);
  asked.cancel(asked.watch(), 3);
  assert.deepEqual(asked.judge(), []);
});
