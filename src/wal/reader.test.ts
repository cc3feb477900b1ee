import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedDisk } from "../testing/index.ts";
import type { Entry, HardState } from "../wire/index.ts";
import { RecordBuffer } from "./encoder.ts";
import {
  clock,
  DIRECTORY,
  entries,
  entry,
  METADATA,
  newLog,
  readAll,
  state,
} from "./fixture.test.ts";
import { resumeWal } from "./open.ts";
import { readWal } from "./reader.ts";
import {
  marshalHardState,
  marshalMetadata,
  marshalSnapshot,
  RecordType,
  type WalMetadata,
  type WalSnapshot,
} from "./record.ts";
import { segmentName } from "./segment.ts";

type Item =
  | { metadata: WalMetadata }
  | { entry: Entry }
  | { state: HardState }
  | { snapshot: WalSnapshot };

/** A log with just these records, in one segment. */
async function logOf(items: readonly Item[], firstIndex = 0): Promise<SimulatedDisk> {
  const records = new RecordBuffer();
  records.addCrc(0);
  let crc = 0;
  for (const item of items) {
    if ("entry" in item) crc = records.addEntry(crc, item.entry);
    else if ("state" in item) {
      crc = records.addRecord(RecordType.STATE, crc, marshalHardState(item.state));
    } else if ("metadata" in item) {
      crc = records.addRecord(RecordType.METADATA, crc, marshalMetadata(item.metadata));
    } else {
      crc = records.addRecord(RecordType.SNAPSHOT, crc, marshalSnapshot(item.snapshot));
    }
  }
  const disk = new SimulatedDisk();
  await disk.makeDirectory(DIRECTORY);
  disk.place(`${DIRECTORY}/${segmentName(0, firstIndex)}`, records.written);
  return disk;
}

const HEAD: Item[] = [{ metadata: METADATA }, { snapshot: { index: 0, term: 0 } }];

function items(list: readonly Entry[]): Item[] {
  return list.map((one) => ({ entry: one }));
}

test("read: entries that a later leader replaced are never handed out (WL-08)", async () => {
  const disk = await logOf([
    ...HEAD,
    ...items(entries(1, 10)),
    { state: state(4) },
    ...items(entries(6, 9, 2)),
    { state: state(5, 2) },
    ...items(entries(8, 12, 3)),
    { state: state(7, 3) },
  ]);
  const { reader, entries: found } = await readAll(disk);
  assert.deepEqual(found, [...entries(1, 6), ...entries(6, 8, 2), ...entries(8, 12, 3)]);
  assert.equal(reader.lastIndex, 11);
  assert.equal(reader.lastTerm, 3);
});

test("read: from the store's point → only what follows, with the point's term checked", async () => {
  const disk = await logOf([...HEAD, ...items(entries(1, 10, 2)), { state: state(9, 2) }]);
  const { reader, entries: found } = await readAll(disk, { index: 7, term: 2 });
  assert.deepEqual(found, entries(8, 10, 2));
  assert.equal(reader.lastIndex, 9);
  await assert.rejects(readAll(disk, { index: 7, term: 1 }), {
    name: "WalCorrupt",
    found: "term 2 for the entry at index 7",
    wanted: "term 1, which the store has applied",
  });
});

test("read: the store is ahead of the log → lastIndex tells, nothing is appended (DB-02)", async () => {
  const disk = await logOf([...HEAD, ...items(entries(1, 10)), { state: state(9) }]);
  const { reader, entries: found } = await readAll(disk, { index: 20, term: 1 });
  assert.deepEqual(found, []);
  assert.equal(reader.lastIndex, 9);
  await assert.rejects(resumeWal(reader, { clock }), /behind its store/);
  const exact = await readAll(disk, { index: 9, term: 1 });
  assert.equal(exact.reader.lastIndex, 9);
});

test("read: a gap, a term that goes back, a committed entry again → refused by offset", async () => {
  const cases: { name: string; items: Item[]; found: RegExp }[] = [
    { name: "gap", items: items([entry(1), entry(3)]), found: /^entry 3$/ },
    { name: "gap at the start", items: items([entry(2)]), found: /^entry 2$/ },
    {
      name: "term",
      items: items([entry(1, "", 3), entry(2, "", 2)]),
      found: /^term 2 at index 2$/,
    },
    {
      name: "state",
      items: [{ state: state(1, 3) }, { state: state(1, 2) }],
      found: /^a state of term 2$/,
    },
    {
      name: "metadata",
      items: [{ metadata: { ...METADATA, nodeId: 7n } }],
      found: /^member 7 of cluster/,
    },
    {
      name: "snapshot from elsewhere",
      items: [...items([entry(1)]), { snapshot: { index: 5, term: 1 } }],
      found: /^a snapshot at index 5$/,
    },
  ];
  for (const one of cases) {
    const disk = await logOf([...HEAD, ...one.items]);
    await assert.rejects(
      readAll(disk),
      (error: Error & { found: string; offset: number; path: string }) => {
        assert.equal(error.name, "WalCorrupt", one.name);
        assert.match(error.found, one.found, one.name);
        assert.ok(error.offset > 0);
        return error.path.endsWith(".wal");
      },
    );
  }
});

test("read: entries that were handed out as committed come again → refused", async () => {
  // Large enough that the first window ends, and what is committed is handed out, before the end.
  const large = Array.from({ length: 8 }, (_, at) => entry(at + 1, Buffer.alloc(400_000)));
  const disk = await logOf([
    ...HEAD,
    ...items(large.slice(0, 2)),
    { state: state(2) },
    ...items(large.slice(2)),
    ...items([entry(2, "again", 2)]),
  ]);
  await assert.rejects(readAll(disk), { found: "entry 2 again" });
});

test("read: a log that goes on after a snapshot from a leader → starts there", async () => {
  const disk = await logOf([
    ...HEAD,
    ...items(entries(1, 4)),
    { state: state(3) },
    { snapshot: { index: 100, term: 5 } },
    ...items(entries(101, 104, 5)),
    { state: state(102, 5) },
  ]);
  const { reader, entries: found } = await readAll(disk, { index: 100, term: 5 });
  assert.deepEqual(found, entries(101, 104, 5));
  assert.equal(reader.lastIndex, 103);
});

test("read: a directory without segments, or a log that begins too late → refused", async () => {
  const disk = new SimulatedDisk();
  await disk.makeDirectory(DIRECTORY);
  await assert.rejects(readWal(disk, DIRECTORY, { index: 0, term: 0 }), { found: "no segment" });
  const late = await logOf([{ metadata: METADATA }, ...items(entries(50, 60))], 50);
  await assert.rejects(readAll(late, { index: 48, term: 1 }), {
    found: "a log that begins at index 50",
    wanted: "one that holds index 49, where the store goes on",
  });
  const { entries: found } = await readAll(late, { index: 49, term: 1 });
  assert.equal(found.length, 10);
});

test("read: large logs come in bounded batches, each index once", async () => {
  const { disk, wal } = await newLog({ segmentBytes: 4_000_000 });
  const data = Buffer.alloc(200, 5);
  for (let index = 1; index < 40_000; index += 400) {
    const batch = Array.from({ length: 400 }, (_, at) => entry(index + at, data));
    await wal.append(batch, state(index - 1));
  }
  await wal.close();
  const reader = await readWal(disk, DIRECTORY, { index: 0, term: 0 });
  let next = 1;
  for await (const batch of reader.batches()) {
    assert.ok(batch.length <= 4096);
    for (const one of batch) {
      assert.equal(one.index, next);
      next += 1;
    }
  }
  assert.equal(next, 40_001);
});
