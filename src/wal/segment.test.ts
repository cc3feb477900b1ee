import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedDisk } from "../testing/index.ts";
import { listSegments, segmentHolding, segmentName, walExists } from "./segment.ts";

async function directoryOf(...names: string[]): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk();
  await disk.makeDirectory("/w");
  for (const name of names) disk.place(`/w/${name}`, Buffer.alloc(0));
  return disk;
}

test("segments: names are sequence and first index in hex, other files are left alone (WL-01)", async () => {
  assert.equal(segmentName(10, 0xabcdef), "000000000000000a-0000000000abcdef.wal");
  const disk = await directoryOf(
    "0.tmp",
    segmentName(3, 200),
    segmentName(2, 10),
    "0000000000000003-00000000000000c8.wal.broken",
  );
  const segments = await listSegments(disk, "/w");
  assert.deepEqual(
    segments.map(({ sequence, firstIndex }) => [sequence, firstIndex]),
    [
      [2, 10],
      [3, 200],
    ],
  );
  assert.equal(await walExists(disk, "/w"), true);
  assert.equal(await walExists(disk, "/x"), false);
  assert.equal(await walExists(await directoryOf("1.tmp"), "/w"), false);
});

test("segments: one is missing → refused by name", async () => {
  const disk = await directoryOf(segmentName(1, 1), segmentName(3, 9));
  await assert.rejects(listSegments(disk, "/w"), {
    name: "WalCorrupt",
    path: `/w/${segmentName(3, 9)}`,
    found: "segment 3 after segment 1",
    wanted: "segment 2",
  });
});

test("segments: where an index is found → the last segment begun at or before it (WL-08)", () => {
  const segments = [0, 100, 90, 200].map((firstIndex, sequence) => ({
    path: "",
    sequence,
    firstIndex,
  }));
  const found = [1, 89, 90, 95, 199, 200, 500].map((index) => segmentHolding(segments, index));
  assert.deepEqual(found, [0, 0, 2, 2, 2, 3, 3]);
  assert.equal(segmentHolding(segments.slice(1), 50), -1);
});
