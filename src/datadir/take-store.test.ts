/** A store's own file from member to member: the same rows, nothing that was the sender's alone. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { type Backend, MemoryBackend, openLmdbBackend } from "../backend/index.ts";
import { openStore } from "../mvcc/index.ts";
import { SnapshotRefused } from "./errors.ts";
import { disk, fill, pair, revisionKey, rowsOf } from "./fixture.test.ts";
import { importedPoint, markImported } from "./import-store.ts";
import { FOOTER_BYTES, openStoreImage } from "./store-image.ts";
import { takeStore, type TakeStoreOptions } from "./take-store.ts";

const POINT = { index: 500, term: 7 };
const ROWS = 3000;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const openLmdb = (directory: string): Promise<Backend> => openLmdbBackend({ directory });

interface Stage {
  readonly source: Backend;
  readonly directory: string;
  readonly imagePath: string;
  readonly incoming: string;
}

/** A member's store with a checkpoint, that was made from a snapshot itself once. */
async function stageOf(t: TestContext, hasCheckpoint = true): Promise<Stage> {
  const root = mkdtempSync(join(tmpdir(), "holdfast-take-"));
  const directory = join(root, "store");
  const source = await openLmdb(directory);
  t.after(async () => {
    await source.close();
    rmSync(root, { recursive: true, force: true });
  });
  fill(source, ROWS, POINT);
  markImported(source, POINT);
  await source.commit();
  if (hasCheckpoint) {
    const checkpoint = { disk, directory };
    const store = await openStore(source, { yieldToLoop: turn, checkpoint });
    assert.equal(await store.checkpoint(), true);
  }
  return {
    source,
    directory,
    imagePath: join(root, "image"),
    incoming: join(root, "store.incoming"),
  };
}

async function imageOf({ source, directory }: Stage, offset = 0): Promise<Buffer> {
  const opened = await openStoreImage({ backend: source, disk, directory });
  assert.ok(opened !== undefined);
  const { image, applied } = opened;
  assert.deepEqual(applied, source.applied);
  assert.equal(image.format, "store");
  const pieces: Buffer[] = [];
  for await (const piece of image.read(offset)) pieces.push(piece);
  image.close();
  const bytes = Buffer.concat(pieces);
  assert.equal(bytes.length, image.sizeBytes - offset);
  return bytes;
}

function optionsOf({ imagePath, incoming: directory }: Stage, point = POINT): TakeStoreOptions {
  const checks = { digest: undefined, areRecordsChecked: false };
  return { disk, imagePath, directory, openBackend: openLmdb, point, turn, ...checks };
}

test("store's own file: sent and taken → the same rows, complete at the point; the sender's own rows are gone (PE-04, SN-02)", async (t) => {
  const stage = await stageOf(t);
  await writeFile(stage.imagePath, await imageOf(stage));
  assert.deepEqual(await takeStore(optionsOf(stage)), POINT);
  assert.equal(await disk.exists(stage.imagePath), false);
  const backend = await openLmdb(stage.incoming);
  assert.deepEqual(rowsOf(backend), rowsOf(stage.source));
  assert.deepEqual(importedPoint(backend), POINT);
  assert.equal(backend.get("local", Buffer.from("own")), undefined);
  assert.deepEqual(backend.applied, POINT);
  await backend.close();
});

test("store's own file: the index comes along → no record is read to begin (DB-04)", async (t) => {
  for (const hasCheckpoint of [true, false]) {
    const stage = await stageOf(t, hasCheckpoint);
    await writeFile(stage.imagePath, await imageOf(stage));
    await takeStore(optionsOf(stage));
    const backend = await openLmdb(stage.incoming);
    const lines: Record<string, unknown>[] = [];
    const logger = {
      debug: () => {},
      info: (_message: string, fields?: Record<string, unknown>) => void lines.push(fields ?? {}),
      warn: () => {},
      error: () => {},
      isEnabled: () => true,
      child: () => logger,
    };
    const checkpoint = { disk, directory: stage.incoming };
    const store = await openStore(backend, { yieldToLoop: turn, checkpoint, logger });
    assert.equal(lines[0]?.["records-read"], hasCheckpoint ? 0 : ROWS);
    assert.equal(lines[0]?.["keys"], ROWS);
    assert.equal(store.currentRevision, ROWS + 1);
    await backend.close();
  }
});

