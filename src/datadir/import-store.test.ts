import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { type Backend, MemoryBackend, openLmdbBackend } from "../backend/index.ts";
import { Prng } from "../base/index.ts";
import { SnapshotCorrupt } from "../snapshot/index.ts";
import { SnapshotRefused } from "./errors.ts";
import { disk, fill, imageBytes, pair, revisionKey, rowsOf, timers } from "./fixture.test.ts";
import { importedPoint, importStore, type ImportOptions } from "./import-store.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2_000) / 10;
const POINT = { index: 500, term: 7 };
const openLmdb = (directory: string): Promise<Backend> => openLmdbBackend({ directory });

interface Place {
  readonly imagePath: string;
  readonly directory: string;
}

async function placeOf(t: TestContext, bytes: Buffer): Promise<Place> {
  const root = mkdtempSync(join(tmpdir(), "holdfast-import-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const imagePath = join(root, "image.db");
  await writeFile(imagePath, bytes);
  return { imagePath, directory: join(root, "store.incoming") };
}

async function sample(change: (backend: Backend) => void = () => {}): Promise<Buffer> {
  const backend = new MemoryBackend();
  fill(backend, 3000, POINT);
  change(backend);
  return imageBytes(backend);
}

function options(place: Place, given: Partial<ImportOptions> = {}): ImportOptions {
  return { disk, timers, openBackend: openLmdb, ...place, ...given };
}

test("import: an image → the same rows, at the point of the image (SN-02, DB-03)", async (t) => {
  const source = new MemoryBackend();
  fill(source, 3000, POINT);
  const place = await placeOf(t, await imageBytes(source));
  assert.deepEqual(await importStore(options(place)), POINT);
  const backend = await openLmdb(place.directory);
  assert.deepEqual(rowsOf(backend), rowsOf(source));
  assert.deepEqual(importedPoint(backend), POINT);
  assert.equal(backend.get("local", Buffer.from("own")), undefined);
  await backend.close();
});

test("import: what lay in the directory is gone", async (t) => {
  const place = await placeOf(t, await sample());
  const before = await openLmdb(join(place.directory, "..", "store.incoming"));
  before.put("key", revisionKey(1), pair("old", 1));
  await before.close();
  await importStore(options(place));
  const backend = await openLmdb(place.directory);
  assert.equal(backend.get("key", revisionKey(1)), undefined);
  await backend.close();
});

test("import: the point that the sender names counts, one before the image's is refused", async (t) => {
  const place = await placeOf(t, await sample());
  const later = { index: 501, term: 8 };
  assert.deepEqual(await importStore(options(place, { point: later })), later);
  const refused = importStore(options(place, { point: { index: 499, term: 7 } }));
  await assert.rejects(refused, /holds index 500, and was sent as one of index 499/);
});

test("import: rows that no store can have → refused, with bucket and key", async (t) => {
  const cases: { change: (backend: Backend) => void; wanted: RegExp }[] = [
    {
      change: (b) => b.put("key", Buffer.from("short"), pair("a", 1)),
      wanted: /bucket key, key 73686f7274: found no revision/,
    },
    {
      change: (b) => b.put("key", revisionKey(2 ** 50 * 16), pair("a", 1)),
      wanted: /bucket key, .*: found no revision/,
    },
    {
      change: (b) => b.put("key", revisionKey(9000), Buffer.from([10, 200, 1])),
      wanted: /bucket key, .*: found no key-value pair/,
    },
    { change: (b) => b.put("lease", Buffer.from("x"), Buffer.alloc(0)), wanted: /8 wanted/ },
    { change: (b) => b.put("members", Buffer.from("8"), Buffer.from("{")), wanted: /no member/ },
    {
      change: (b) => b.put("meta", Buffer.from("scheduledCompactRev"), Buffer.from("1")),
      wanted: /scheduledCompactRev is 31/,
    },
  ];
  for (const { change, wanted } of cases) {
    const place = await placeOf(t, await sample(change));
    await assert.rejects(importStore(options(place)), (error: Error) => {
      assert.ok(error instanceof SnapshotRefused, String(error));
      assert.match(error.message, wanted);
      assert.match(error.message, /^snapshot file .*image\.db cannot be taken: .*; take another/);
      return true;
    });
    const half = await openLmdb(place.directory);
    assert.equal(importedPoint(half), undefined, "not complete");
    assert.equal(half.applied.index, 0);
    await half.close();
  }
});

test("import: damaged files → taken as they are or refused by name", async (t) => {
  const whole = await sample();
  const prng = new Prng(77);
  const place = await placeOf(t, whole);
  let refused = 0;
  for (let run = 0; run < RUNS; run += 1) {
    const bytes = Buffer.from(whole);
    for (let change = 1 + prng.below(3); change > 0; change -= 1) {
      const page = prng.below(bytes.length / 4096) * 4096;
      const at = page + (prng.chance(0.7) ? prng.below(200) : prng.below(4096));
      bytes[at] = prng.below(256);
    }
    await writeFile(
      place.imagePath,
      prng.chance(0.1) ? bytes.subarray(0, prng.below(bytes.length)) : bytes,
    );
    let opened: MemoryBackend | undefined;
    const openBackend = async (): Promise<Backend> => {
      opened = new MemoryBackend();
      return opened;
    };
    try {
      await importStore(options(place, { openBackend }));
      assert.ok(opened !== undefined && opened.medium.applied.index > 0);
    } catch (error) {
      const isNamed = error instanceof SnapshotCorrupt || error instanceof SnapshotRefused;
      assert.ok(isNamed, (error as Error).stack);
      refused += 1;
    }
  }
  assert.ok(refused > RUNS / 10, `${refused} of ${RUNS}`);
});
