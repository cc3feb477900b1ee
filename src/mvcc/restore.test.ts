import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend, MemoryMedium } from "../backend/index.ts";
import type { LogFields, Logger } from "../seam/index.ts";
import { SimulatedDisk } from "../testing/index.ts";
import { CHECKPOINT_RECORDS } from "./limits.ts";
import { LostRecord } from "./records.ts";
import { openStore, RecordsMissing } from "./restore.ts";
import { revisionKey } from "./revision.ts";
import type { MvccStore } from "./store.ts";

const yieldToLoop = (): Promise<void> => Promise.resolve();

function put(store: MvccStore, ...keys: string[]): void {
  const tx = store.begin();
  for (const key of keys) tx.put(key, Buffer.from(`value of ${key}`), 0n);
  tx.end();
}

function remove(store: MvccStore, key: string): void {
  const tx = store.begin();
  tx.deleteRange(key, "");
  tx.end();
}

async function mediumWith(write: (store: MvccStore) => void): Promise<MemoryMedium> {
  const backend = new MemoryBackend();
  write(await openStore(backend, { yieldToLoop }));
  await backend.close();
  return backend.medium;
}

function open(medium: MemoryMedium): Promise<MvccStore> {
  return openStore(new MemoryBackend({ medium }), { yieldToLoop });
}

function drop(medium: MemoryMedium, main: number, sub = 0): void {
  const key = revisionKey(main, sub, false).latin1Slice();
  medium.write([{ table: "key", key, value: undefined }], medium.applied);
}

test("restore: an empty store → revision 1, never compacted (DB-01)", async () => {
  const store = await open(new MemoryMedium());
  assert.equal(store.currentRevision, 1);
  assert.equal(store.compactRevision, -1);
  assert.equal(store.isCompacting, false);
});

test("restore: sub-revisions of one transaction → all keys at one revision (DB-03, AP-05)", async () => {
  const store = await open(await mediumWith((fresh) => put(fresh, "a", "b", "c")));
  assert.equal(store.currentRevision, 2);
  const found = store.changesFrom(1, 10);
  assert.ok(found !== "compacted");
  assert.deepEqual(
    found.map(({ revision, changes }) => [revision, ...changes.map(({ key, sub }) => key + sub)]),
    [[2, "a0", "b1", "c2"]],
  );
});

test("restore: the newest record is a tombstone that was scrubbed → the revision does not go back (DB-01)", async () => {
  const medium = await mediumWith((store) => {
    put(store, "a");
    remove(store, "a");
    put(store, "b");
    remove(store, "b");
    assert.equal(store.compact(5), "ok");
    while (store.compactStep(1));
  });
  const store = await open(medium);
  assert.equal(store.currentRevision, 5);
  assert.equal(store.compactRevision, 5);
});

test("restore: a compaction was scheduled and not finished → it goes on (DB-04, CP-04)", async () => {
  const medium = await mediumWith((store) => {
    for (let round = 0; round < 5; round += 1) put(store, "a", "b");
    assert.equal(store.compact(5), "ok");
  });
  const store = await open(medium);
  assert.equal(store.compactRevision, 5);
  assert.equal(store.isCompacting, true);
  assert.equal(store.range(query("a", 4)).kind, "compacted");
  assert.equal(store.range(query("a", 5)).kind, "ok");
  while (store.compactStep(1));
  assert.equal(store.isCompacting, false);
  await store.backend.commit();
  assert.equal(store.backend.storedRows("key"), 4);
  assert.equal((await open(medium)).isCompacting, false);
});

test("restore: more leased keys than one slice → each is told once, in order (DB-01)", async () => {
  const count = 12_345;
  const names = Array.from({ length: count }, (_, at) => String(at).padStart(6, "0"));
  const medium = await mediumWith((store) => {
    const tx = store.begin();
    for (const [at, name] of names.entries()) tx.put(name, Buffer.alloc(0), BigInt(at % 3));
    tx.end();
  });
  const told: string[] = [];
  await openStore(new MemoryBackend({ medium }), {
    yieldToLoop,
    onLease: (key, lease) => told.push(`${key} ${lease}`),
  });
  const wanted = names.map((name, at) => `${name} ${at % 3}`).filter((_, at) => at % 3 !== 0);
  assert.deepEqual(told, wanted);
});

test("restore: fewer records than the store counts → it is refused, with both numbers", async () => {
  const medium = await mediumWith((store) => put(store, "a", "b"));
  class Miscounting extends MemoryBackend {
    override storedRows(): number {
      return 3;
    }
  }
  const opened = openStore(new Miscounting({ medium }), { yieldToLoop });
  await assert.rejects(opened, (error: unknown) => {
    assert.ok(error instanceof RecordsMissing);
    assert.match(error.message, /found 2 records where the store counts 3/);
    return true;
  });
});

test("restore: a record is gone that the checkpoint knows → the checkpoint is not believed", async () => {
  const disk = new SimulatedDisk();
  await disk.makeDirectory("/data");
  const checkpoint = { disk, directory: "/data" };
  const backend = new MemoryBackend();
  const store = await openStore(backend, { yieldToLoop, checkpoint });
  put(store, "a", "b");
  assert.equal(await store.checkpoint(), true);
  await backend.close();
  drop(backend.medium, 2, 1);
  const lines: LogFields[] = [];
  const logger = { info: (_: string, fields: LogFields) => lines.push(fields) };
  const opened = await openStore(new MemoryBackend({ medium: backend.medium }), {
    yieldToLoop,
    checkpoint,
    logger: logger as unknown as Logger,
  });
  assert.equal(opened.keyCount, 1);
  assert.equal(lines[0]?.["checkpoint-revision"], -1);
  assert.match(String(lines[0]?.["no-checkpoint-because"]), /leads to 2 records/);
});

test("get: the index names a record that the store has not → LostRecord names the revision", async () => {
  const medium = await mediumWith((store) => put(store, "a"));
  const backend = new MemoryBackend({ medium });
  const store = await openStore(backend, { yieldToLoop });
  backend.delete("key", revisionKey(2, 0, false));
  assert.throws(() => store.get("a", 0), LostRecord);
  assert.throws(() => store.get("a", 0), /revision 2\.0/);
});

function query(key: string, revision: number) {
  return { key, rangeEnd: "", revision, limit: 0, countOnly: false, keysOnly: false };
}

test("restore: many records in few revisions → a checkpoint is due by records (DB-01)", async () => {
  // A million keys loaded by transactions of 100 puts are ten thousand revisions: counted by
  // revisions no checkpoint was ever due, and each start read every record.
  const disk = new SimulatedDisk();
  await disk.makeDirectory("/store");
  const checkpoint = { disk, directory: "/store" };
  const store = await openStore(new MemoryBackend(), { yieldToLoop, checkpoint });
  const keys = Array.from({ length: CHECKPOINT_RECORDS / 10 }, (_, at) => `k${at}`);
  for (let round = 0; round < 9; round += 1) put(store, ...keys);
  assert.equal(store.isCheckpointDue(false), false);
  put(store, ...keys);
  assert.equal(store.isCheckpointDue(false), true);
  assert.equal(await store.checkpoint(), true);
  assert.equal(store.isCheckpointDue(false), false);
});
