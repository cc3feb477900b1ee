import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { Prng } from "../base/index.ts";
import { systemClock as clock, systemDigests as digests } from "../host/index.ts";
import type { Disk } from "../seam/index.ts";
import { SimulatedDisk } from "../testing/index.ts";
import { walExists } from "../wal/index.ts";
import { fill, imageBytes, openDiskBackend, timers } from "./fixture.test.ts";
import { restoreSnapshot, type RestoreOptions } from "./restore.ts";

const IMAGE = "/s.db";

async function sample(): Promise<Buffer> {
  const backend = new MemoryBackend();
  fill(backend, 50, { index: 700, term: 9 });
  return imageBytes(backend, true);
}

function options(disk: Disk, given: Partial<RestoreOptions> = {}): RestoreOptions {
  return {
    disk,
    clock,
    timers,
    digests,
    openBackend: (directory) => openDiskBackend(disk, directory),
    snapshotPath: IMAGE,
    dataDirectory: "/data",
    walDirectory: undefined,
    name: "a",
    members: [
      { name: "a", peerUrls: ["http://h:1"] },
      { name: "b", peerUrls: ["http://h:2"] },
      { name: "c", peerUrls: ["http://h:3"] },
    ],
    clusterToken: "t",
    skipHashCheck: false,
    revisionBump: 0,
    ...given,
  };
}

test("restore: each member from the same file → one cluster, its own id, the same applied point (UT-04)", async () => {
  const bytes = await sample();
  const seen = new Set<bigint>();
  const clusters = new Set<bigint>();
  for (const name of ["a", "b", "c"]) {
    const disk = new SimulatedDisk();
    disk.place(IMAGE, bytes);
    const { id, clusterId, revision, members } = await restoreSnapshot(options(disk, { name }));
    seen.add(id);
    clusters.add(clusterId);
    assert.equal(revision, 51);
    assert.equal(members.length, 3);
    const backend = await openDiskBackend(disk, "/data/member/store");
    assert.deepEqual(backend.applied, { index: 3, term: 1 });
    assert.equal(backend.storedRows("key"), 50);
    assert.equal(backend.storedRows("lease"), 1);
    assert.equal(backend.storedRows("members"), 3);
    assert.equal(backend.storedRows("members_removed"), 0);
    assert.equal(backend.storedRows("cluster"), 0);
  }
  assert.equal(seen.size, 3);
  assert.equal(clusters.size, 1);
});

test("restore: power lost on the way → a member with everything, or no log that could start (UT-04)", async () => {
  const bytes = await sample();
  let whole = 0;
  for (let step = 1; whole === 0; step += 1) {
    let left = step;
    const prng = new Prng(step);
    const disk: SimulatedDisk = new SimulatedDisk({
      delay: async () => {
        left -= 1;
        if (left === 0) disk.crash(prng);
      },
    });
    disk.place(IMAGE, bytes);
    await restoreSnapshot(options(disk.session())).then(
      () => (whole += 1),
      () => undefined,
    );
    left = 0;
    if (!(await walExists(disk, "/data/member/wal"))) continue;
    const backend = await openDiskBackend(disk, "/data/member/store");
    assert.deepEqual(backend.applied, { index: 3, term: 1 }, `step ${step}`);
    assert.equal(backend.storedRows("key"), 50);
  }
});

test("restore: a disk that refuses → nothing is left behind", async () => {
  const disk = new SimulatedDisk();
  disk.place(IMAGE, await sample());
  disk.failNext("write", "EIO", 2);
  await assert.rejects(restoreSnapshot(options(disk)), { code: "EIO" });
  assert.deepEqual(await disk.list("/data"), []);
  await restoreSnapshot(options(disk));
});
