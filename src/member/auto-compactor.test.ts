import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualTime } from "../testing/manual-time.ts";
import { AutoCompactor, type Retention } from "./auto-compactor.ts";

const MINUTE_MS = 60_000;

function setUp(retention: Retention) {
  const time = new ManualTime();
  const compacted: number[] = [];
  const store = { revision: 1 };
  const compactor = new AutoCompactor({
    retention,
    clock: time,
    timers: time,
    currentRevision: () => store.revision,
    compact: (revision) => compacted.push(revision),
  });
  return { time, compacted, store, compactor };
}

test("auto compactor: mode revision → every 5 minutes, the newest N stay (CP-08)", () => {
  const { time, compacted, store } = setUp({ mode: "revision", revisions: 100 });
  store.revision = 50;
  time.advance(5 * MINUTE_MS);
  assert.deepEqual(compacted, [], "nothing is older than the newest 100");
  store.revision = 350;
  time.advance(5 * MINUTE_MS - 1);
  assert.deepEqual(compacted, []);
  time.advance(1);
  assert.deepEqual(compacted, [250]);
  time.advance(5 * MINUTE_MS);
  assert.deepEqual(compacted, [250], "nothing new, nothing to compact");
});

test("auto compactor: mode periodic → first after one period, to the revision of then (CP-08)", () => {
  const { time, compacted, store } = setUp({ mode: "periodic", periodMs: 10 * MINUTE_MS });
  for (let minute = 1; minute <= 10; minute += 1) {
    store.revision = minute * 10;
    time.advance(MINUTE_MS);
  }
  assert.deepEqual(compacted, [], "one full period has not been seen yet");
  time.advance(MINUTE_MS);
  assert.deepEqual(compacted, [10], "the revision seen at the first sample, one period ago");
});

test("auto compactor: a period of many hours → compacts every hour after the first (CP-08)", () => {
  const { time, compacted, store } = setUp({ mode: "periodic", periodMs: 24 * 60 * MINUTE_MS });
  for (let hour = 1; hour <= 27; hour += 1) {
    store.revision = hour;
    time.advance(60 * MINUTE_MS);
  }
  assert.deepEqual(compacted, [1, 2, 3]);
});

test("auto compactor: off or closed → nothing (CP-08)", () => {
  const off = setUp({ mode: "off" });
  off.store.revision = 1000;
  off.time.advance(48 * 60 * MINUTE_MS);
  assert.deepEqual(off.compacted, []);
  const closed = setUp({ mode: "revision", revisions: 1 });
  closed.store.revision = 1000;
  closed.compactor.close();
  closed.time.advance(60 * MINUTE_MS);
  assert.deepEqual(closed.compacted, []);
});
