import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMIT_RHYTHM, MemoryBackend } from "../backend/index.ts";
import { ManualTime } from "../testing/manual-time.ts";
import { CommitPacer } from "./commit-pacer.ts";

const INTERVAL_MS = 700;

function setUp(rhythm = { intervalMs: INTERVAL_MS, operations: 0 }) {
  const time = new ManualTime();
  const backend = new MemoryBackend();
  const durable: number[] = [];
  const fatal: Error[] = [];
  const pacer = new CommitPacer({
    backend,
    rhythm,
    timers: time,
    clock: time,
    onDurable: (point) => durable.push(point.index),
    onFatal: (error) => fatal.push(error),
  });
  const write = (index: number) => {
    backend.put("meta", Buffer.from("k"), Buffer.from(`${index}`));
    backend.setApplied({ index, term: 1 });
  };
  return { time, backend, pacer, durable, fatal, write };
}

test("commit pacer: effects go to the store at each interval, and only when there are some", async () => {
  const { time, backend, pacer, durable, write } = setUp();
  time.advance(1000);
  assert.deepEqual(durable, []);
  write(1);
  time.advance(INTERVAL_MS - (1000 % INTERVAL_MS) - 1);
  assert.equal(backend.durable.index, 0);
  time.advance(1);
  await pacer.flush();
  assert.deepEqual(durable, [1]);
});

test("commit pacer: many operations → at once, without waiting for the interval", async () => {
  const { backend, pacer, durable, write } = setUp();
  for (let index = 1; index <= 10_000; index += 1) write(index);
  pacer.applied();
  await pacer.flush();
  assert.deepEqual(durable, [10_000]);
  assert.equal(backend.pendingOperations, 0);
});

test("commit pacer: fewer operations set → a commit at that many; no interval set → the store's own", async () => {
  const { time, backend, pacer, durable, write } = setUp({ intervalMs: 0, operations: 3 });
  write(1);
  time.advance(COMMIT_RHYTHM.intervalMs - 1);
  assert.equal(backend.durable.index, 0);
  time.advance(1);
  await pacer.flush();
  for (let index = 2; index <= 4; index += 1) {
    pacer.applied();
    write(index);
  }
  pacer.applied();
  await pacer.flush();
  assert.deepEqual(durable, [1, 4]);
});

test("commit pacer: flush settles only when everything applied before it is durable", async () => {
  const { pacer, backend, write } = setUp();
  write(5);
  await pacer.flush();
  assert.equal(backend.durable.index, 5);
});

test("commit pacer: closed → the rest is committed and nothing after it", async () => {
  const { time, pacer, durable, write } = setUp();
  write(3);
  await pacer.close();
  assert.deepEqual(durable, [3]);
  write(4);
  time.advance(1000);
  assert.deepEqual(durable, [3]);
});
