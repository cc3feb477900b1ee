import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend, MemoryMedium } from "../backend/index.ts";
import { systemDigests, systemTimers } from "../host/index.ts";
import { openStore } from "../mvcc/index.ts";
import { Fixture } from "./fixture.test.ts";
import type { RestoreTarget } from "./chain.ts";
import { restoreBackups, SAFE_BUMP } from "./restore-backups.ts";

async function backedUp(): Promise<Fixture> {
  const fixture = await Fixture.open();
  for (let round = 0; round < 3; round += 1) {
    await fixture.member.write(15);
    await fixture.pass(12_000);
  }
  return fixture;
}

/** The directory that is made on the fixture's disk, with its store in memory. */
async function restore(fixture: Fixture, target: RestoreTarget, revisionBump?: number) {
  const media = new Map<string, MemoryMedium>();
  const openBackend = (directory: string) => {
    const medium = media.get(directory) ?? new MemoryMedium();
    media.set(directory, medium);
    return Promise.resolve(new MemoryBackend({ medium }));
  };
  const told: number[] = [];
  const restored = await restoreBackups({
    disk: fixture.disk,
    clock: fixture.time,
    timers: systemTimers,
    digests: systemDigests,
    openBackend,
    location: fixture.settings.location,
    target,
    revisionBump,
    dataDirectory: "/new/",
    walDirectory: undefined,
    name: "a",
    members: [{ name: "a", peerUrls: ["http://h:1"] }],
    clusterToken: "t",
    onPlan: () => undefined,
    onState: (state) => told.push(state.revision, state.revisionBump),
  });
  const store = await openStore(await openBackend("/new//member/store"), {
    yieldToLoop: () => Promise.resolve(),
  });
  return { restored, told, store };
}

test("restore of backups: no bump given → beyond all that the backups know of, and compacted (BT-g6)", async () => {
  const fixture = await backedUp();
  const newest = fixture.member.position.revision;
  const { restored, told, store } = await restore(fixture, { revision: newest - 7 });
  assert.deepEqual(told, [newest - 7, 7 + SAFE_BUMP]);
  assert.equal(restored.revision, newest + SAFE_BUMP);
  assert.equal(store.currentRevision, newest + SAFE_BUMP);
  assert.equal(store.compactRevision, newest + SAFE_BUMP);
  assert.equal(await fixture.disk.exists("/new.restoring"), false);
  assert.equal(await fixture.disk.exists("/new/member/wal"), true);
});

test("restore of backups: a bump of none → the state as it was, HashKV and all (BT-g5)", async () => {
  const fixture = await backedUp();
  const { store } = await restore(fixture, {}, 0);
  assert.deepEqual(await store.hashKv(0), await fixture.member.hashKv(0));
});

test("restore of backups: refused → nothing is left behind", async () => {
  const fixture = await backedUp();
  await assert.rejects(restore(fixture, { revision: 100_000 }), /reach revision/);
  const { pieces } = await fixture.chain();
  const path = `${(await fixture.chain()).directory}/${pieces.at(-1)?.name}`;
  fixture.disk.flip(path, 200, 3);
  await assert.rejects(restore(fixture, {}), new RegExp(pieces.at(-1)?.name ?? "?"));
  assert.equal(await fixture.disk.exists("/new.restoring"), false);
  assert.equal(await fixture.disk.exists("/new/member"), false);
});
