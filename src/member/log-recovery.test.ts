/** What a start finds of the log: whole, torn, replaced in parts, or begun anew by a snapshot. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import type { LogFields, Logger } from "../seam/index.ts";
import { SimulatedDisk } from "../testing/index.ts";
import {
  createWal,
  type LogPoint,
  RangeReader,
  readSnapshots,
  walExists,
  type Wal,
} from "../wal/index.ts";
import { emptyConfState, type Entry, type HardState } from "../wire/index.ts";
import { type RaftLogFound, readRaftLog } from "./log-recovery.ts";

const DIRECTORY = "/wal";
const METADATA = { nodeId: 7n, clusterId: 9n };
const EMPTY: LogPoint = { index: 0, term: 0 };
const walOptions = {
  clock: { wallMs: () => 0, monotonicMs: () => 0 },
  segmentBytes: 3000,
  zeroAheadBytes: 0,
};

function run(lo: number, hi: number, term = 1): Entry[] {
  return Array.from({ length: hi - lo }, (_, at) => {
    const index = lo + at;
    return { type: 0, term, index, data: Buffer.from(`entry ${index} of term ${term}`) };
  });
}

function state(commit: number, term = 1): HardState {
  return { term, vote: 7n, commit };
}

async function newLog(disk = new SimulatedDisk()): Promise<{ disk: SimulatedDisk; wal: Wal }> {
  return { disk, wal: await createWal(disk, DIRECTORY, METADATA, walOptions) };
}

interface Found extends RaftLogFound {
  readonly warnings: { text: string; fields: LogFields | undefined }[];
}

async function recover(
  disk: SimulatedDisk,
  applied: LogPoint,
  catchUpEntries = 5000,
): Promise<Found> {
  const warnings: Found["warnings"] = [];
  const warn = (text: string, fields?: LogFields): void => void warnings.push({ text, fields });
  const quiet = (): void => undefined;
  const logger: Logger = {
    debug: quiet,
    info: quiet,
    warn,
    error: quiet,
    isEnabled: () => true,
    child: () => logger,
  };
  const session = disk.session();
  const found = await readRaftLog({
    disk: session,
    walDirectory: DIRECTORY,
    applied,
    catchUpEntries,
    logger,
  });
  return { ...found, warnings };
}

test("log found: entries beyond the store, committed and not → all of them (WL-08, WL-11)", async () => {
  const { disk, wal } = await newLog();
  await wal.append(run(1, 21), state(12));
  await wal.close();
  const found = await recover(disk, { index: 15, term: 1 });
  assert.deepEqual(found.metadata, METADATA);
  assert.deepEqual(found.entries, run(16, 21));
  assert.deepEqual(found.hardState, state(15), "what is applied was committed (WL-11)");
  assert.deepEqual([found.terms.baseIndex, found.terms.lastIndex], [0, 20]);
  assert.equal(found.snapshot, undefined);
  const behind = await recover(disk, { index: 4, term: 1 });
  assert.deepEqual(behind.hardState, state(12));
  assert.deepEqual(behind.entries, run(5, 21));
});

test("log found: an end that a later leader replaced → the newest of each index (WL-08)", async () => {
  const { disk, wal } = await newLog();
  await wal.append(run(1, 60), state(10));
  await wal.append(run(21, 31, 2), state(15, 2));
  await wal.append(run(26, 90, 4), state(20, 4));
  await wal.close();
  const found = await recover(disk, { index: 15, term: 1 });
  assert.deepEqual(found.entries, [...run(16, 21), ...run(21, 26, 2), ...run(26, 90, 4)]);
  const terms = [1, 20, 21, 25, 26, 89, 90].map((index) => found.terms.term(index));
  assert.deepEqual(terms, [1, 1, 2, 2, 4, 4, undefined]);
});

test("log found: how far back it can be read → as many entries as are kept (RA-05)", async () => {
  const { disk, wal } = await newLog();
  for (let lo = 1; lo < 500; lo += 10) await wal.append(run(lo, lo + 10), state(lo));
  const { segments } = wal;
  await wal.close();
  const applied = { index: 480, term: 1 };
  const all = await recover(disk, applied, 5000);
  assert.equal(all.terms.baseIndex, 0);
  const some = await recover(disk, applied, 200);
  const first = some.terms.baseIndex + 1;
  assert.ok(first <= 281 && first > 150, `first index ${first}`);
  assert.deepEqual(some.entries, run(481, 501));
  const ranges = new RangeReader(disk.session(), await some.resume(walOptions));
  const termOf = (index: number): number | undefined => some.terms.term(index);
  assert.deepEqual(await ranges.read(first, 501, 1e9, termOf), run(first, 501));
  assert.ok(segments.length > 4);
});

test("log found: its beginning was purged → readable from the next entry on (WL-10)", async () => {
  const { disk, wal } = await newLog();
  for (let lo = 1; lo < 500; lo += 10) await wal.append(run(lo, lo + 10), state(lo));
  const confState = { ...emptyConfState(), voters: [7n] };
  await wal.saveSnapshot({ index: 450, term: 1, confState });
  wal.release(440);
  await wal.purge(1);
  const firstIndex = wal.segments[0]?.firstIndex ?? 0;
  assert.ok(firstIndex > 300);
  await wal.close();
  const found = await recover(disk, { index: 460, term: 1 });
  // Of the first entry only the term counts: it is what the second one follows.
  assert.equal(found.terms.baseIndex, firstIndex);
  assert.deepEqual(found.entries, run(461, 501));
  assert.deepEqual(found.snapshot, { index: 450, term: 1, confState });
  const early = await recover(disk, { index: 455, term: 1 }, 0);
  assert.deepEqual(early.entries, run(456, 501));
  // The store stands just before what is left.
  const exact = await recover(disk, { index: firstIndex - 1, term: 1 });
  assert.deepEqual([exact.terms.baseIndex, exact.entries[0]?.index], [firstIndex - 1, firstIndex]);
});

test("log found: a torn end → told, cut, and written on (WL-06)", async () => {
  const { disk, wal } = await newLog();
  await wal.append(run(1, 9), state(3));
  const path = wal.segments[0]?.path ?? "";
  const end = wal.durableOffset;
  await wal.close();
  const file = await disk.open(path, "write");
  await file.truncate(end - 10);
  await file.sync();
  const found = await recover(disk, { index: 2, term: 1 });
  assert.deepEqual(found.entries, run(3, 9));
  assert.match(found.warnings[0]?.text ?? "", /cut the torn end of the log/);
  const again = await found.resume(walOptions);
  await again.append(run(9, 12), state(8));
  await again.close();
  const after = await recover(disk, { index: 2, term: 1 });
  assert.deepEqual([after.entries, after.warnings], [run(3, 12), []]);
});

test("log found: store and log of different moments → refused by name (DB-02)", async () => {
  const { disk, wal } = await newLog();
  for (let lo = 1; lo < 500; lo += 10) await wal.append(run(lo, lo + 10), state(lo));
  await wal.saveSnapshot({ index: 450, term: 1 });
  wal.release(450);
  await wal.purge(1);
  await wal.close();
  const refused = (text: RegExp): object => ({ name: "DataDirectoryError", message: text });
  await assert.rejects(recover(disk, EMPTY), refused(/the store is missing or empty/));
  await assert.rejects(recover(disk, { index: 9, term: 1 }), refused(/stands at index 9/));
  await assert.rejects(recover(disk, { index: 501, term: 1 }), refused(/ends at index 500/));
  await assert.rejects(recover(disk, { index: 470, term: 3 }), /term 1 .*wanted term 3/);
});

test("log begun anew: beyond its end, or in place of an end that was not the leader's (WL-08)", async () => {
  for (const index of [80, 40, 25]) {
    const { disk, wal } = await newLog();
    await wal.append(run(1, 51), state(20));
    await wal.installSnapshot({ index, term: 3 }, state(index, 3));
    const bare = wal.lastIndex;
    assert.equal(bare, index);
    await wal.close();
    const empty = await recover(disk, { index, term: 3 });
    assert.deepEqual([empty.entries, empty.hardState], [[], state(index, 3)]);
    assert.deepEqual([empty.terms.baseIndex, empty.terms.lastIndex], [index, index]);
    const again = await empty.resume(walOptions);
    await again.append(run(index + 1, index + 10, 3), state(index + 1, 3));
    await again.close();
    const found = await recover(disk, { index: index + 2, term: 3 });
    assert.deepEqual(found.entries, run(index + 3, index + 10, 3));
    assert.deepEqual([found.terms.baseIndex, found.terms.term(index)], [index, 3]);
  }
});

test("log begun anew: the store has not got the snapshot yet → refused, the record is found", async () => {
  const { disk, wal } = await newLog();
  await wal.append(run(1, 51), state(20));
  await wal.installSnapshot({ index: 80, term: 3 }, state(80, 3));
  await wal.close();
  await assert.rejects(
    recover(disk, { index: 20, term: 1 }),
    /a snapshot at index 80.*wanted entry/,
  );
  const records = await readSnapshots(disk.session(), DIRECTORY);
  assert.deepEqual(
    records.map(({ index }) => index),
    [0, 80],
  );
});

/**
 * A snapshot received by a member with a log of its own, the machine stopping at each call of the
 * disk: (1) its image is durable, (2) the log says so, (3) the store is exchanged. A start finishes
 * the exchange if the log knows of the image, and forgets the image if not.
 */
