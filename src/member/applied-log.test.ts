import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../wire/index.ts";
import { AppliedLog, type AppliedStorage, type LogFiles } from "./applied-log.ts";

function entry(index: number): Entry {
  return { type: 0, term: 3, index, data: Buffer.from(`entry ${index}`) };
}

/** Entries 11 to 40, of which those from 31 on are in memory and those up to 35 applied. */
function setUp(files: Partial<LogFiles> = {}) {
  const storage = {
    first: 11,
    applied: 35,
    cachedFrom: 31,
    firstIndex: () => storage.first,
    term: (index: number) => (index >= storage.first - 1 && index <= 40 ? 3 : undefined),
    entries: (lo: number, hi: number) => range(lo, hi),
  };
  const log = new AppliedLog(storage as AppliedStorage, {
    read: (lo, hi) => Promise.resolve(range(lo, Math.min(hi, lo + 5))),
    ...files,
  });
  return { storage, log };
}

function range(lo: number, hi: number): Entry[] {
  return Array.from({ length: hi - lo }, (_, at) => entry(lo + at));
}

test("applied log: newest entries from memory, older ones from the files", async () => {
  const { log } = setUp({ read: (lo) => Promise.resolve([{ ...entry(lo), term: 99 }]) });
  assert.deepEqual(await log.read(31, 36, 1e6, 3), range(31, 36));
  assert.deepEqual(await log.read(20, 36, 1e6, 3), [{ ...entry(20), term: 99 }]);
});

test("applied log: before the log's beginning, or the file goes meanwhile → released", async () => {
  const { storage, log } = setUp({
    read: () => {
      storage.first = 25;
      return Promise.reject(new Error("ENOENT"));
    },
  });
  assert.equal(await log.read(10, 36, 1e6, 2), "released");
  assert.equal(await log.read(20, 36, 1e6, 3), "released");
});

test("applied log: before its beginning, no term began since → from the files while they are there", async () => {
  const { log } = setUp();
  assert.deepEqual(await log.read(5, 36, 1e6, 3), range(5, 10));
  const gone = setUp({ read: () => Promise.reject(new Error("ENOENT")) });
  assert.equal(await gone.log.read(5, 36, 1e6, 3), "released");
});

test("applied log: before its beginning, and a term began since → released, whatever the files hold", async () => {
  const { log } = setUp();
  assert.equal(await log.read(5, 36, 1e6, 2), "released");
});

test("applied log: a file that cannot be read → told", async () => {
  const { log } = setUp({ read: () => Promise.reject(new Error("damaged")) });
  await assert.rejects(log.read(20, 36, 1e6, 3), /damaged/);
});

test("applied log: the term of an entry that is not applied → unknown", () => {
  const { log } = setUp();
  assert.equal(log.term(35), 3);
  assert.equal(log.term(36), undefined);
  assert.equal(log.term(5), undefined);
});
