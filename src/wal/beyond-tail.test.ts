import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { SimulatedDisk } from "../testing/index.ts";
import { findLaterBatch } from "./beyond-tail.ts";
import { DIRECTORY, entries, entry, newLog, readAll, state, written } from "./fixture.test.ts";

/** A log of `count` batches, and where each of them begins. */
async function batches(count: number): Promise<{ path: string; bytes: Buffer; starts: number[] }> {
  const { disk, wal } = await newLog({ segmentBytes: 40_000 });
  const starts: number[] = [];
  for (let index = 1; index <= count; index += 1) {
    starts.push((await written(disk)).bytes.length);
    await wal.append([entry(index, new Prng(index).bytes(300 * (index % 5)))], state(index - 1));
  }
  await wal.close();
  const { path } = await written(disk);
  return { path, bytes: await disk.readFile(path), starts };
}

async function diskWith(path: string, bytes: Buffer): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk();
  await disk.makeDirectory(DIRECTORY);
  disk.place(path, bytes);
  return disk;
}

test("log: a sector that was acknowledged is lost → refused, though it looks like a tear (WL-06)", async () => {
  const { path, bytes, starts } = await batches(30);
  const lastBatch = starts.at(-1) as number;
  for (let sector = 1; (sector + 1) * 512 < lastBatch; sector += 1) {
    const lost = Buffer.from(bytes);
    lost.fill(0, sector * 512, sector * 512 + 512);
    await assert.rejects(
      readAll(await diskWith(path, lost)),
      (error: Error & { wanted: string }) => {
        assert.equal(error.name, "WalCorrupt", `sector ${sector}: ${String(error)}`);
        return true;
      },
    );
  }
});

test("log: sectors of the last batch alone are missing → a tear, whatever came of it (WL-06)", async () => {
  const { disk, wal } = await newLog({ segmentBytes: 40_000, zeroAheadBytes: 0 });
  await wal.append(entries(1, 5), state(0));
  const { bytes: before } = await written(disk);
  // One batch of several appends, each with a state: one state is written, at its end.
  const first = wal.append([entry(5)], state(4));
  const others = [6, 7, 8].map((index) =>
    wal.append([entry(index, Buffer.alloc(900, index))], state(4)),
  );
  await Promise.all([first, ...others]);
  await wal.close();
  const { path, bytes } = await written(disk);
  const begin = Math.ceil(before.length / 512);
  const end = Math.floor(bytes.length / 512);
  assert.ok(end - begin >= 4);
  for (let lost = 1; lost < 2 ** (end - begin); lost += 1) {
    const torn = Buffer.concat([bytes, Buffer.alloc(2048)]);
    for (let sector = begin; sector < end; sector += 1) {
      if ((lost & (1 << (sector - begin))) === 0) continue;
      torn.fill(0, sector * 512, sector * 512 + 512);
    }
    const { entries: found } = await readAll(await diskWith(path, torn));
    assert.ok(found.length >= 4 && found.length < 8);
  }
});

test("search: zeros, noise and a state at the very end prove nothing", async () => {
  const { path, bytes, starts } = await batches(6);
  const find = async (content: Buffer, offset: number): Promise<number | undefined> => {
    const disk = await diskWith(path, content);
    return findLaterBatch(await disk.open(path, "read"), offset);
  };
  assert.equal(await find(Buffer.alloc(100_000), 0), undefined);
  assert.equal(await find(new Prng(1).bytes(30_000), 8), undefined);
  assert.equal(await find(bytes, starts[5] as number), undefined);
  assert.equal(await find(bytes, starts[4] as number), starts[5]);
  const broken = Buffer.from(bytes);
  broken[(starts[5] as number) + 20] = 1;
  assert.equal(await find(broken, starts[4] as number), undefined);
});
