import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { BackendFailed, CorruptRecord } from "./errors.ts";
import { openLmdbBackend } from "./lmdb-backend.ts";
import { newestSequence, openStoreReadOnly, storeFileOf } from "./read-only-backend.ts";

async function filled(t: TestContext): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-ro-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const backend = await openLmdbBackend({ directory });
  for (let at = 100; at < 400; at += 1) {
    backend.put("key", Buffer.from(`key ${at}`), Buffer.from(`a value, number ${at}`));
  }
  backend.setApplied({ index: 9, term: 3 });
  await backend.defragment();
  await backend.close();
  return directory;
}

test("store read only: what stands in it is read, nothing is written, and nothing changes", async (t) => {
  const directory = await filled(t);
  const before = readFileSync(storeFileOf(directory, 2));
  const backend = await openStoreReadOnly(directory);
  assert.deepEqual(backend.applied, { index: 9, term: 3 });
  assert.equal(backend.storedRows("key"), 300);
  const rows = backend.scan("key", Buffer.from("key 150"), Buffer.from("key 160"), 5);
  assert.deepEqual(
    rows.map(({ key }) => key.toString()),
    ["key 150", "key 151", "key 152", "key 153", "key 154"],
  );
  assert.equal(backend.get("key", Buffer.from("key 399"))?.toString(), "a value, number 399");
  assert.equal(backend.get("lease", Buffer.from("key 399")), undefined);
  assert.throws(() => backend.put("key", Buffer.from("k"), Buffer.from("v")), /opened for reading/);
  await backend.close();
  assert.deepEqual(readFileSync(storeFileOf(directory, 2)), before);
});

test("store read only: a flipped byte → CorruptRecord where it is read; no file, another file → BackendFailed", async (t) => {
  const directory = await filled(t);
  const path = storeFileOf(directory, 2);
  const bytes = readFileSync(path);
  const at = bytes.lastIndexOf("a value, number 222");
  assert.ok(at > 0);
  bytes[at] = 0x41;
  writeFileSync(path, bytes);
  const backend = await openStoreReadOnly(directory);
  const all = (): unknown => backend.scan("key", Buffer.alloc(0), undefined, 1e6);
  assert.throws(all, (error) => error instanceof CorruptRecord && error.message.includes(path));
  await backend.close();
  writeFileSync(path, "no store at all".repeat(1000));
  await assert.rejects(openStoreReadOnly(directory), BackendFailed);
  for (const name of readdirSync(directory)) rmSync(join(directory, name));
  await assert.rejects(openStoreReadOnly(directory), /no store in/);
});

test("store read only: of several files the one with the highest number is the store", () => {
  const names = [
    "data-000002.mdb",
    "data-000010.mdb",
    "data-000011.mdb.tmp",
    "data-000010.mdb-lock",
  ];
  assert.equal(newestSequence(names), 10);
  assert.equal(newestSequence(["x"]), undefined);
});