test("store's own file: what is written while it is read is not in it", async (t) => {
  const stage = await stageOf(t);
  const { source, directory } = stage;
  let at = ROWS;
  for (; at < 2 * ROWS; at += 1) {
    source.put("key", revisionKey(at + 2), pair(`large ${at}`, at + 2, "x".repeat(900)));
  }
  await source.commit();
  const before = rowsOf(source);
  const opened = await openStoreImage({ backend: source, disk, directory });
  assert.ok(opened !== undefined);
  const pieces: Buffer[] = [];
  for await (const piece of opened.image.read(0)) {
    pieces.push(piece);
    // Several transactions: pages that were freed in one are wanted again in the next.
    for (let batch = 0; batch < 4; batch += 1) {
      for (let count = 0; count < 200; count += 1, at += 1) {
        source.put("key", revisionKey(at + 2), pair(`later ${at}`, at + 2, "y".repeat(900)));
        source.delete("key", revisionKey(2 + ((at * 7) % (2 * ROWS))));
      }
      source.setApplied({ index: POINT.index + at, term: 7 });
      await source.commit();
    }
  }
  opened.image.close();
  assert.ok(pieces.length > 5, `${pieces.length} pieces`);
  await writeFile(stage.imagePath, Buffer.concat(pieces));
  await takeStore(optionsOf(stage));
  const backend = await openLmdb(stage.incoming);
  assert.deepEqual(rowsOf(backend), before);
  await backend.close();
});

test("store's own file: from an offset → the rest of the same file", async (t) => {
  const stage = await stageOf(t);
  const whole = await imageOf(stage);
  const ends = [1, 4096, 5000, 8192, whole.length - FOOTER_BYTES, whole.length - 5, whole.length];
  for (const offset of ends) {
    assert.ok((await imageOf(stage, offset)).equals(whole.subarray(offset)), `${offset}`);
  }
});

test("store's own file: sent as of another point, cut, or no store at all → refused by name, not complete", async (t) => {
  const stage = await stageOf(t);
  const whole = await imageOf(stage);
  const storeBytes = Number(whole.readBigUInt64LE(whole.length - FOOTER_BYTES + 8));
  const cases: { bytes: Buffer; point?: typeof POINT; wanted: RegExp }[] = [
    { bytes: whole, point: { index: 501, term: 7 }, wanted: /holds index 500 of term 7, and was/ },
    { bytes: whole.subarray(0, -1), wanted: /found no store's file/ },
    { bytes: whole.subarray(4096), wanted: /found no store's file/ },
    { bytes: Buffer.alloc(0), wanted: /found no store's file/ },
    {
      bytes: Buffer.concat([Buffer.alloc(storeBytes), whole.subarray(storeBytes)]),
      wanted: /no LMDB meta page/,
    },
  ];
  for (const { bytes, point, wanted } of cases) {
    await writeFile(stage.imagePath, bytes);
    await assert.rejects(takeStore(optionsOf(stage, point)), (error: Error) => {
      assert.ok(error instanceof SnapshotRefused, String(error));
      assert.match(error.message, wanted);
      return true;
    });
  }
});

test("store's own file: the mark of its origin → does not make it complete", async (t) => {
  const stage = await stageOf(t);
  stage.source.setApplied({ index: 600, term: 7 });
  await stage.source.commit();
  await writeFile(stage.imagePath, await imageOf(stage));
  const failing = optionsOf(stage, { index: 600, term: 7 });
  await assert.rejects(takeStore({ ...failing, turn: () => Promise.reject(new Error("cut")) }));
  const backend = await openLmdb(stage.incoming);
  assert.deepEqual(backend.applied, { index: 600, term: 7 });
  assert.equal(importedPoint(backend), undefined);
  await backend.close();
});

test("store's own file: a row that no store can have → refused", async (t) => {
  const stage = await stageOf(t);
  stage.source.put("members", Buffer.from("8"), Buffer.from("{"));
  await stage.source.commit();
  await writeFile(stage.imagePath, await imageOf(stage));
  await assert.rejects(takeStore(optionsOf(stage)), /bucket members.*no member/);
});

test("store's own file: a damaged index → all records are read instead", async (t) => {
  const stage = await stageOf(t);
  const bytes = await imageOf(stage);
  const at = bytes.length - FOOTER_BYTES - 100;
  bytes[at] = (bytes[at] as number) ^ 1;
  await writeFile(stage.imagePath, bytes);
  await takeStore(optionsOf(stage));
  const names = await readdir(stage.incoming);
  assert.ok(names.includes("index-1.ckpt"), names.join());
  assert.ok((await readFile(join(stage.incoming, "index-1.ckpt"))).length > 1000);
  const backend = await openLmdb(stage.incoming);
  const checkpoint = { disk, directory: stage.incoming };
  const store = await openStore(backend, { yieldToLoop: turn, checkpoint });
  assert.equal(store.currentRevision, ROWS + 1);
  assert.deepEqual(
    (await readdir(stage.incoming)).filter((name) => name.endsWith(".ckpt")),
    [],
  );
  await backend.close();
});

test("store's own file: a store that is no file has none to send", async () => {
  const backend = new MemoryBackend();
  assert.equal(await openStoreImage({ backend, disk, directory: "/none" }), undefined);
});
