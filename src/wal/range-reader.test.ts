/** Entries read back from a log that is being written, and what the reading costs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk, OpenFile } from "../seam/index.ts";
import { SimulatedDisk } from "../testing/index.ts";
import { DIRECTORY, entries, entry, newLog, state } from "./fixture.test.ts";
import { RangeReader } from "./range-reader.ts";
import { listSegments } from "./segment.ts";

/** Counts the bytes read. */
function counting(disk: Disk): { disk: Disk; bytes: () => number } {
  let bytes = 0;
  const open = async (path: string, mode: "read" | "write" | "create"): Promise<OpenFile> => {
    const file = await disk.open(path, mode);
    const read = file.read.bind(file);
    file.read = async (into, offset) => {
      const count = await read(into, offset);
      bytes += count;
      return count;
    };
    return file;
  };
  const counted: Disk = Object.create(disk, { open: { value: open } });
  return { disk: counted, bytes: () => bytes };
}

const term1 = (): number => 1;

test("range read: any range of a log of several segments → those entries (WL-01, WL-04)", async () => {
  const { disk, wal } = await newLog({ segmentBytes: 4000 });
  for (let lo = 1; lo < 400; lo += 7) await wal.append(entries(lo, lo + 7), state(lo));
  assert.ok(wal.segments.length > 4);
  const reader = new RangeReader(disk, wal);
  for (const [lo, hi] of [
    [1, 400],
    [395, 400],
    [200, 201],
    [57, 300],
    [7, 8],
  ] as const) {
    assert.deepEqual(await reader.read(lo, hi, 1e9, term1), entries(lo, hi));
  }
  assert.deepEqual(await reader.read(9, 9, 1e9, term1), []);
  const some = await reader.read(100, 400, 200, term1);
  assert.ok(some.length > 1 && some.length < 20, "ends with the entry that reaches the limit");
  assert.deepEqual(some, entries(100, 100 + some.length));
  await wal.close();
});

test("range read: entries that a later leader replaced → only those that stand (WL-08)", async () => {
  const { disk, wal } = await newLog({ segmentBytes: 3000 });
  await wal.append(entries(1, 31, 1), state(10, 1));
  await wal.append(entries(21, 61, 2), state(20, 2));
  await wal.append(entries(15, 41, 3), state(40, 3));
  const termOf = (index: number): number => (index < 15 ? 1 : 3);
  const wanted = [...entries(1, 15, 1), ...entries(15, 41, 3)];
  for (let lo = 1; lo < 41; lo += 1) {
    const reader = new RangeReader(disk, wal);
    const got = await reader.read(lo, 41, 1e9, termOf);
    assert.deepEqual(got, wanted.slice(lo - 1));
  }
  // Marks set by one read serve the next, forwards and backwards.
  const reader = new RangeReader(disk, wal);
  for (const lo of [30, 14, 15, 1, 39, 16]) {
    assert.deepEqual(await reader.read(lo, lo + 2, 1e9, termOf), wanted.slice(lo - 1, lo + 1));
  }
  await wal.close();
});

test("range read: a snapshot from elsewhere began the log anew → entries after it (WL-08)", async () => {
  const { disk, wal } = await newLog({ segmentBytes: 3000 });
  await wal.append(entries(1, 30, 1), state(10, 1));
  await wal.installSnapshot({ index: 100, term: 4 });
  await wal.append(entries(101, 140, 4), state(120, 4));
  await wal.append(entries(130, 160, 5), state(150, 5));
  const termOf = (index: number): number => (index < 130 ? 4 : 5);
  const got = await new RangeReader(disk, wal).read(101, 160, 1e9, termOf);
  assert.deepEqual(got, [...entries(101, 130, 4), ...entries(130, 160, 5)]);
  await wal.close();
});

