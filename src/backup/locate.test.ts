import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedDisk } from "../testing/index.ts";
import { hasBackups, locatePlan } from "./locate.ts";
import { nameImage, namePiece } from "./names.ts";

/** Files with nothing in them: a plan needs names alone. */
async function locationWith(files: Readonly<Record<string, readonly string[]>>) {
  const disk = new SimulatedDisk();
  await disk.makeDirectory("/b");
  for (const [directory, names] of Object.entries(files)) {
    await disk.makeDirectory(directory);
    for (const name of names) await (await disk.open(`${directory}/${name}`, "create")).close();
  }
  return disk;
}

function image(index: number, timeMs = index * 1000): string {
  return nameImage({ timeMs, revision: index, index }).name;
}

function piece(first: number, last: number): string {
  return namePiece({ timeMs: last * 1000, revision: last, first, last }).name;
}

const MEMBERS = {
  "/b/life-1": [image(100), piece(101, 130)],
  "/b/life-2": [image(110), piece(111, 125), "image.part"],
  "/b/life-3": [],
};

test("locate: several members → the one whose backups lead furthest, or that has the target", async () => {
  const disk = await locationWith(MEMBERS);
  const chosen = async (target: object): Promise<string> =>
    (await locatePlan(disk, "/b", target)).directory;
  assert.equal(await chosen({}), "/b/life-1");
  assert.equal(await chosen({ revision: 105 }), "/b/life-1");
  assert.equal(await chosen({ revision: 110 }), "/b/life-1");
  assert.equal(await chosen({ timeMs: 127_000 }), "/b/life-2");
  assert.equal((await locatePlan(disk, "/b/life-2", {})).directory, "/b/life-2");
});

test("locate: the newest revision of all is known, whichever is restored", async () => {
  const disk = await locationWith(MEMBERS);
  assert.equal((await locatePlan(disk, "/b", { revision: 110 })).newestRevision, 130);
  assert.equal((await locatePlan(disk, "/b", { timeMs: 127_000 })).newestRevision, 130);
});

test("locate: none leads there, nothing is there → refused with the reason", async () => {
  const disk = await locationWith(MEMBERS);
  await assert.rejects(locatePlan(disk, "/b", { revision: 131 }), /life-1 reach revision 130/);
  await assert.rejects(locatePlan(disk, "/b", { revision: 99 }), /oldest backup in \/b\/life-1/);
  await assert.rejects(locatePlan(disk, "/b/life-3", {}), /\/b\/life-3 holds no backups/);
  await assert.rejects(locatePlan(disk, "/c", {}), /there is no backup location \/c/);
  assert.equal(await hasBackups(disk, "/b"), true);
  assert.equal(await hasBackups(disk, "/b/life-3"), false);
  assert.equal(await hasBackups(disk, "/c"), false);
});
