import assert from "node:assert/strict";
import { test } from "node:test";
import { DamagedTable, MemoryBackend } from "../backend/index.ts";
import { Journal } from "../care/index.ts";
import { openDataDirectory } from "../datadir/index.ts";
import type { Logger } from "../seam/index.ts";
import { ManualTime, SimulatedDisk } from "../testing/index.ts";
import { createWal, type Wal } from "../wal/index.ts";
import { emptyConfState, EntryType } from "../wire/index.ts";
import type { LocalStore } from "./local-store.ts";
import { openStore } from "./open-store.ts";

const VOTERS = { ...emptyConfState(), voters: [1n, 2n, 3n] };
const DAMAGE = new DamagedTable("key", "rotten");

/** A member whose store cannot be opened; `write` fills its log. */
async function setUp(write: (wal: Wal) => Promise<void>) {
  const disk = new SimulatedDisk();
  const clock = new ManualTime();
  const paths = await openDataDirectory(disk, "/data");
  const options = { clock, zeroAheadBytes: 0, segmentBytes: 8192 };
  const wal = await createWal(disk, paths.wal, { nodeId: 1n, clusterId: 2n }, options);
  for (let index = 1; index <= 5; index += 1) {
    const entry = { type: EntryType.NORMAL, term: 1, index, data: Buffer.from("x") };
    await wal.append([entry], { term: 1, vote: 1n, commit: index });
  }
  await write(wal);
  await wal.close();
  const nothing = (): void => undefined;
  const logger = { info: nothing, warn: nothing, error: nothing } as unknown as Logger;
  const journal = await Journal.open({ disk, path: paths.journal, clock, logger });
  let opened = 0;
  const open = () =>
    openStore({
      disk,
      paths,
      journal,
      openBackend: () => {
        opened += 1;
        return opened === 1 ? Promise.reject(DAMAGE) : Promise.resolve(new MemoryBackend());
      },
      openStore: (backend) => Promise.resolve({ backend } as unknown as LocalStore),
    });
  return { open, journal, disk };
}

test("open store: it is damaged, and the log has every entry → begun anew from the log", async () => {
  const { open, journal, disk } = await setUp(async () => {});
  const { loss } = await open();
  assert.equal(loss?.cause, DAMAGE);
  assert.equal(loss?.base, undefined);
  await journal.close();
  assert.equal(journal.rows[0]?.kind, "damage");
  assert.ok((await disk.list("/data/member")).includes("store.damaged-1"));
});

// A follower had taken a snapshot in the place of the end of its log, and nothing came after it:
// all entries that there were followed each other, and the state was rebuilt from those alone.
test("open store: it is damaged, and the log ends with a snapshot that was installed → the others are asked", async () => {
  const { open } = await setUp(async (wal) => {
    await wal.installSnapshot({ index: 9, term: 1, confState: VOTERS });
  });
  assert.equal((await open()).loss?.base?.index, 9);
});

// The store that was begun anew waits for another member's; a second start took the log's beginning
// for what the empty store is to go on from, and the log for damaged.
test("open store: begun anew and started again before another's state came → the others are asked again, nothing more is moved", async () => {
  const { open, disk } = await setUp(async (wal) => {
    await wal.installSnapshot({ index: 9, term: 1, confState: VOTERS });
  });
  await open();
  assert.equal((await open()).loss?.base?.index, 9);
  assert.ok(!(await disk.list("/data/member")).includes("store.damaged-2"));
});

test("open store: it is damaged, and a member alone has not all of its log → the damage is told, nothing is moved", async () => {
  const { open, disk } = await setUp(async (wal) => {
    const confState = { ...emptyConfState(), voters: [1n] };
    await wal.installSnapshot({ index: 9, term: 1, confState });
  });
  await assert.rejects(open(), DAMAGE);
  assert.ok(!(await disk.list("/data/member")).includes("store.damaged-1"));
});
