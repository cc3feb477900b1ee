import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DIRECTORY,
  clock,
  entries,
  newLog,
  readAll,
  reopen,
  state,
  written,
} from "./fixture.test.ts";
import { resumeWal } from "./open.ts";
import { readWal } from "./reader.ts";

test("resume: a torn tail → the segment is kept as .broken, cut, and appended to (WL-06)", async () => {
  const { disk, wal } = await newLog({ segmentBytes: 8192 });
  await wal.append(entries(1, 9), state(5));
  await wal.close();
  const { path, bytes } = await written(disk);
  const torn = Buffer.concat([bytes.subarray(0, bytes.length - 30), Buffer.alloc(3000)]);
  disk.place(path, torn);
  const { wal: again, entries: found, reader } = await reopen(disk, { segmentBytes: 8192 });
  assert.deepEqual(found, entries(1, 9));
  assert.equal(reader.tail?.torn?.offset, reader.tail?.offset);
  assert.ok((await disk.readFile(`${path}.broken`)).equals(torn));
  await again.append(entries(9, 11), state(8));
  await again.close();
  const { entries: all, reader: clean } = await readAll(disk);
  assert.deepEqual(all, entries(1, 11));
  assert.equal(clean.tail?.torn, undefined);
});

test("resume: what a crash left behind the tail is wiped before anything is appended", async () => {
  const { disk, wal } = await newLog({ segmentBytes: 8192 });
  await wal.append(entries(1, 3), state(1));
  await wal.close();
  const { path, bytes } = await written(disk);
  // The batch after the tail arrived but for its first sector.
  const behind = Buffer.alloc(8192);
  bytes.copy(behind);
  behind.fill(0xab, 1024, 3000);
  disk.place(path, behind);
  const { wal: again } = await reopen(disk, { segmentBytes: 8192 });
  const wiped = await disk.readFile(path);
  assert.ok(wiped.subarray(bytes.length).every((byte) => byte === 0));
  assert.equal(wiped.length, 8192);
  await again.close();
});

test("resume: spare segments that were never begun → removed (WL-01)", async () => {
  const { disk, wal } = await newLog();
  await wal.close();
  disk.place(`${DIRECTORY}/0.tmp`, Buffer.alloc(10));
  disk.place(`${DIRECTORY}/1.tmp`, Buffer.alloc(10));
  const { wal: again } = await reopen(disk, { segmentBytes: 100_000_000 });
  assert.deepEqual(await disk.list(DIRECTORY), ["0000000000000000-0000000000000000.wal"]);
  await again.close();
});

test("resume: before everything was read → refused", async () => {
  const { disk, wal } = await newLog();
  await wal.close();
  const reader = await readWal(disk, DIRECTORY, { index: 0, term: 0 });
  await assert.rejects(resumeWal(reader, { clock }), /must be read to its end/);
});
