import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { DiskCrashed, SimulatedDisk } from "./disk.ts";

async function text(disk: SimulatedDisk, path: string): Promise<string> {
  return (await disk.readFile(path)).toString("latin1");
}

test("simulated disk: a crash → what was synced stays, the rest is any mix of sectors", async () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 64; seed += 1) {
    const disk = new SimulatedDisk();
    const file = await disk.open("/a", "create");
    await disk.syncDirectory("/");
    await file.write(Buffer.alloc(1024, "o"), 0);
    await file.sync();
    await file.write(Buffer.alloc(1024, "n"), 0);
    disk.crash(new Prng(seed));
    const bytes = await text(disk, "/a");
    assert.equal(bytes.length, 1024);
    seen.add(`${bytes[0]}${bytes[511]}${bytes[512]}${bytes[1023]}`);
    await assert.rejects(file.size(), DiskCrashed);
  }
  assert.deepEqual([...seen].sort(), ["nnnn", "nnoo", "oonn", "oooo"]);
});

test("simulated disk: a durable write → survives with the size, and alone", async () => {
  let others = 0;
  for (let seed = 0; seed < 32; seed += 1) {
    const disk = new SimulatedDisk();
    const file = await disk.open("/a", "create");
    await disk.syncDirectory("/");
    await file.write(Buffer.from("lost?"), 2048);
    await file.writeDurable(Buffer.from("kept"), 510);
    disk.crash(new Prng(seed));
    const bytes = await text(disk, "/a");
    assert.equal(bytes.slice(510, 514), "kept");
    if (bytes.includes("lost?")) others += 1;
  }
  assert.ok(others > 0 && others < 32);
});

test("simulated disk: names → a crash keeps a first part of what was not synced", async () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 64; seed += 1) {
    const disk = new SimulatedDisk();
    await disk.makeDirectory("/d");
    await disk.syncDirectory("/");
    await (await disk.open("/d/a", "create")).close();
    await disk.syncDirectory("/d");
    await disk.rename("/d/a", "/d/b");
    await (await disk.open("/d/c", "create")).close();
    disk.crash(new Prng(seed));
    seen.add((await disk.list("/d")).join());
  }
  assert.deepEqual([...seen].sort(), ["a", "b", "b,c"]);
});

test("simulated disk: truncate → the bytes beyond read as zero when the file grows again", async () => {
  const disk = new SimulatedDisk();
  const file = await disk.open("/a", "create");
  await file.write(Buffer.alloc(2000, "x"), 0);
  await file.truncate(10);
  await file.truncate(600);
  assert.equal(await text(disk, "/a"), "x".repeat(10) + "\0".repeat(590));
});

test("simulated disk: faults → the chosen call fails, a full disk refuses growth", async () => {
  const disk = new SimulatedDisk({ capacityBytes: 1024 });
  const file = await disk.open("/a", "create");
  disk.failNext("sync", "EIO", 1);
  await file.sync();
  await assert.rejects(file.sync(), { code: "EIO" });
  await file.sync();
  await file.write(Buffer.alloc(1024, "x"), 0);
  await assert.rejects(file.write(Buffer.alloc(1), 1024), { code: "ENOSPC" });
  await file.write(Buffer.alloc(1000, "y"), 0);
  await assert.rejects(disk.open("/a", "create"), { code: "EEXIST" });
  await assert.rejects(disk.open("/b", "read"), { code: "ENOENT" });
  disk.flip("/a", 3, 0);
  assert.equal((await text(disk, "/a")).slice(2, 5), "yxy");
});

test("simulated disk: a crash inside a durable write → the call rejects", async () => {
  const release: { now?: () => void } = {};
  const disk = new SimulatedDisk({
    delay: () =>
      new Promise((resolve) => {
        if (release.now === undefined) resolve();
        release.now = resolve;
      }),
  });
  const file = await disk.open("/a", "create");
  const write = file.writeDurable(Buffer.from("abc"), 0);
  // Lets the call reach the medium, then loses power under it.
  await Promise.resolve();
  disk.crash(new Prng(1));
  release.now?.();
  await assert.rejects(write, DiskCrashed);
});

test("simulated disk: power lost inside the third change → it rejects, what was before stays", async () => {
  const disk = new SimulatedDisk();
  const file = await disk.open("/a", "create");
  await disk.syncDirectory("/");
  let wasLost = false;
  disk.interruptNext(2, () => {
    wasLost = true;
    disk.crash(new Prng(1));
  });
  await file.writeDurable(Buffer.from("one"), 0);
  await file.read(Buffer.alloc(3), 0);
  await file.sync();
  assert.ok(!wasLost);
  await assert.rejects(file.writeDurable(Buffer.from("two"), 512), DiskCrashed);
  assert.ok(wasLost);
  assert.equal((await text(disk, "/a")).slice(0, 3), "one");
  const again = await disk.open("/a", "write");
  disk.interruptNext(0, () => assert.fail("it was taken back"));
  disk.cancelInterruption();
  await again.writeDurable(Buffer.from("two"), 0);
});

test("simulated disk: a bit flips in what was written → and back, unless it was written anew", async () => {
  const disk = new SimulatedDisk();
  const file = await disk.open("/a", "create");
  assert.equal(
    disk.flipAnywhere(new Prng(1), () => true),
    undefined,
  );
  await file.writeDurable(Buffer.alloc(512, "x"), 4096);
  assert.equal(
    disk.flipAnywhere(new Prng(1), (path) => path !== "/a"),
    undefined,
  );
  const flip = disk.flipAnywhere(new Prng(1), () => true);
  assert.ok(flip !== undefined && flip.offset >= 4096 && flip.offset < 4608);
  assert.notEqual((await text(disk, "/a"))[flip.offset], "x");
  assert.ok(disk.unflip(flip));
  assert.equal((await text(disk, "/a"))[flip.offset], "x");
  assert.ok(!disk.unflip(flip));
  await disk.remove("/a");
  assert.ok(!disk.unflip(flip));
});

test("simulated disk: calls and their failures → told and counted", async () => {
  const disk = new SimulatedDisk();
  const calls: string[] = [];
  disk.onCall = (operation, path, offset, bytes) => {
    calls.push(`${operation} ${path} ${offset} ${bytes}`);
  };
  const file = await disk.open("/a", "create");
  disk.failNext("read", "EIO");
  await file.write(Buffer.from("abc"), 7);
  await assert.rejects(file.read(Buffer.alloc(2), 1), { code: "EIO" });
  await assert.rejects(disk.open("/b", "read"), { code: "ENOENT" });
  const wanted = ["open /a 0 0", "write /a 7 3", "read /a 1 2", "open /b 0 0"];
  assert.deepEqual(calls, wanted);
  assert.equal(disk.failed, 1);
  disk.crash(new Prng(2));
  assert.equal(disk.sectorsLost <= 1, true);
});
