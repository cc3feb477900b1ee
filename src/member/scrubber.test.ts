import assert from "node:assert/strict";
import { test } from "node:test";
import type { Store } from "../mvcc/index.ts";
import { ManualTime } from "../testing/manual-time.ts";
import { Scrubber } from "./scrubber.ts";

/** A store with `steps` steps of scrubbing before it, and what the scrubber did with it. */
function setUp(steps: number) {
  const time = new ManualTime();
  const seen = { left: steps, asked: [] as number[], finished: 0, fatal: [] as Error[] };
  const store = {
    get isCompacting() {
      return seen.left > 0;
    },
    compactStep: (records: number) => {
      seen.asked.push(records);
      seen.left -= 1;
      return seen.left > 0;
    },
  };
  const scrubber = new Scrubber({
    store: store as unknown as Store,
    timers: time,
    stepRecords: 1000,
    restMs: 10,
    onFatal: (error) => seen.fatal.push(error),
    onFinished: () => (seen.finished += 1),
  });
  return { time, seen, scrubber, store };
}

test("scrubber: small steps with rests between them (CP-04)", () => {
  const { time, seen } = setUp(3);
  assert.deepEqual(seen.asked, [], "nothing on the caller's own turn");
  time.advance(10);
  assert.deepEqual(seen.asked, [1000]);
  time.advance(9);
  assert.equal(seen.asked.length, 1);
  time.advance(11);
  assert.equal(seen.asked.length, 3);
  assert.equal(seen.finished, 1);
  time.advance(1000);
  assert.equal(seen.asked.length, 3, "no step without work");
});

test("scrubber: a physical compaction waits for the end of the scrub (CP-02)", async () => {
  const { time, seen, scrubber } = setUp(2);
  let isFinished = false;
  const finished = scrubber.finished().then(() => {
    isFinished = true;
  });
  time.advance(10);
  await Promise.resolve();
  assert.equal(isFinished, false);
  time.advance(10);
  await finished;
  assert.equal(seen.left, 0);
});

test("scrubber: a step that fails → the owner is told, and no step follows", () => {
  const { time, seen, store } = setUp(2);
  store.compactStep = () => {
    throw new Error("record: bad checksum");
  };
  time.advance(100);
  assert.deepEqual(
    seen.fatal.map((error) => error.message),
    ["record: bad checksum"],
  );
});

test("scrubber: closed in the middle → those who wait are let go", async () => {
  const { time, seen, scrubber } = setUp(5);
  const finished = scrubber.finished();
  time.advance(10);
  scrubber.close();
  await finished;
  time.advance(100);
  assert.equal(seen.asked.length, 1);
});
