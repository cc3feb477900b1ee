import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedDisk } from "../testing/index.ts";
import { openDataDirectory, parentOf } from "./data-directory.ts";
import { setLogAside, setStoreAside, STORES_ASIDE_MAX } from "./set-aside.ts";

test("set aside: a store → kept under another name, its place is empty; the oldest of many goes", async () => {
  const disk = new SimulatedDisk();
  const paths = await openDataDirectory(disk, "/data");
  for (let round = 1; round <= 5; round += 1) {
    const file = await disk.open(`${paths.store}/data`, "create");
    await file.writeDurable(Buffer.from(`store ${round}`), 0);
    await file.close();
    const place = await setStoreAside(disk, paths);
    assert.equal(place, `/data/member/store.damaged-${round}`);
    assert.equal((await disk.readFile(`${place}/data`)).toString(), `store ${round}`);
    assert.deepEqual(await disk.list(paths.store), []);
  }
  const names = (await disk.list(parentOf(paths.store))).filter((name) => name.includes("damaged"));
  assert.deepEqual(names, ["store.damaged-4", "store.damaged-5"]);
  assert.equal(names.length, STORES_ASIDE_MAX);
});

test("set aside: a log → its segments under other names in the same directory; those of long ago go", async () => {
  const disk = new SimulatedDisk();
  const paths = await openDataDirectory(disk, "/data");
  await setLogAside(disk, paths);
  await disk.makeDirectory(paths.wal);
  for (let round = 1; round <= 4; round += 1) {
    for (const name of ["a.wal", "b.wal"]) {
      await (await disk.open(`${paths.wal}/${name}`, "create")).close();
    }
    await setLogAside(disk, paths);
  }
  const wanted = [3, 4].flatMap((round) => [`a.wal.damaged-${round}`, `b.wal.damaged-${round}`]);
  assert.deepEqual((await disk.list(paths.wal)).sort(), wanted.sort());
});
