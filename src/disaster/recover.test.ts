import assert from "node:assert/strict";
import { chownSync, cpSync, existsSync, readdirSync, renameSync, statSync } from "node:fs";
import { test } from "node:test";
import {
  openDataDirectory,
  pathsOf,
  REJOIN_NOTE,
  resumeRejoin,
  writeRejoin,
} from "../datadir/index.ts";
import { hostDisk } from "../host/index.ts";
import type { Disk } from "../seam/index.ts";
import { makeMember, type MemberOptions, recordsOf, temporary } from "./fixture.test.ts";
import { finishRecovery, recover, REVISION_BUMP } from "./recover.ts";
import { type Place, readSurvivor } from "./survivor.ts";
import { type IntactSurvivor, isIntact, judge } from "./verdict.ts";

const PUTS = 20;
const IS_LONG = process.env["LONG_SUITE"] === "1";
/** The last changes of the disk, of which each is tried; before them a draft is thrown away. */
const LAST_CHANGES = 16;

async function intact(place: Place): Promise<IntactSurvivor> {
  const survivor = await readSurvivor(place);
  assert.ok(isIntact(survivor), survivor.faults.join());
  return survivor;
}

async function recoverAt(place: Place, disk: Disk = hostDisk): Promise<void> {
  if (await finishRecovery(disk, place.directory)) return;
  await recover(await intact(place), { disk, onStep: () => {} });
}

/** Holds everything that the fixture wrote, and is a cluster of one. */
async function checkRecovered(place: Place): Promise<IntactSurvivor> {
  const found = await intact(place);
  const records = [...(await recordsOf(place.directory)).values()];
  for (let at = 0; at < PUTS; at += 1) {
    const value = Buffer.from(`the value of key ${String(at).padStart(4, "0")}`).toString("hex");
    assert.ok(
      records.some((record) => record.includes(value)),
      `key ${at}`,
    );
  }
  assert.equal(found.store.revision, 1 + PUTS + REVISION_BUMP);
  assert.equal(found.store.compactRevision, found.store.revision);
  assert.equal(found.members.length, 1);
  assert.equal(found.members[0]?.id, found.log.memberId);
  assert.equal(found.log.lastIndex, found.store.applied.index);
  assert.ok(found.store.mark !== undefined);
  return found;
}

test("recover: one of three → a cluster of its own with all of its log, other ids, a raised revision (EQ-c3)", async (t) => {
  const place = { directory: temporary(t), walDirectory: undefined };
  await makeMember(place.directory, { puts: PUTS, unapplied: 7, uncommitted: 3 });
  const before = await intact(place);
  await recoverAt(place);
  const after = await checkRecovered(place);
  assert.notEqual(after.log.memberId, before.log.memberId);
  assert.notEqual(after.log.clusterId, before.log.clusterId);
  assert.match(after.store.incarnation ?? "", /^[0-9a-f]{16}$/);
  assert.deepEqual(
    after.members.map(({ name, peerUrls, clientUrls }) => ({ name, peerUrls, clientUrls })),
    [{ name: "m1", peerUrls: ["http://10.0.0.1:2380"], clientUrls: ["http://10.0.0.1:2379"] }],
  );
  assert.equal(after.log.term, before.log.term + 1, "the term goes on");
  assert.equal(after.log.lastIndex, before.log.lastIndex + 1, "and so does the index");
  const mark = after.store.mark;
  assert.deepEqual(
    mark?.before.members.map(({ name }) => name),
    ["m1", "m2", "m3"],
  );
  const kept = await intact({ directory: mark?.keptDirectory ?? "", walDirectory: undefined });
  assert.deepEqual({ ...kept.log, lastWriteMs: 0 }, { ...before.log, lastWriteMs: 0 });
  assert.deepEqual({ ...kept.store, sizeBytes: 0 }, { ...before.store, sizeBytes: 0 });
  await openDataDirectory(hostDisk, place.directory);
});

test("recover: a log in a directory of its own is moved and kept likewise", async (t) => {
  const root = temporary(t);
  const place = { directory: `${root}/data`, walDirectory: `${root}/wal` };
  await makeMember(place.directory, { puts: PUTS, walDirectory: place.walDirectory });
  await recoverAt(place);
  const after = await checkRecovered(place);
  const mark = after.store.mark;
  const kept = { directory: mark?.keptDirectory ?? "", walDirectory: mark?.keptWalDirectory };
  assert.match(kept.walDirectory ?? "", /wal\.before-disaster-/);
  assert.equal((await intact(kept)).log.memberId, 1n);
});

test("recover: killed while it took over another member's store → the store that its log counts on", async (t) => {
  const place = { directory: temporary(t), walDirectory: undefined };
  await makeMember(place.directory, { puts: PUTS });
  const { store, incoming, replaced } = pathsOf(place.directory);
  renameSync(store, incoming);
  const old = temporary(t);
  await makeMember(old, { puts: 3, unapplied: 0 });
  cpSync(pathsOf(old).store, replaced, { recursive: true });
  await recoverAt(place);
  const { mark } = (await checkRecovered(place)).store;
  assert.equal(existsSync(pathsOf(mark?.keptDirectory ?? "").incoming), true, "kept as it was");

  // The one before, when nothing had come in its place yet.
  const early = { directory: temporary(t), walDirectory: undefined };
  await makeMember(early.directory, { puts: PUTS });
  renameSync(pathsOf(early.directory).store, pathsOf(early.directory).replaced);
  await recoverAt(early);
  await checkRecovered(early);
});