class Installation {
  readonly disk: SimulatedDisk;
  store: LogPoint = { index: 20, term: 1 };
  image: LogPoint | undefined;
  acknowledged = 50;
  #calls = 0;
  #stop: (() => void) | undefined;
  stopAt = Number.MAX_SAFE_INTEGER;
  isDone = false;

  constructor() {
    this.disk = new SimulatedDisk({
      delay: async () => {
        this.#calls += 1;
        if (this.#calls === this.stopAt) this.#stop?.();
        await Promise.resolve();
      },
    });
  }

  async begin(): Promise<Wal> {
    const { wal } = await newLog(this.disk);
    await wal.append(run(1, 51), state(20));
    return wal;
  }

  async run(wal: Wal, stopAt: number, prng: Prng): Promise<void> {
    this.stopAt = this.#calls + stopAt;
    const stopped = new Promise<void>((resolve) => {
      this.#stop = () => {
        this.disk.crash(prng);
        resolve();
      };
    });
    const work = this.#install(wal).catch((error: unknown) => {
      const { name } = error as Error;
      if (name !== "WalFailed" && name !== "DiskCrashed") throw error;
    });
    await Promise.race([stopped, work]);
    this.#stop = undefined;
    this.disk.crash(prng);
  }

  async #install(wal: Wal): Promise<void> {
    const point = { index: 90, term: 3 };
    this.image = point;
    await wal.installSnapshot({ ...point, confState: emptyConfState() }, state(90, 3));
    this.store = point;
    this.acknowledged = 90;
    await wal.append(run(91, 140, 3), state(91, 3));
    this.acknowledged = 139;
    this.isDone = true;
  }

  async start(): Promise<RaftLogFound> {
    const { image } = this;
    if (image !== undefined && image.index > this.store.index) {
      const records = await readSnapshots(this.disk.session(), DIRECTORY);
      if (records.some(({ index, term }) => index === image.index && term === image.term)) {
        this.store = image;
      }
    }
    return recover(this.disk, this.store);
  }
}

