import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { lifePaths, pathsOf, writeFloors, writeLife } from "../datadir/index.ts";
import { hostDisk, lockDirectory } from "../host/index.ts";
import { CLUSTER_ID, makeMember, temporary } from "./fixture.test.ts";
import { hashAt, inspectSurvivor, type Survivor } from "./survivor.ts";

function inspect(directory: string, walDirectory?: string): Promise<Survivor> {
  return inspectSurvivor({ directory, walDirectory });
}

function filesOf(directory: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !path.endsWith("-lock")) files.set(path, readFileSync(path, "hex"));
  }
  return files;
}

test("survivor: a member that was killed → what store and log tell, and not a byte is changed (BT-c5)", async (t) => {
  const directory = temporary(t);
  await makeMember(directory);
  const before = filesOf(directory);
  const { faults, log, store, members, isUnfinished } = await inspect(directory);
  assert.deepEqual(faults, []);
  assert.equal(isUnfinished, false);
  assert.deepEqual(
    { ...log, lastWriteMs: 0, sizeBytes: 0 },
    {
      memberId: 1n,
      clusterId: CLUSTER_ID,
      term: 4,
      lastIndex: 26,
      lastTerm: 4,
      commit: 24,
      lastWriteMs: 0,
      sizeBytes: 0,
      torn: undefined,
    },
  );
  assert.ok(Math.abs((log?.lastWriteMs ?? 0) - Date.now()) < 60_000);
  assert.deepEqual(store?.applied, { index: 21, term: 4 });
  assert.equal(store?.revision, 16);
  assert.equal(store?.keys, 15);
  assert.deepEqual(
    members.map(({ name, peerUrls }) => [name, ...peerUrls]),
    [1, 2, 3].map((id) => [`m${id}`, `http://10.0.0.${id}:2380`]),
  );
  assert.deepEqual(filesOf(directory), before);
});

test("survivor: members that only the log knows yet are known (BT-c5)", async (t) => {
  const directory = temporary(t);
  await makeMember(directory, { puts: 1, unapplied: 7 });
  const { faults, members, store } = await inspect(directory);
  assert.deepEqual(faults, []);
  assert.equal(store?.applied.index, 0);
  assert.deepEqual(
    members.map(({ name }) => name),
    ["m1", "m2", "m3"],
  );
});

test("survivor: a process works on it → refused with its pid", async (t) => {
  const directory = temporary(t);
  await makeMember(directory);
  const lock = await lockDirectory(directory);
  const { faults } = await inspect(directory);
  await lock.release();
  assert.match(faults.join(), new RegExp(`in use by process ${process.pid}: stop it first`));
});

test("survivor: a flipped byte in a record → its place is named, and the log is read all the same", async (t) => {
  const directory = temporary(t);
  await makeMember(directory);
  const path = `${directory}/member/store/data-000001.mdb`;
  const bytes = readFileSync(path);
  bytes[bytes.lastIndexOf("the value of key 0007")] = 0x41;
  writeFileSync(path, bytes);
  const { faults, log, store } = await inspect(directory);
  assert.equal(faults.length, 1);
  assert.match(faults[0] ?? "", /corrupt record in .*data-000001.mdb, table "key"/);
  assert.equal(store, undefined);
  assert.equal(log?.lastIndex, 26);
  assert.equal(await hashAt(`${directory}/member/store`, 5), undefined);
});

test("survivor: a flipped byte in the log → its place is named, and the store is read all the same", async (t) => {
  const directory = temporary(t);
  await makeMember(directory);
  const wal = `${directory}/member/wal`;
  const path = `${wal}/${readdirSync(wal)[0]}`;
  const bytes = readFileSync(path);
  bytes[bytes.indexOf("the value of key 0007")] = 0x41;
  writeFileSync(path, bytes);
  const { faults, log, store } = await inspect(directory);
  assert.match(faults.join(), /\.wal.* at offset \d+|\.wal/);
  assert.equal(log, undefined);
  assert.equal(store?.keys, 15);
});

test("survivor: a torn end of the log → intact, and said", async (t) => {
  const directory = temporary(t);
  await makeMember(directory, { unapplied: 8 });
  const wal = `${directory}/member/wal`;
  const path = `${wal}/${readdirSync(wal)[0]}`;
  const bytes = readFileSync(path);
  bytes.fill(0, bytes.indexOf("the value of key 0018"));
  writeFileSync(path, bytes);
  const { faults, log } = await inspect(directory);
  assert.deepEqual(faults, []);
  assert.equal(log?.lastIndex, 24);
  assert.notEqual(log?.torn, undefined);
});

test("survivor: no directory, an empty one, etcd's, one without its log → each said", async (t) => {
  const directory = temporary(t);
  assert.match((await inspect(`${directory}/none`)).faults.join(), /there is no directory/);
  assert.match((await inspect(directory)).faults.join(), /no member's data in/);
  const walDirectory = `${directory}/wal`;
  await makeMember(`${directory}/m`, { walDirectory });
  assert.match((await inspect(`${directory}/m`)).faults.join(), /no log in .*--wal-dir/);
  assert.deepEqual((await inspect(`${directory}/m`, walDirectory)).faults, []);
  rmSync(`${directory}/m/member/store`, { recursive: true });
  assert.match((await inspect(`${directory}/m`, walDirectory)).faults.join(), /there is no store/);
});

test("survivor: what it knew of the others' disks, and why it was kept out → told (BT-c5, E3)", async (t) => {
  const directory = temporary(t);
  await makeMember(directory);
  assert.deepEqual((await inspect(directory)).care, {
    committed: 0,
    quarantine: undefined,
    isRejoining: false,
  });
  const { life, floors } = lifePaths(pathsOf(directory));
  const none = { epoch: 1, nonce: 2, base: 0, term: 4, votedTerm: 4, ackTerm: 4 };
  await writeFloors(hostDisk, floors, [
    { id: 2n, ...none, match: 50, stable: 40 },
    { id: 3n, ...none, match: 44, stable: 41 },
  ]);
  await writeLife(hostDisk, life, { epoch: 1, nonce: 2, base: 0, lost: "its disk went back" });
  const { care, faults } = await inspect(directory);
  assert.deepEqual(faults, []);
  assert.deepEqual(care, { committed: 41, quarantine: "its disk went back", isRejoining: false });
  writeFileSync(floors, "nonsense");
  assert.equal((await inspect(directory)).care.committed, 0);
});
