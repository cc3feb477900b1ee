/** Images of a store: by the thread of the LMDB store, and by slices for any other. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { CorruptRecord } from "./errors.ts";
import { imageOfView, type StoreImage } from "./image.ts";
import { openLmdbBackend } from "./lmdb-backend.ts";
import type { Backend } from "./types.ts";

const ROWS = 4000;

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-image-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function keyOf(at: number): Buffer {
  return Buffer.from(`key ${String(at).padStart(8, "0")}`, "latin1");
}

async function filled(directory: string): Promise<Backend> {
  const backend = await openLmdbBackend({ directory });
  for (let at = 0; at < ROWS; at += 1) backend.put("key", keyOf(at), Buffer.alloc(at % 700, at));
  backend.put("key", keyOf(ROWS), Buffer.alloc(3_000_000, "large"));
  backend.put("members", Buffer.from("1"), Buffer.from("{}"));
  backend.put("local", Buffer.from("own"), Buffer.from("stays here"));
  backend.setApplied({ index: 12, term: 3 });
  await backend.commit();
  return backend;
}

async function open(backend: Backend): Promise<StoreImage> {
  assert.ok(backend.openImage !== undefined);
  return backend.openImage();
}

async function bytesOf(image: StoreImage, offset = 0): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of image.read(offset)) pieces.push(piece);
  return Buffer.concat(pieces);
}

test("image: the thread makes the bytes that slices make, of the size it said (MA-07)", async (t) => {
  const backend = await filled(directoryOf(t));
  const image = await open(backend);
  const bytes = await bytesOf(image);
  assert.deepEqual(image.applied, { index: 12, term: 3 });
  assert.equal(bytes.length, image.sizeBytes);
  const sliced = await imageOfView(backend.openReadView(), () => Promise.resolve());
  assert.equal(sliced.sizeBytes, image.sizeBytes);
  assert.ok((await bytesOf(sliced)).equals(bytes));
  assert.equal(bytes.includes("stays here"), false);
  sliced.close();
  image.close();
  await backend.close();
});

test("image: read again, from any offset, two at a time → the same bytes", async (t) => {
  const backend = await filled(directoryOf(t));
  const image = await open(backend);
  const [bytes, again] = await Promise.all([bytesOf(image), bytesOf(image)]);
  assert.ok(again.equals(bytes));
  for (const offset of [1, 4096, 1024 * 1024, bytes.length - 1, bytes.length]) {
    assert.ok((await bytesOf(image, offset)).equals(bytes.subarray(offset)), `from ${offset}`);
  }
  // Given up in the middle.
  for await (const piece of image.read(0)) {
    assert.ok(piece.length > 0);
    break;
  }
  assert.ok((await bytesOf(image)).equals(bytes));
  image.close();
  await backend.close();
});

test("image: writes and a defragmentation go on → it stays as it was", async (t) => {
  const backend = await filled(directoryOf(t));
  const [opening, moved] = [open(backend), backend.defragment()];
  const image = await opening;
  await moved;
  for (let at = 0; at < ROWS; at += 2) backend.delete("key", keyOf(at));
  backend.setApplied({ index: 13, term: 3 });
  await backend.commit();
  await backend.defragment();
  const before = await bytesOf(image);
  assert.equal(before.length, image.sizeBytes);
  assert.equal(image.applied.index, 12);
  const later = await open(backend);
  assert.equal(later.applied.index, 13);
  assert.ok(later.sizeBytes < image.sizeBytes);
  later.close();
  image.close();
  await backend.close();
});

/**
 * LMDB crashed in a transaction that frees many pages when it was the first one in a compacted
 * copy: a store that was defragmented and then scrubbed after a compaction took its member down.
 */
test("defragment: then a batch that deletes half of all rows → it is committed", async (t) => {
  const backend = await filled(directoryOf(t));
  await backend.defragment();
  for (let at = 0; at < ROWS; at += 2) backend.delete("key", keyOf(at));
  await backend.commit();
  assert.equal(backend.storedRows("key"), ROWS / 2 + 1);
  await backend.close();
});

test("image: a flipped byte in the store → reading it rejects with table and key (AP-01)", async (t) => {
  const directory = directoryOf(t);
  await (await filled(directory)).close();
  const path = join(directory, readdirSync(directory).find((name) => name.endsWith(".mdb")) ?? "");
  const bytes = readFileSync(path);
  const at = bytes.indexOf(keyOf(600)) + keyOf(600).length + 40;
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
  const backend = await openLmdbBackend({ directory });
  const image = await open(backend);
  await assert.rejects(bytesOf(image), (error: Error) => {
    assert.ok(error instanceof CorruptRecord, String(error));
    assert.equal(error.table, "key");
    assert.deepEqual(error.key, keyOf(600));
    return true;
  });
  image.close();
  await backend.close();
});

test("image: the store or the image is closed while it is read → the reader is told, nothing hangs", async (t) => {
  const backend = await filled(directoryOf(t));
  const image = await open(backend);
  const reading = image.read(0)[Symbol.asyncIterator]();
  await reading.next();
  await backend.close();
  await assert.rejects(async () => {
    for (let step = await reading.next(); step.done !== true; step = await reading.next());
  }, /image is closed|thread of the image/);
  image.close();
  await assert.rejects(bytesOf(image), /image is closed|thread of the image/);
});
