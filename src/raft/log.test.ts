import assert from "node:assert/strict";
import { test } from "node:test";
import { type Entry, sizeEntry } from "../wire/index.ts";
import { RaftLog } from "./log.ts";
import { MemoryStorage } from "./memory-storage.ts";
import { confState, entry } from "./small-cluster.test.ts";
import { Unstable } from "./unstable.ts";

const ALL = Number.POSITIVE_INFINITY;

/** Snapshot at 2, then `durable` terms from 3 on in storage and `unstable` ones after them. */
function newLog(durable: readonly number[], unstable: readonly number[] = []): RaftLog {
  const storage = new MemoryStorage();
  const metadata = { confState: confState([1n]), index: 2, term: 1 };
  storage.applySnapshot({ data: Buffer.alloc(0), metadata });
  storage.append(durable.map((term, at) => entry(term, at + 3)));
  const log = new RaftLog(storage, 1000);
  log.append(unstable.map((term, at) => entry(term, durable.length + at + 3)));
  return log;
}

function indexes(entries: readonly Entry[] | string): readonly number[] | string {
  return typeof entries === "string" ? entries : entries.map(({ index }) => index);
}

test("raft log: terms of what is kept and of the entry before it, and of nothing else", () => {
  const log = newLog([1, 2], [3]);
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].map((index) => log.term(index)),
    [undefined, 1, 1, 2, 3, undefined],
  );
  assert.deepEqual([log.firstIndex(), log.lastIndex(), log.lastTerm()], [3, 5, 3]);
});

test("raft log: a slice over the durable and the other part → in order, within the bytes", () => {
  const log = newLog([1, 1, 1], [1, 1, 1]);
  const one = sizeEntry(entry(1, 3));
  assert.deepEqual(indexes(log.slice(3, 9, ALL)), [3, 4, 5, 6, 7, 8]);
  assert.deepEqual(indexes(log.slice(4, 8, 3 * one)), [4, 5, 6]);
  assert.deepEqual(indexes(log.slice(4, 8, 2 * one)), [4, 5]);
  assert.deepEqual(indexes(log.slice(4, 8, 0)), [4], "one always comes");
  assert.deepEqual(indexes(log.slice(7, 9, 0)), [7]);
  assert.deepEqual(indexes(log.slice(2, 4, ALL)), "compacted");
});

test("raft log: an append that stops short of a stale tail → commits only what it brought", () => {
  const log = newLog([1, 1, 1]);
  assert.equal(log.tryAppend(2, 1, [entry(1, 3)], 5), 3);
  assert.equal(log.committed, 3, "the leader's 4 and 5 may be others");
});

test("raft log: a durable entry that is replaced → handed out again, to overwrite it", () => {
  const log = newLog([1, 1, 1]);
  assert.equal(log.tryAppend(3, 1, [entry(2, 4)], 2), 4);
  assert.deepEqual(log.unstable.nextEntries(), [entry(2, 4)]);
  assert.equal(log.lastIndex(), 4);
});

test("raft log: where logs can meet → the last index whose term is not above", () => {
  const log = newLog([1, 2, 2, 5, 5]);
  assert.deepEqual(log.findConflict(7, 4), { index: 5, term: 2 });
  assert.deepEqual(log.findConflict(7, 5), { index: 7, term: 5 });
  assert.deepEqual(log.findConflict(1, 5), { index: 1, term: 0 }, "not known any more");
});

test("raft log: applying → within what may be under way, and not past what is durable", () => {
  const storage = new MemoryStorage();
  storage.append([entry(1, 1, "x".repeat(50)), entry(1, 2, "x".repeat(50))]);
  const log = new RaftLog(storage, 60);
  log.append([entry(1, 3)]);
  log.commitTo(3);
  assert.deepEqual(indexes(log.nextCommitted(false)), [1]);
  log.acceptApplying(1, 60, false);
  assert.equal(log.hasNextCommitted(false), false, "the first is still being applied");
  log.appliedTo(1, 60);
  assert.deepEqual(indexes(log.nextCommitted(false)), [2]);
  log.acceptApplying(2, 10, false);
  log.appliedTo(2, 10);
  assert.equal(log.hasNextCommitted(false), false, "3 is not durable");
  assert.equal(log.hasNextCommitted(true), true);
});

test("unstable log: a write of entries that were replaced meanwhile → they stay", () => {
  const unstable = new Unstable(5);
  unstable.append([entry(1, 5), entry(1, 6)], 0);
  unstable.acceptInProgress();
  unstable.append([entry(2, 5), entry(2, 6)], 0);
  unstable.stableTo(6, 1);
  assert.equal(unstable.entries.length, 2);
  unstable.stableTo(5, 2);
  assert.deepEqual(unstable.entries, [entry(2, 6)]);
});

test("unstable log: a tail under way that is cut → what replaces it is handed out", () => {
  const unstable = new Unstable(5);
  unstable.append([entry(1, 5), entry(1, 6), entry(1, 7)], 0);
  unstable.acceptInProgress();
  unstable.append([entry(2, 6), entry(2, 7)], 0);
  assert.deepEqual(unstable.nextEntries(), [entry(2, 6), entry(2, 7)]);
  assert.deepEqual(unstable.entries, [entry(1, 5), entry(2, 6), entry(2, 7)]);
});

test("memory storage: append over, compaction, and an older snapshot → the log stays whole", () => {
  const storage = new MemoryStorage();
  storage.append([entry(1, 1), entry(1, 2), entry(1, 3)]);
  storage.append([entry(2, 2)]);
  assert.deepEqual([storage.lastIndex(), storage.term(2)], [2, 2]);
  storage.compact(1);
  assert.deepEqual([storage.firstIndex(), storage.term(1), storage.term(0)], [2, 1, undefined]);
  assert.equal(storage.entries(1, 2, ALL), "compacted");
  storage.createSnapshot(2, confState([1n]), Buffer.alloc(0));
  const metadata = { confState: confState([1n]), index: 1, term: 1 };
  storage.applySnapshot({ data: Buffer.alloc(0), metadata });
  assert.equal(storage.lastIndex(), 2);
  storage.append([entry(1, 1), entry(2, 2), entry(2, 3)]);
  assert.equal(storage.lastIndex(), 3, "what is compacted is skipped");
});
