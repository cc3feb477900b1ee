/** The log as Raft reads it: what is in memory, what is on disk, what is gone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TermRuns } from "../wal/index.ts";
import { emptyConfState, type Entry, sizeEntry } from "../wire/index.ts";
import { type EntryLoader, RaftStorage, type RaftStorageOptions } from "./raft-storage.ts";

function entry(index: number, term = 1, dataBytes = 100): Entry {
  return { type: 0, term, index, data: Buffer.alloc(dataBytes, index) };
}

function run(lo: number, hi: number, term = 1): Entry[] {
  return Array.from({ length: hi - lo }, (_, at) => entry(lo + at, term));
}

interface World {
  readonly storage: RaftStorage;
  /** Reads that wait for their answer. */
  readonly loads: { lo: number; hi: number; answer: (entries: Entry[] | Error) => void }[];
  readonly loaded: number[];
  readonly failures: Error[];
}

/** A log of `count` entries, all applied, of which only about the newest `cached` are in memory. */
function newWorld(count = 0, cached = 10, options: Partial<RaftStorageOptions> = {}): World {
  const loads: World["loads"] = [];
  const loaded: number[] = [];
  const failures: Error[] = [];
  const load: EntryLoader = (lo, hi) =>
    new Promise((resolve, reject) => {
      loads.push({
        lo,
        hi,
        answer: (found) => (found instanceof Error ? reject(found) : resolve(found)),
      });
    });
  const storage = new RaftStorage({
    log: {
      hardState: { term: 1, vote: 1n, commit: 0 },
      confState: emptyConfState(),
      applied: 0,
      terms: new TermRuns(0, 0),
      entries: [],
    },
    load,
    snapshotMetadata: () => undefined,
    onLoaded: (lo) => loaded.push(lo),
    onLoadFailed: (error) => failures.push(error),
    cacheBytesMax: cached * (sizeEntry(entry(1)) + 160),
    ...options,
  });
  storage.append(run(1, count + 1));
  storage.setApplied(count);
  return { storage, loads, loaded, failures };
}

