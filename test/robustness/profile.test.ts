/** A short run of what `npm run robustness` does at length, and the history of its watches. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { UNDER_TEST } from "../harness/process.ts";
import { type HistoryEvent, Recorder } from "../model/history.ts";
import { chronicleOf } from "./chronicler.ts";
import { runProfile } from "./run-profile.ts";
import { SEED } from "./story.ts";

const SECONDS = 4;

test(`profile: puts on three members, one killed after the other (seed ${SEED}) → the judges find nothing`, async (t) => {
  const report = await runProfile({
    target: UNDER_TEST,
    profile: "put",
    seconds: SECONDS,
    seed: SEED,
    members: 3,
    faults: ["kill", "freeze"],
    say: (line) => t.diagnostic(line),
  });
  t.diagnostic(`${report.answered} answers, ${report.revisions} revisions`);
  assert.deepEqual(report.problems, []);
  assert.ok(report.answered > 50 && report.faults.size > 0, "something happened");
});

function recorded(...values: string[]): Recorder {
  const recorder = new Recorder(() => 0);
  for (const [at, value] of values.entries()) {
    const request = {
      key: "a",
      rangeEnd: "z",
      startRevision: 1,
      wantsPrevious: false,
      wantsProgress: false,
      filter: "none",
    } as const;
    const watch = recorder.watch("chronicler", `m${at + 1}`, request);
    const pair = { key: "a", value, createRevision: 2, modRevision: 2, version: 1, lease: "0" };
    const events: HistoryEvent[] = [{ type: "put", pair }];
    const response = { revision: 2, isProgress: false, isFragment: false, isCanceled: false };
    recorder.responded(watch, { ...response, events, compactRevision: 0 });
  }
  return recorder;
}

test("chronicle: what members show is one history, and another on one of them is found", () => {
  const same = chronicleOf(recorded("1", "1").watches);
  assert.deepEqual(same.problems, []);
  assert.equal(same.chronicle.get(2)?.[0]?.pair.value, "1");
  const other = chronicleOf(recorded("1", "2").watches);
  assert.deepEqual(
    other.problems.map(({ check }) => check),
    ["members differ"],
  );
});