test("recover: a member that was to join anew → its note does not take the recovered data away", async (t) => {
  const place = { directory: temporary(t), walDirectory: undefined };
  await makeMember(place.directory, { puts: PUTS });
  await writeRejoin(hostDisk, place.directory, {
    stage: "moving",
    label: "20261121T162200Z-time-travel",
    clusterId: 1n,
    oldId: 1n,
    id: 9n,
    members: [],
  });
  const before = await intact(place);
  assert.equal(before.care.isRejoining, true);
  assert.match(
    judge([before], undefined).warnings.join(),
    /was being rebuilt from the other members/,
  );
  await recoverAt(place);
  const { mark } = (await checkRecovered(place)).store;
  assert.equal(await resumeRejoin(hostDisk, place.directory, undefined), undefined);
  assert.ok(existsSync(`${mark?.keptDirectory}/${REJOIN_NOTE}`));
});

const IS_ROOT = process.getuid?.() === 0;

test("recover: by root → what it made belongs to whom the member's data belongs", {
  skip: IS_ROOT ? false : "only root can give files away",
}, async (t) => {
  const place = { directory: temporary(t), walDirectory: undefined };
  await makeMember(place.directory, { puts: PUTS });
  const member = `${place.directory}/member`;
  const below = (): string[] =>
    readdirSync(member, { recursive: true }).map((name) => `${member}/${String(name)}`);
  for (const path of [member, ...below()]) chownSync(path, 12_345, 54_321);
  await recoverAt(place);
  const made = [member, ...below()];
  assert.ok(made.length > 5);
  for (const path of made) {
    const { uid, gid } = statSync(path);
    assert.deepEqual([uid, gid], [12_345, 54_321], path);
  }
});

test("recover: the disk refuses before it is ready → nothing has changed, nothing is left behind", async (t) => {
  const place = { directory: temporary(t), walDirectory: undefined };
  await makeMember(place.directory, { puts: PUTS });
  const found = await intact(place);
  const refusing: Disk = {
    ...hostDisk,
    open: async (path, mode) => {
      if (path.endsWith("plan.json")) throw new Error("no space left");
      return await hostDisk.open(path, mode);
    },
  };
  await assert.rejects(recover(found, { disk: refusing, onStep: () => {} }), /no space left/);
  assert.deepEqual(readdirSync(place.directory).sort(), ["member"]);
  assert.deepEqual((await intact(place)).store, found.store);
});

class Killed extends Error {}

/** A disk whose process is killed after `left` changes: nothing more is done by it. */
function dying(left: number): { disk: Disk; changes: () => number } {
  let changes = 0;
  const change = <T>(run: () => Promise<T>): Promise<T> => {
    changes += 1;
    return changes > left ? Promise.reject(new Killed()) : run();
  };
  const disk: Disk = {
    ...hostDisk,
    open: (path, mode) =>
      mode === "read" ? hostDisk.open(path, mode) : change(() => hostDisk.open(path, mode)),
    makeDirectory: (path, mode) => change(() => hostDisk.makeDirectory(path, mode)),
    rename: (source, target) => change(() => hostDisk.rename(source, target)),
    remove: (path) => change(() => hostDisk.remove(path)),
    syncDirectory: (path) => change(() => hostDisk.syncDirectory(path)),
  };
  return { disk, changes: () => changes };
}

async function killEverywhere(t: { after(run: () => void): void }, options: MemberOptions) {
  const root = temporary(t as never);
  const origin = `${root}/origin`;
  const copy = `${root}/copy`;
  const hasWal = options.walDirectory !== undefined;
  const walOf = (path: string) => (hasWal ? `${path}.wal` : undefined);
  const wal = walOf(origin);
  await makeMember(origin, { puts: PUTS, ...(wal === undefined ? {} : { walDirectory: wal }) });
  const whole = dying(Number.POSITIVE_INFINITY);
  const place = { directory: copy, walDirectory: walOf(copy) };
  const reset = async (): Promise<void> => {
    for (const name of readdirSync(root)) {
      if (!name.startsWith("origin")) await hostDisk.remove(`${root}/${name}`);
    }
    cpSync(origin, copy, { recursive: true });
    if (place.walDirectory !== undefined) {
      cpSync(wal as string, place.walDirectory, { recursive: true });
    }
  };
  await reset();
  await recoverAt(place, whole.disk);
  await checkRecovered(place);
  const steps = whole.changes();
  let refused = 0;
  const every = IS_LONG ? 1 : 20;
  for (let left = every - 1; left < steps; left += left < steps - LAST_CHANGES ? every : 1) {
    await reset();
    await assert.rejects(recoverAt(place, dying(left).disk), Killed, `${left} of ${steps}`);
    const isReady = existsSync(`${copy}/disaster.ready`);
    if (isReady) {
      refused += 1;
      await assert.rejects(openDataDirectory(hostDisk, copy, place.walDirectory), /not finished/);
    } else {
      // As before, or as after: never a directory that looks like a new member's.
      await intact(place);
    }
    if ((await readSurvivor(place)).store?.mark === undefined) await recoverAt(place);
    await checkRecovered(place);
    assert.equal(existsSync(`${copy}/disaster.ready`), false);
    assert.equal(existsSync(`${copy}/disaster.draft`), false);
    const kept = readdirSync(copy).filter((name) => name.startsWith("before-disaster-"));
    assert.equal(kept.length, 1, `${left} of ${steps}`);
  }
  assert.ok(refused >= 4, "the kills hit the renames too");
}

test("recover: killed after each change of the disk → no member starts on half of it, and the same again ends it (BT-c5)", async (t) => {
  await killEverywhere(t, {});
});

test("recover: the same with a log in a directory of its own (BT-c5)", async (t) => {
  await killEverywhere(t, { walDirectory: "yes" });
});
