import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedDisk } from "../testing/index.ts";
import { WalCorrupt } from "./errors.ts";
import { DIRECTORY, entries, entry, newLog, readAll, state, written } from "./fixture.test.ts";
import { segmentName } from "./segment.ts";

const SEGMENT_BYTES = 16 * 1024;

/** A log whose last record is one large entry, and where that record starts. */
async function sample(last: Buffer): Promise<{ path: string; bytes: Buffer; lastAt: number }> {
  const { disk, wal } = await newLog({ segmentBytes: SEGMENT_BYTES });
  await wal.append(entries(1, 5), state(3));
  const { bytes: before } = await written(disk);
  await wal.append([entry(5, last)]);
  await wal.close();
  const { path, bytes } = await written(disk);
  return { path, bytes, lastAt: before.length };
}

async function diskWith(path: string, bytes: Buffer): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk();
  await disk.makeDirectory(DIRECTORY);
  disk.place(path, bytes);
  return disk;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(SEGMENT_BYTES - bytes.length)]);
}

test("torn tail: the file ends at each byte of the last record → cut, nothing else lost (WL-06)", async () => {
  for (const last of [Buffer.from("short"), Buffer.alloc(1300, 7)]) {
    const { path, bytes, lastAt } = await sample(last);
    for (let hi = lastAt; hi < bytes.length; hi += 1) {
      const disk = await diskWith(path, bytes.subarray(0, hi));
      const { reader, entries: found } = await readAll(disk);
      assert.equal(found.length, 4, `cut at ${hi - lastAt}`);
      assert.equal(reader.tail?.offset, lastAt);
      assert.equal(reader.tail?.torn !== undefined, hi > lastAt);
    }
  }
});

test("torn tail: zeros from each byte of the last record on → cut, nothing else lost (WL-06)", async () => {
  for (const last of [Buffer.from("short"), Buffer.alloc(1300, 7)]) {
    const { path, bytes, lastAt } = await sample(last);
    const paddingLo = bytes.length - 8;
    for (let hi = lastAt; hi < paddingLo; hi += 1) {
      const disk = await diskWith(path, padded(bytes.subarray(0, hi)));
      const { reader, entries: found } = await readAll(disk);
      assert.equal(found.length, 4, `cut at ${hi - lastAt}`);
      assert.equal(reader.tail?.offset, lastAt);
    }
  }
});

test("torn tail: any set of the last record's sectors unwritten → cut (WL-06)", async () => {
  const { path, bytes, lastAt } = await sample(Buffer.alloc(1300, 7));
  const first = Math.floor(lastAt / 512) + 1;
  const last = Math.floor((bytes.length - 1) / 512);
  assert.ok(last - first === 2);
  for (let lost = 1; lost < 8; lost += 1) {
    const torn = padded(bytes);
    for (let sector = first; sector <= last; sector += 1) {
      if ((lost & (1 << (sector - first))) !== 0) torn.fill(0, sector * 512, sector * 512 + 512);
    }
    const { reader, entries: found } = await readAll(await diskWith(path, torn));
    assert.equal(found.length, 4);
    assert.match(reader.tail?.torn?.found ?? "", /unwritten sector/);
  }
});

test("flipped bit: anywhere in the log → refused by file, offset, found and wanted (WL-04)", async () => {
  const { path, bytes } = await sample(Buffer.from("the last entry"));
  const whole = padded(bytes);
  for (let at = 0; at < bytes.length; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const flipped = Buffer.from(whole);
      flipped[at] = (flipped[at] as number) ^ (1 << bit);
      const disk = await diskWith(path, flipped);
      await assert.rejects(readAll(disk), (error) => {
        assert.ok(error instanceof WalCorrupt, `byte ${at} bit ${bit}: ${String(error)}`);
        assert.equal(error.path, path);
        assert.ok(error.offset <= at + 32 && error.found !== "" && error.wanted !== "");
        assert.ok(error.message.includes(`${path} is broken at offset ${error.offset}: found `));
        return true;
      });
    }
  }
});

test("damage: an unwritten sector before the last segment → refused, never cut (WL-06)", async () => {
  const { disk, wal } = await newLog({ segmentBytes: SEGMENT_BYTES });
  for (let index = 1; wal.segments.length < 2; index += 1) {
    await wal.append([entry(index, Buffer.alloc(1500, 9))], state(index - 1));
  }
  await wal.close();
  const path = `${DIRECTORY}/${segmentName(0, 0)}`;
  const bytes = await disk.readFile(path);
  for (let sector = 1; sector * 512 < bytes.length; sector += 1) {
    const torn = Buffer.from(bytes);
    torn.fill(0, sector * 512, Math.min(sector * 512 + 512, torn.length));
    disk.place(path, torn);
    await assert.rejects(readAll(disk), { name: "WalCorrupt" });
  }
});

test("damage: the first record is no crc, or none is there → refused", async () => {
  const path = `${DIRECTORY}/${segmentName(0, 0)}`;
  const { bytes } = await sample(Buffer.from("x"));
  const withoutCrc = await diskWith(path, bytes.subarray(16));
  await assert.rejects(readAll(withoutCrc), {
    found: "record type 1",
    wanted: "a crc record first",
  });
  await assert.rejects(readAll(await diskWith(path, Buffer.alloc(0))), {
    found: "the end of the log",
    wanted: "a metadata record before it",
  });
  await assert.rejects(readAll(await diskWith(path, Buffer.alloc(4096))), { name: "WalCorrupt" });
});
