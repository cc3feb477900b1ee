/** Power cuts at every step of an installation: one whole store, the one the log counts on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { Prng } from "../base/index.ts";
import { systemClock as clock, systemTimers } from "../host/index.ts";
import type { Disk, SnapshotFormat } from "../seam/index.ts";
import { SimulatedDisk } from "../testing/index.ts";
import { createWal, readSnapshots, readWal, resumeWal } from "../wal/index.ts";
import { emptyConfState, EntryType } from "../wire/index.ts";
import { openDataDirectory, pathsOf } from "./data-directory.ts";
import { fill, imageBytes, openDiskBackend, rowsOf, storeImageBytes } from "./fixture.test.ts";
import { importStore } from "./import-store.ts";
import { finishInstall, installStore } from "./install-store.ts";
import { takeStore } from "./take-store.ts";

const ROOT = "/data";
const PATHS = pathsOf(ROOT);
const OLD = { index: 4, term: 1 };
const NEW = { index: 90, term: 3 };
const IMAGE = "/image.db";
const SEEDS = Number(process.env["FUZZ_RUNS"] ?? 2_000) / 1_000;

async function content(count: number, applied: typeof OLD): Promise<string[]> {
  const backend = new MemoryBackend();
  fill(backend, count, applied);
  await backend.commit();
  return rowsOf(backend);
}

async function image(format: SnapshotFormat = "bbolt"): Promise<Buffer> {
  const disk = new SimulatedDisk();
  await disk.makeDirectory("/other");
  const backend = await openDiskBackend(disk, "/other");
  fill(backend, 40, NEW);
  return format === "bbolt" ? imageBytes(backend) : storeImageBytes(backend, disk);
}

/** A member with a store at OLD and a log that goes a little further. */
async function prepare(disk: Disk): Promise<void> {
  const paths = await openDataDirectory(disk, ROOT);
  const backend = await openDiskBackend(disk, paths.store);
  fill(backend, 5, OLD);
  await backend.close();
  const entries = [1, 2, 3, 4, 5].map((index) => ({
    type: EntryType.NORMAL,
    term: 1,
    index,
    data: Buffer.from("entry"),
  }));
  const hardState = { term: 1, vote: 1n, commit: 5 };
  const metadata = { nodeId: 1n, clusterId: 2n };
  const options = { clock, segmentBytes: 8192, zeroAheadBytes: 0 };
  const wal = await createWal(disk, paths.wal, metadata, {
    ...options,
    founding: { entries, hardState },
  });
  await wal.close();
}

/** As a member does it that has received an image. */
async function install(disk: Disk, format: SnapshotFormat): Promise<void> {
  const openBackend = (directory: string) => openDiskBackend(disk, directory);
  const { incoming: directory } = PATHS;
  const timers = systemTimers;
  const options = { disk, imagePath: IMAGE, directory, openBackend, point: NEW };
  if (format === "bbolt") await importStore({ ...options, timers });
  else {
    const turn = () => Promise.resolve();
    await takeStore({ ...options, turn, digest: undefined, areRecordsChecked: false });
  }
  const reader = await readWal(disk, PATHS.wal, OLD);
  await reader.drain();
  const wal = await resumeWal(reader, { clock, segmentBytes: 8192, zeroAheadBytes: 0 });
  const confState = { ...emptyConfState(), voters: [1n] };
  await wal.installSnapshot({ ...NEW, confState }, { term: 3, vote: 0n, commit: NEW.index });
  await wal.close();
  await installStore({ disk, paths: PATHS });
}

async function start(disk: Disk): Promise<"installed" | "unchanged"> {
  await openDataDirectory(disk, ROOT);
  return finishInstall({
    disk,
    paths: PATHS,
    openBackend: (directory) => openDiskBackend(disk, directory),
  });
}

async function operationsOf(run: (disk: Disk) => Promise<unknown>, bytes: Buffer): Promise<number> {
  let count = 0;
  const disk = new SimulatedDisk({ delay: async () => void (count += 1) });
  disk.place(IMAGE, bytes);
  await prepare(disk);
  const before = count;
  await run(disk);
  return count - before;
}

for (const format of ["bbolt", "store"] as const) {
  test(`install: of a snapshot as ${format}, power lost at any step, and again at the start → the store that the log counts on (SN-02, WL-09)`, () =>
    cutAnywhere(format));
}

async function cutAnywhere(format: SnapshotFormat): Promise<void> {
  const bytes = await image(format);
  const stores = { old: await content(5, OLD), new: await content(40, NEW) };
  const steps = await operationsOf((disk) => install(disk, format), bytes);
  assert.ok(steps > 30, `${steps} steps`);
  const seen = { old: 0, new: 0 };
  for (let seed = 0; seed < SEEDS; seed += 1) {
    for (let step = 1; step <= steps + 1; step += 1) {
      const prng = new Prng(seed * 10_000 + step);
      const disk = await crashedIn({ step, format }, prng, bytes);
      // The start may be cut short as well.
      let left = 1 + prng.below(12);
      const cut: SimulatedDisk = disk.inner;
      disk.onDelay = () => {
        left -= 1;
        if (left === 0) cut.crash(prng);
      };
      await start(cut.session()).catch(() => undefined);
      disk.onDelay = () => {};
      await start(cut);
      const backend = await openDiskBackend(cut, PATHS.store);
      const isNew = backend.applied.index === NEW.index;
      assert.deepEqual(rowsOf(backend), isNew ? stores.new : stores.old, `step ${step}`);
      const records = await readSnapshots(cut, PATHS.wal);
      const isRecorded = records.some(({ index }) => index === NEW.index);
      assert.equal(isNew, isRecorded, `step ${step}: the store and the log agree`);
      const names = await cut.list(`${ROOT}/member`);
      assert.deepEqual(
        names.filter((name) => name.startsWith("store")),
        ["store"],
        `step ${step}`,
      );
      seen[isNew ? "new" : "old"] += 1;
    }
  }
  assert.ok(seen.old > 10 && seen.new > 2, JSON.stringify(seen));
}

async function crashedIn(
  { step, format }: { step: number; format: SnapshotFormat },
  prng: Prng,
  bytes: Buffer,
): Promise<{ inner: SimulatedDisk; onDelay: () => void }> {
  const hook = { onDelay: () => {}, inner: undefined as unknown as SimulatedDisk };
  hook.inner = new SimulatedDisk({ delay: async () => hook.onDelay() });
  hook.inner.place(IMAGE, bytes);
  await prepare(hook.inner);
  let count = 0;
  hook.onDelay = () => {
    count += 1;
    if (count === step) hook.inner.crash(prng);
  };
  await install(hook.inner.session(), format).catch(() => undefined);
  hook.onDelay = () => {};
  return hook;
}

test("install: a store that is not complete, or that the log does not know → removed at the start", async () => {
  const disk = new SimulatedDisk();
  disk.place(IMAGE, await image());
  await prepare(disk);
  const openBackend = (directory: string) => openDiskBackend(disk, directory);
  const options = { disk, timers: systemTimers, imagePath: IMAGE, openBackend };
  await importStore({ ...options, directory: PATHS.incoming });
  assert.equal(await start(disk), "unchanged");
  assert.equal(await disk.exists(PATHS.incoming), false);
  await disk.makeDirectory(PATHS.incoming);
  const half = await openBackend(PATHS.incoming);
  fill(half, 3, { index: 0, term: 0 });
  await half.close();
  assert.equal(await start(disk), "unchanged");
  assert.equal(await disk.exists(PATHS.incoming), false);
});
