import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { SimulatedDisk } from "../testing/index.ts";
import {
  DIRECTORY,
  METADATA,
  entry,
  clock,
  entries,
  newLog,
  readAll,
  reopen,
  state,
  written,
} from "./fixture.test.ts";
import { createWal, resumeWal } from "./open.ts";
import { walExists } from "./segment.ts";
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
  const { wal: again } = await reopen(disk, { segmentBytes: 8192, zeroAheadBytes: 0 });
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

test("create: a crash right after → the whole head of the log is there (WL-05)", async () => {
  for (let seed = 0; seed < 20; seed += 1) {
    const { disk } = await newLog({ segmentBytes: 8192, zeroAheadBytes: 0 });
    disk.crash(new Prng(seed));
    const { reader, entries: found } = await readAll(disk);
    assert.deepEqual(found, []);
    assert.deepEqual(reader.metadata, METADATA);
  }
});

test("create: with the founding entries → a crash leaves them with the log, or neither", async () => {
  const founding = { entries: [entry(1)], hardState: state(1) };
  let calls = 0;
  for (let crashAt = 1, isDone = false; !isDone; crashAt += 1) {
    let isArmed = false;
    calls = 0;
    const disk = new SimulatedDisk({
      delay: async () => {
        if (isArmed) calls += 1;
        if (isArmed && calls === crashAt) disk.crash(new Prng(crashAt));
        await Promise.resolve();
      },
    });
    await disk.makeDirectory("/member");
    await disk.syncDirectory("/");
    isArmed = true;
    try {
      const options = { clock, segmentBytes: 8192, zeroAheadBytes: 0, founding };
      const wal = await createWal(disk.session(), DIRECTORY, METADATA, options);
      assert.equal(wal.lastIndex, 1);
      isDone = true;
    } catch (error) {
      assert.equal((error as Error).name, "DiskCrashed");
    }
    isArmed = false;
    disk.crash(new Prng(crashAt));
    if (!isDone && !(await walExists(disk, DIRECTORY))) continue;
    const { reader, entries: found } = await readAll(disk);
    assert.deepEqual(found, founding.entries);
    assert.deepEqual(reader.hardState, founding.hardState);
  }
  assert.ok(calls > 5);
});

test("resume: the wiped rest of the segment stays wiped after a crash", async () => {
  for (let seed = 0; seed < 20; seed += 1) {
    const { disk, wal } = await newLog({ segmentBytes: 8192, zeroAheadBytes: 0 });
    await wal.append(entries(1, 3), state(1));
    await wal.close();
    const { path, bytes } = await written(disk);
    // A record of a batch of which an earlier sector did not arrive.
    const behind = Buffer.alloc(8192);
    bytes.copy(behind);
    bytes.copy(behind, 1024, 64, 200);
    disk.place(path, behind);
    const { wal: again, reader } = await reopen(disk, { segmentBytes: 8192, zeroAheadBytes: 0 });
    // A record that ends where the other begins: it would be read as the next one.
    const room = 1024 - (reader.tail?.offset ?? 0);
    await again.append([entry(3, Buffer.alloc(room - 30, 1))]);
    const { bytes: full } = await written(disk);
    assert.equal(full.length, 1024);
    disk.crash(new Prng(seed));
    assert.equal((await readAll(disk)).entries.length, 3);
  }
});

// A process was killed between giving a segment its name and bringing that to the disk. The next
// one wrote into the segment; a power cut then took the name, and all under it (seed 41).
test("resume: names that are in memory alone → are on the disk before anything is appended (WL-05)", async () => {
  for (let seed = 0; seed < 20; seed += 1) {
    const { disk, wal } = await newLog({ segmentBytes: 8192, zeroAheadBytes: 0 });
    await wal.append(entries(1, 3), state(1));
    await wal.close();
    const { path } = await written(disk);
    await disk.rename(path, `${DIRECTORY}/0.tmp`);
    await disk.syncDirectory(DIRECTORY);
    await disk.rename(`${DIRECTORY}/0.tmp`, path);
    const { wal: again } = await reopen(disk, { segmentBytes: 8192, zeroAheadBytes: 0 });
    await again.append(entries(3, 5), state(2));
    disk.crash(new Prng(seed));
    assert.deepEqual((await readAll(disk)).entries, entries(1, 5));
  }
});

test("resume: before everything was read → refused", async () => {
  const { disk, wal } = await newLog();
  await wal.close();
  const reader = await readWal(disk, DIRECTORY, { index: 0, term: 0 });
  await assert.rejects(resumeWal(reader, { clock }), /must be read to its end/);
});