test("range read: pages that follow each other → each byte of the log read about once", async () => {
  const { disk: plain, wal } = await newLog({ segmentBytes: 8_000_000, zeroAheadBytes: 0 });
  const data = Buffer.alloc(1000, "x");
  for (let lo = 1; lo < 16_000; lo += 500) {
    await wal.append(Array.from({ length: 500 }, (_, at) => entry(lo + at, data)));
  }
  const { disk, bytes } = counting(plain);
  const reader = new RangeReader(disk, wal);
  // Two followers far apart take turns, and none costs the other its place.
  let first = 1;
  let second = 8_001;
  await reader.read(second, 16_001, 1, term1);
  const before = bytes();
  while (first < 8_001) {
    for (const turn of [0, 1]) {
      const lo = turn === 0 ? first : second;
      const page = await reader.read(lo, Math.min(lo + 2000, 16_001), 2_000_000, term1);
      assert.equal(page[0]?.index, lo);
      if (turn === 0) first += page.length;
      else second += page.length;
      if (second >= 16_001) second = 8_001;
    }
  }
  const logBytes = 16_000 * 1024;
  const ratio = (bytes() - before) / logBytes;
  assert.ok(ratio < 1.7, `read ${ratio.toFixed(2)} times the log`);
  await wal.close();
});

test("range read: while batches are written → only what is durable is looked at (WL-07)", async () => {
  const disk = new SimulatedDisk({ delay: () => Promise.resolve() });
  const { wal } = await newLog({ segmentBytes: 6000 }, disk);
  const reader = new RangeReader(disk, wal);
  let durable = 0;
  let reads = 0;
  const readAlong = async (): Promise<void> => {
    while (durable < 600) {
      await Promise.resolve();
      if (durable === 0) continue;
      const hi = durable + 1;
      const lo = Math.max(1, hi - 37);
      assert.deepEqual(await reader.read(lo, hi, 1e9, term1), entries(lo, hi));
      reads += 1;
    }
  };
  const along = readAlong();
  for (let lo = 1; lo <= 600; lo += 6) {
    await wal.append(entries(lo, lo + 6), state(lo));
    durable = lo + 5;
  }
  await along;
  assert.ok(reads > 20);
  await wal.close();
});

test("range read: the segment is purged under an open read → that read ends well (WL-10)", async () => {
  let onRead: (() => Promise<void>) | undefined;
  const { disk: plain, wal } = await newLog({ segmentBytes: 3000 });
  await wal.append(entries(1, 200), state(199));
  await wal.append(entries(200, 300), state(299));
  await wal.append(entries(300, 400), state(399));
  await wal.append(entries(400, 500), state(499));
  await wal.saveSnapshot({ index: 499, term: 1 });
  const open = async (path: string, mode: "read" | "write" | "create"): Promise<OpenFile> => {
    const file = await plain.open(path, mode);
    await onRead?.();
    return file;
  };
  const disk: Disk = Object.create(plain, { open: { value: open } });
  const reader = new RangeReader(disk, wal);
  onRead = async () => {
    onRead = undefined;
    wal.release(450);
    assert.ok((await wal.purge(1)).length > 0);
  };
  assert.deepEqual(await reader.read(1, 100, 1e9, term1), entries(1, 100));
  // The next page is in a segment that is gone: refused by the index it begins at.
  await assert.rejects(
    reader.read(100, 200, 1e9, term1),
    /begins at index .*wanted one that holds/,
  );
  assert.deepEqual(await reader.read(450, 500, 1e9, term1), entries(450, 500));
  await wal.close();
});

test("range read: a flipped bit → refused by file and offset, other segments are read (WL-04)", async () => {
  const { disk, wal } = await newLog({ segmentBytes: 3000 });
  for (let lo = 1; lo < 400; lo += 50) await wal.append(entries(lo, lo + 50), state(lo));
  const [, second] = await listSegments(disk, DIRECTORY);
  assert.ok(second !== undefined);
  disk.flip(second.path, 1500, 3);
  const reader = new RangeReader(disk, wal);
  const refused = { name: "WalCorrupt", path: second.path };
  await assert.rejects(reader.read(second.firstIndex, 400, 1e9, term1), refused);
  const after = (wal.segments[2] as { firstIndex: number }).firstIndex;
  assert.deepEqual(await reader.read(after, 400, 1e9, term1), entries(after, 400));
  await wal.close();
});

test("range read: an entry of a term that the log does not hold → refused by name (WL-08)", async () => {
  const { disk, wal } = await newLog();
  await wal.append(entries(1, 20), state(19));
  const reader = new RangeReader(disk, wal);
  await assert.rejects(
    reader.read(5, 9, 1e9, () => 7),
    /found the end of the log, wanted entry 5 of term 7/,
  );
  await wal.close();
});