/** Lets what was answered take effect. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("raft storage: what is not applied → stays in memory whatever it weighs (RA-05)", () => {
  const { storage, loads } = newWorld(0, 5);
  storage.append(run(1, 101));
  assert.equal(storage.cachedFrom, 1);
  assert.deepEqual(storage.entries(1, 101, 1e9), run(1, 101));
  storage.setApplied(40);
  assert.equal(storage.cachedFrom, 41);
  assert.deepEqual(storage.entries(41, 101, 1e9), run(41, 101));
  storage.setApplied(100);
  assert.equal(storage.cachedFrom, 96);
  assert.equal(storage.cachedBytes, 5 * (sizeEntry(entry(1)) + 160));
  assert.deepEqual(loads, []);
});

test("raft storage: many small entries → the newest stay in memory, however few bytes they are", () => {
  const { storage } = newWorld(0, 1000, { cacheEntriesMax: 10 });
  storage.append(run(1, 101));
  assert.equal(storage.cachedFrom, 1, "nothing is applied");
  storage.setApplied(100);
  assert.equal(storage.cachedFrom, 91);
  assert.deepEqual(storage.entries(91, 101, 1e9), run(91, 101));
  storage.append(run(101, 111));
  assert.equal(storage.cachedFrom, 101);
});

test("raft storage: entries that left memory → pending, then read from disk by pages", async () => {
  const { storage, loads, loaded } = newWorld(100, 10);
  assert.equal(storage.entries(20, 101, 1e9), "pending");
  assert.equal(storage.entries(20, 101, 1e9), "pending", "asked again: one read");
  assert.deepEqual([loads.length, loads[0]?.lo, loads[0]?.hi], [1, 20, 91]);
  loads[0]?.answer(run(20, 30));
  await settled();
  assert.deepEqual(loaded, [20]);
  assert.deepEqual(storage.entries(22, 26, 1e9), run(22, 26));
  assert.equal(loads.length, 1);
  assert.deepEqual(storage.entries(20, 101, 1e9), run(20, 30), "as far as the page goes");
  assert.equal(loads.length, 2, "the next page is read while this one is sent");
  assert.equal(loads[1]?.lo, 30);
  loads[1]?.answer(run(30, 91));
  await settled();
  assert.deepEqual(storage.entries(30, 101, 1e9), run(30, 91));
  assert.equal(loads.length, 2, "the page led up to what is in memory");
  assert.deepEqual(storage.entries(91, 101, 1e9), run(91, 101));
});

test("raft storage: no more than the bytes asked for after the first entry", async () => {
  const { storage, loads } = newWorld(100, 10);
  const size = sizeEntry(entry(95));
  assert.deepEqual(storage.entries(95, 101, 1), [entry(95)]);
  assert.deepEqual(storage.entries(95, 101, 3 * size), run(95, 98));
  assert.deepEqual(storage.entries(95, 101, 3 * size - 1), run(95, 97));
  storage.entries(5, 6, 1);
  loads[0]?.answer(run(5, 50));
  await settled();
  assert.deepEqual(storage.entries(5, 101, 2 * size), run(5, 7));
});

test("raft storage: followers at different places → each has its page, reads go one by one", async () => {
  const { storage, loads, loaded } = newWorld(1000, 10);
  for (const lo of [100, 300, 500]) assert.equal(storage.entries(lo, 1001, 1e9), "pending");
  assert.equal(loads.length, 1);
  for (const lo of [100, 300, 500]) {
    loads.at(-1)?.answer(run(lo, lo + 20));
    await settled();
  }
  assert.deepEqual(loaded, [100, 300, 500]);
  for (const lo of [500, 100, 300]) assert.equal(storage.entries(lo, lo + 5, 1e9).length, 5);
  for (let lo = 0; lo < 40; lo += 1) storage.entries(600 + lo, 1001, 1e9);
  for (let turn = 0; turn < 40; turn += 1) {
    const last = loads.at(-1);
    last?.answer(run(last.lo, last.lo + 1));
    await settled();
  }
  assert.ok(loads.length <= 3 + 8, "no more reads wait than the limit says");
});

test("raft storage: asked on from within onLoaded, as a driver does → each page is read once", async () => {
  const asked: number[] = [];
  let next = 1;
  const sent: Entry[] = [];
  const send = (): void => {
    while (next <= 490) {
      const found = storage.entries(next, 501, 1000);
      if (typeof found === "string") return;
      for (const each of found) sent.push(each);
      next += found.length;
    }
  };
  const load: EntryLoader = async (lo, hi) => {
    asked.push(lo);
    await Promise.resolve();
    return run(lo, Math.min(lo + 30, hi));
  };
  const { storage } = newWorld(500, 10, { load, onLoaded: send });
  send();
  while (next <= 490) await settled();
  assert.deepEqual(sent.slice(0, 490), run(1, 491));
  assert.equal(new Set(asked).size, asked.length, asked.join());
});

test("raft storage: released → compacted, and its term is gone but for the last (RA-05)", async () => {
  const { storage, loads, loaded, failures } = newWorld(100, 10);
  assert.equal(storage.entries(20, 101, 1e9), "pending");
  storage.release(50);
  assert.deepEqual([storage.firstIndex(), storage.lastIndex()], [51, 100]);
  assert.deepEqual([storage.term(49), storage.term(50)], [undefined, 1]);
  assert.equal(storage.entries(50, 101, 1e9), "compacted");
  loads[0]?.answer(new Error("ENOENT: the segment was purged"));
  await settled();
  assert.deepEqual([loaded, failures], [[20], []], "a read that came too late is nobody's fault");
  assert.equal(storage.firstIndex(), 51);
  storage.release(95);
  assert.equal(storage.cachedFrom, 96, "memory goes with it");
  storage.release(200);
  assert.equal(storage.firstIndex(), 101, "never past what is applied");
  assert.equal(storage.lastIndex(), 100);
});

test("raft storage: the log on disk is damaged → compacted there, the rest goes on", async () => {
  const { storage, loads, loaded, failures } = newWorld(100, 10);
  assert.equal(storage.entries(20, 101, 1e9), "pending");
  loads[0]?.answer(new Error("broken at offset 7"));
  await settled();
  assert.deepEqual(
    failures.map((error) => error.message),
    ["broken at offset 7"],
  );
  assert.deepEqual(loaded, [20], "the follower is looked at again: it gets a snapshot");
  assert.equal(storage.entries(20, 101, 1e9), "compacted");
  assert.equal(storage.firstIndex(), 91);
  assert.deepEqual(storage.entries(91, 101, 1e9), run(91, 101));
});

test("raft storage: a snapshot is installed → the log is empty after it (WL-08)", async () => {
  const { storage, loads, loaded } = newWorld(100, 10);
  storage.append(run(101, 120));
  storage.entries(20, 101, 1e9);
  storage.installSnapshot({ index: 110, term: 7 });
  assert.deepEqual([storage.firstIndex(), storage.lastIndex()], [111, 110]);
  assert.deepEqual([storage.term(110), storage.term(111)], [7, undefined]);
  loads[0]?.answer(run(20, 30));
  await settled();
  assert.deepEqual(loaded, [], "what was on its way is of the old log");
  assert.equal(storage.entries(110, 111, 1e9), "compacted");
  // Entries of before that were still on their way to the disk.
  storage.append([entry(110, 3), entry(111, 7), entry(112, 7)]);
  assert.deepEqual(storage.entries(111, 113, 1e9), [entry(111, 7), entry(112, 7)]);
});

test("raft storage: what is applied is never replaced → a bug of the caller", () => {
  const { storage } = newWorld(20, 10);
  assert.throws(() => storage.append([entry(20, 2)]), /not replaced/);
  assert.throws(() => storage.append([entry(22)]), /no gap/);
  assert.throws(() => storage.setApplied(21), /within the log/);
});

test("raft storage: begins with what recovery found; hard state and snapshot are passed on", () => {
  const terms = new TermRuns(3, 1);
  for (let index = 4; index <= 9; index += 1) terms.append(index, 2);
  const hardState = { term: 2, vote: 5n, commit: 7 };
  const confState = { ...emptyConfState(), voters: [5n] };
  const log = { hardState, confState, applied: 6, terms, entries: run(7, 10, 2) };
  const snapshot = { data: Buffer.alloc(0), metadata: { confState, index: 6, term: 2 } };
  const { storage } = newWorld(0, 10, { log, snapshotMetadata: () => snapshot });
  assert.deepEqual(storage.initialState(), { hardState, confState });
  assert.equal(storage.snapshot(), snapshot);
  assert.deepEqual([storage.firstIndex(), storage.lastIndex(), storage.cachedFrom], [4, 9, 7]);
  assert.deepEqual(storage.entries(7, 10, 1e9), run(7, 10, 2));
  assert.equal(storage.entries(4, 10, 1e9), "pending");
  const gap = { ...log, terms, entries: run(8, 10, 2) };
  assert.throws(() => newWorld(0, 10, { log: gap }), /not applied is in memory/);
});
