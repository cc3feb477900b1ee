/** Logs changed under a reader: the entries as written, or WalCorrupt; nothing else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { SimulatedDisk } from "../testing/index.ts";
import type { Entry } from "../wire/index.ts";
import { RecordBuffer } from "./encoder.ts";
import { WalCorrupt } from "./errors.ts";
import { DIRECTORY, entries, entry, METADATA, newLog, state } from "./fixture.test.ts";
import { RangeReader } from "./range-reader.ts";
import { marshalMetadata, marshalSnapshot, RecordType } from "./record.ts";
import { segmentName } from "./segment.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2000);
const LAST = 240;

async function outcome(read: Promise<Entry[]>): Promise<Entry[] | "refused"> {
  try {
    return await read;
  } catch (error) {
    assert.ok(error instanceof WalCorrupt, String(error));
    return "refused";
  }
}

test("range read: any bit flipped on the medium → the entries, or a refusal (WL-04)", async () => {
  const prng = new Prng(5);
  const { disk, wal } = await newLog({ segmentBytes: 4000, zeroAheadBytes: 0 });
  for (let lo = 1; lo <= LAST; lo += 12) await wal.append(entries(lo, lo + 12), state(lo));
  const { segments } = wal;
  let refused = 0;
  for (let run = 0; run < RUNS; run += 1) {
    const path = prng.pick(segments).path;
    const at = prng.below((await disk.readFile(path)).length);
    const bit = prng.below(8);
    disk.flip(path, at, bit);
    const reader = new RangeReader(disk, wal);
    for (let read = 0; read < 3; read += 1) {
      const lo = 1 + prng.below(LAST);
      const hi = lo + 1 + prng.below(LAST + 1 - lo);
      const got = await outcome(reader.read(lo, hi, prng.below(3000), () => 1));
      if (got === "refused") refused += 1;
      else assert.deepEqual(got, entries(lo, lo + got.length), `run ${run}`);
    }
    disk.flip(path, at, bit);
  }
  assert.ok(refused > RUNS / 10, `${refused} refusals`);
});

test("range read: records of any content under right checksums → entries asked for, or a refusal", async () => {
  const prng = new Prng(6);
  const seen = { found: 0, refused: 0 };
  for (let run = 0; run < RUNS; run += 1) {
    const records = new RecordBuffer();
    records.addCrc(0);
    let crc = records.addRecord(RecordType.METADATA, 0, marshalMetadata(METADATA));
    let next = 1;
    for (let count = prng.below(12); count > 0; count -= 1) {
      if (prng.chance(0.9)) {
        const index = prng.chance(0.9) ? next : prng.below(8);
        crc = records.addEntry(crc, entry(index, "x", 1 + prng.below(3)));
        next = index + 1;
      } else if (prng.chance(0.5)) {
        const snapshot = { index: prng.below(8), term: prng.below(4) };
        crc = records.addRecord(RecordType.SNAPSHOT, crc, marshalSnapshot(snapshot));
      } else {
        crc = records.addRecord(1 + prng.below(3), crc, prng.bytes(prng.below(12)));
      }
    }
    const path = `${DIRECTORY}/${segmentName(0, 0)}`;
    const disk = new SimulatedDisk();
    await disk.makeDirectory("/member");
    await disk.makeDirectory(DIRECTORY);
    disk.place(path, Buffer.from(records.written));
    const log = {
      segments: [{ path, sequence: 0, firstIndex: 0 }],
      durableOffset: records.length,
    };
    const reader = new RangeReader(disk, log);
    const term = 1 + prng.below(3);
    const lo = 1 + prng.below(4);
    const got = await outcome(reader.read(lo, lo + 3, 1e9, () => term));
    if (got === "refused") {
      seen.refused += 1;
      continue;
    }
    seen.found += 1;
    assert.ok(got.length > 0);
    got.forEach((found, at) => assert.deepEqual([found.index, found.term], [lo + at, term]));
  }
  assert.ok(Math.min(seen.found, seen.refused) > RUNS / 50, JSON.stringify(seen));
});
