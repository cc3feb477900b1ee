import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApplyResponse } from "../apply/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import { ManualTime } from "../testing/manual-time.ts";
import type { Entry, HardState, RaftRequest } from "../wire/index.ts";
import { APPLY_SLICE_ENTRIES, PROPOSALS_MAX } from "./limits.ts";
import { LogLoop } from "./log-loop.ts";

const REQUEST: RaftRequest = {
  header: { memberPrefix: 1, sequence: 1, username: "", authRevision: 0 },
  operation: { kind: "leaseRevoke", leaseRevoke: { id: 1n } },
};
const DATA = Buffer.from("data");

/** A log whose writes end when the test says so, and a machine that notes what it is given. */
function setUp(
  apply: (entry: Entry) => ApplyResponse | EtcdError = () => ({ kind: "leaseCheckpoint" }),
) {
  const time = new ManualTime();
  const appends: {
    entries: readonly Entry[];
    state: HardState;
    settle: PromiseWithResolvers<void>;
  }[] = [];
  const applied: number[] = [];
  let slices = 0;
  const store = { isBehind: false };
  const fatal: Error[] = [];
  const loop = new LogLoop({
    log: {
      append: (entries, state) => {
        const settle = Promise.withResolvers<void>();
        appends.push({ entries, state, settle });
        return settle.promise;
      },
    },
    applier: {
      applyNormal: (entry) => {
        applied.push(entry.index);
        return apply(entry);
      },
      applied: () => {
        slices += 1;
      },
    },
    timers: time,
    hardState: { term: 7, vote: 9n, commit: 10 },
    lastIndex: 10,
    onFatal: (error) => fatal.push(error),
    isHeldBack: () => store.isBehind,
  });
  const answers: string[] = [];
  const propose = (name: string) => {
    const waiter = {
      done: () => void answers.push(name),
      refused: (error: EtcdError) => void answers.push(`${name}: ${error.id}`),
    };
    loop.propose(DATA, REQUEST, waiter, time.monotonicMs());
  };
  const durable = async (position: number) => {
    appends[position]?.settle.resolve();
    await appends[position]?.settle.promise;
    await Promise.resolve();
  };
  return {
    time,
    appends,
    applied,
    fatal,
    loop,
    answers,
    propose,
    durable,
    store,
    slices: () => slices,
  };
}

test("log loop: proposals of one turn → one append, applied and answered in order", async () => {
  const { time, appends, applied, answers, propose, durable } = setUp();
  propose("a");
  propose("b");
  assert.equal(appends.length, 0, "nothing is written before the turn ends");
  time.turn();
  assert.equal(appends.length, 1);
  assert.deepEqual(
    appends[0]?.entries.map((entry) => entry.index),
    [11, 12],
  );
  assert.deepEqual(appends[0]?.state, { term: 7, vote: 9n, commit: 10 });
  assert.deepEqual(answers, [], "nothing is answered before it is durable");
  await durable(0);
  assert.deepEqual(applied, [11, 12]);
  assert.deepEqual(answers, ["a", "b"]);
});

test("log loop: proposals during a write gather for the next → one write in flight", async () => {
  const { time, appends, answers, propose, durable, loop } = setUp();
  propose("a");
  time.turn();
  propose("b");
  propose("c");
  time.turn();
  assert.equal(appends.length, 1);
  assert.equal(loop.pending, 3);
  await durable(0);
  time.turn();
  assert.equal(appends.length, 2);
  assert.deepEqual(
    appends[1]?.entries.map((entry) => entry.index),
    [12, 13],
  );
  assert.equal(appends[1]?.state.commit, 11, "the commit index travels with the next batch");
  assert.deepEqual(answers, ["a"]);
  await durable(1);
  assert.deepEqual(answers, ["a", "b", "c"]);
  assert.equal(loop.pending, 0);
});

test("log loop: a refusal by the machine reaches the one that asked", async () => {
  const { time, answers, propose, durable } = setUp((entry) =>
    entry.index === 11 ? errors.LeaseNotFound : { kind: "leaseCheckpoint" },
  );
  propose("a");
  propose("b");
  time.turn();
  await durable(0);
  assert.deepEqual(answers, ["a: LeaseNotFound", "b"]);
});

test("log loop: many entries → applied in slices with turns between them", async () => {
  const { time, applied, propose, durable } = setUp();
  for (let count = 0; count < APPLY_SLICE_ENTRIES + 1; count += 1) propose("x");
  time.turn();
  await durable(0);
  assert.equal(applied.length, APPLY_SLICE_ENTRIES);
  time.turn();
  assert.equal(applied.length, APPLY_SLICE_ENTRIES + 1);
});

test("log loop: a full queue → too many requests, and later proposals go on (FR-10)", () => {
  const { time, answers, propose } = setUp();
  for (let count = 0; count < PROPOSALS_MAX; count += 1) propose("x");
  propose("late");
  assert.deepEqual(answers, [], "a proposal never answers before it returned");
  time.turn();
  assert.deepEqual(answers, ["late: TooManyRequests"]);
});

test("log loop: a disk that does not answer → timeouts, and the write may still happen (FR-08)", async () => {
  const { time, answers, applied, propose, durable, loop } = setUp();
  propose("a");
  time.turn();
  time.advance(7_000);
  propose("b");
  loop.expire(time.monotonicMs() - 7_000);
  assert.deepEqual(answers, ["a: Timeout"]);
  await durable(0);
  assert.deepEqual(applied, [11], "the entry was committed all the same");
});

test("log loop: a failed append → everything waiting is refused and nothing more is taken", async () => {
  const { time, appends, answers, fatal, propose } = setUp();
  propose("a");
  time.turn();
  propose("b");
  appends[0]?.settle.reject(new Error("EIO"));
  await appends[0]?.settle.promise.catch(() => undefined);
  await Promise.resolve();
  assert.equal(fatal[0]?.message, "EIO");
  assert.deepEqual(answers.sort(), ["a: Stopped", "b: Stopped"]);
  propose("c");
  time.turn();
  assert.equal(answers.at(-1), "c: Stopped");
  assert.equal(appends.length, 1);
});

test("log loop: a machine that throws → the loop stops and says so", async () => {
  const { time, fatal, answers, propose, durable } = setUp(() => {
    throw new Error("record at key x: bad checksum");
  });
  propose("a");
  time.turn();
  await durable(0);
  assert.match(fatal[0]?.message ?? "", /bad checksum/);
  assert.deepEqual(answers, ["a: Stopped"]);
});

test("log loop: drain → what is on its way is answered, what waits is refused, then idle", async () => {
  const { time, answers, propose, durable, loop } = setUp();
  propose("a");
  time.turn();
  propose("b");
  let isIdle = false;
  const drained = loop.drain(errors.Stopped).then(() => {
    isIdle = true;
  });
  assert.deepEqual(answers, ["b: Stopped"]);
  await Promise.resolve();
  assert.equal(isIdle, false);
  await durable(0);
  await drained;
  assert.deepEqual(answers, ["b: Stopped", "a"]);
});

test("log loop: a store that is behind → proposals wait for it, none is refused", async () => {
  const { time, appends, answers, propose, durable, store, loop } = setUp();
  store.isBehind = true;
  propose("a");
  time.turn();
  assert.equal(appends.length, 0);
  store.isBehind = false;
  loop.wake();
  time.turn();
  assert.equal(appends.length, 1);
  await durable(0);
  assert.deepEqual(answers, ["a"]);
});
