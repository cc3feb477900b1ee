/** When the log is let go of, how much, and in which order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualTime } from "../testing/index.ts";
import { emptyConfState } from "../wire/index.ts";
import { LogReleaser, type LogReleaserOptions } from "./log-releaser.ts";

const CONF_STATE = { ...emptyConfState(), voters: [1n, 2n, 3n] };

interface World {
  readonly releaser: LogReleaser;
  readonly time: ManualTime;
  readonly calls: string[];
  readonly failures: Error[];
  /** What the next calls of the disk do. */
  fault: Error | undefined;
}

function newWorld(settings: Partial<LogReleaserOptions["settings"]> = {}, from = 0): World {
  const calls: string[] = [];
  const failures: Error[] = [];
  const time = new ManualTime();
  const world: { fault: Error | undefined } = { fault: undefined };
  const releaser = new LogReleaser({
    wal: {
      cut: async () => {
        await Promise.resolve();
        calls.push("cut");
        return 141;
      },
      saveSnapshot: async ({ index, term, confState }) => {
        await Promise.resolve();
        if (world.fault !== undefined) throw world.fault;
        assert.deepEqual(confState, CONF_STATE);
        calls.push(`record ${index} of term ${term}`);
      },
      release: (index) => calls.push(`wal ${index}`),
      purge: async (segmentsMax) => {
        await Promise.resolve();
        calls.push(`purge ${segmentsMax}`);
        return [];
      },
    },
    storage: { release: (index) => calls.push(`raft ${index}`) },
    confState: () => CONF_STATE,
    settings: { snapshotCount: 100, snapshotCatchUpEntries: 30, walsMax: 5, ...settings },
    timers: time,
    snapshotIndex: from,
    onFatal: (error) => failures.push(error),
  });
  return Object.assign(world, { releaser, time, calls, failures });
}

test("log release: record, then Raft's beginning, then the files (RA-05, WL-09, WL-10)", async () => {
  const { releaser, calls } = newWorld();
  releaser.durable({ index: 99, term: 2 });
  await releaser.idle();
  assert.deepEqual(calls, []);
  releaser.durable({ index: 130, term: 2 });
  releaser.durable({ index: 131, term: 2 });
  await releaser.idle();
  assert.deepEqual(calls, ["record 130 of term 2", "raft 100", "wal 100", "purge 5"]);
  releaser.durable({ index: 229, term: 2 });
  await releaser.idle();
  assert.equal(calls.length, 4, "the next record comes snapshot-count entries later");
});

test("log release: a log that cannot be read → goes on in a new segment; the old ones go when the store has them", async () => {
  const { releaser, calls } = newWorld();
  await releaser.forsake();
  await releaser.forsake();
  releaser.durable({ index: 139, term: 2 });
  await releaser.idle();
  const released = ["record 139 of term 2", "raft 109", "wal 109", "purge 5"];
  assert.deepEqual(calls.splice(0), ["cut", ...released]);
  releaser.durable({ index: 141, term: 2 });
  await releaser.idle();
  assert.deepEqual(calls.splice(0), ["record 141 of term 2", "raft 141", "wal 141", "purge 1"]);
  releaser.durable({ index: 142, term: 2 });
  await releaser.idle();
  assert.deepEqual(calls, []);
});

test("log release: fewer entries than slow followers may need → a record, nothing goes", async () => {
  const { releaser, calls } = newWorld({ snapshotCatchUpEntries: 5000 });
  releaser.durable({ index: 100, term: 2 });
  await releaser.idle();
  assert.deepEqual(calls, ["record 100 of term 2"]);
});

test("log release: the log has a record from before the start → counted from there (WL-09)", async () => {
  const { releaser, calls } = newWorld({}, 500);
  releaser.durable({ index: 599, term: 2 });
  await releaser.idle();
  assert.deepEqual(calls, []);
  releaser.durable({ index: 600, term: 2 });
  await releaser.idle();
  assert.equal(calls[0], "record 600 of term 2");
});

test("log release: a snapshot is being sent → all is kept until 30 s after (RA-05)", async () => {
  const { releaser, calls, time } = newWorld();
  releaser.hold();
  releaser.hold();
  releaser.durable({ index: 200, term: 2 });
  await releaser.idle();
  assert.deepEqual(calls, ["record 200 of term 2"], "the record costs no follower anything");
  releaser.unhold();
  time.advance(40_000);
  assert.ok(releaser.isHeld, "one of two is still on its way");
  releaser.unhold();
  time.advance(29_999);
  releaser.durable({ index: 310, term: 2 });
  await releaser.idle();
  assert.deepEqual(calls.slice(1), ["record 310 of term 2"]);
  time.advance(1);
  await releaser.idle();
  assert.deepEqual(calls.slice(2), ["raft 280", "wal 280", "purge 5"]);
});

test("log release: a snapshot begins within the 30 s → the wait begins anew (RA-05)", async () => {
  const { releaser, calls, time } = newWorld();
  releaser.hold();
  releaser.durable({ index: 200, term: 2 });
  await releaser.idle();
  releaser.unhold();
  time.advance(20_000);
  releaser.hold();
  time.advance(20_000);
  releaser.unhold();
  time.advance(29_999);
  await releaser.idle();
  assert.deepEqual(calls, ["record 200 of term 2"]);
  time.advance(1);
  await releaser.idle();
  assert.deepEqual(calls.slice(1), ["raft 170", "wal 170", "purge 5"]);
});

test("log release: the record cannot be written → told once, nothing is let go of (WL-09)", async () => {
  const world = newWorld();
  world.fault = new Error("EIO");
  world.releaser.durable({ index: 200, term: 2 });
  await world.releaser.idle();
  assert.deepEqual([world.calls, world.failures], [[], [world.fault]]);
});

test("log release: closed → what is under way ends, nothing begins", async () => {
  const { releaser, calls, time } = newWorld();
  releaser.hold();
  releaser.durable({ index: 200, term: 2 });
  await releaser.close();
  releaser.unhold();
  time.advance(60_000);
  releaser.durable({ index: 400, term: 2 });
  await releaser.idle();
  assert.deepEqual(calls, ["record 200 of term 2"]);
});