test("log begun anew: a crash at each step → the old log or the new one, whole (WL-06, WL-09)", async () => {
  const seen = new Set<string>();
  let isDone = false;
  for (let stopAt = 1; !isDone; stopAt += 1) {
    for (let seed = 1; seed <= 4; seed += 1) {
      const world = new Installation();
      const wal = await world.begin();
      await world.run(wal, stopAt, new Prng(seed * 1000 + stopAt));
      assert.ok(await walExists(world.disk.session(), DIRECTORY));
      const found = await world.start();
      const last = found.terms.lastIndex;
      assert.ok(last >= world.acknowledged, `${last} of ${world.acknowledged}, step ${stopAt}`);
      if (world.store.index === 20) {
        assert.deepEqual(found.entries, run(21, 51));
        seen.add("old");
      } else {
        assert.deepEqual(found.entries, run(91, last + 1, 3));
        assert.equal(found.terms.baseIndex, 90);
        seen.add(last === 90 ? "snapshot" : "new");
      }
      // And it goes on from there, whatever the crash left.
      const again = await found.resume(walOptions);
      await again.append(run(last + 1, last + 4, 5), state(last, 5));
      await again.close();
      const after = await world.start();
      assert.equal(after.terms.lastIndex, last + 3);
      isDone = world.isDone;
    }
  }
  assert.deepEqual([...seen].sort(), ["new", "old", "snapshot"]);
});
