/** Whatever stands in the files of a log: a verdict, in bounded time and memory, never a crash. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32c, Prng } from "../base/index.ts";
import { SimulatedDisk } from "../testing/index.ts";
import { RecordBuffer } from "./encoder.ts";
import { WalCorrupt } from "./errors.ts";
import { DIRECTORY, entry, METADATA, readAll } from "./fixture.test.ts";
import {
  marshalHardState,
  marshalMetadata,
  marshalSnapshot,
  readEntry,
  readHardState,
  readMetadata,
  readSnapshot,
  RecordType,
} from "./record.ts";
import { segmentName } from "./segment.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2000);

function log(prng: Prng): { bytes: Buffer; starts: number[] } {
  const records = new RecordBuffer();
  const starts: number[] = [0];
  records.addCrc(0);
  let crc = 0;
  const add = (type: number, data: Buffer): void => {
    starts.push(records.length);
    crc = records.addRecord(type, crc, data);
  };
  add(RecordType.METADATA, marshalMetadata(METADATA));
  add(RecordType.SNAPSHOT, marshalSnapshot({ index: 0, term: 0 }));
  for (let index = 1; index < 12; index += 1) {
    starts.push(records.length);
    crc = records.addEntry(crc, entry(index, prng.bytes(prng.below(300))));
    add(RecordType.STATE, marshalHardState({ term: 1, vote: 9n, commit: index - 1 }));
  }
  return { bytes: Buffer.from(records.written), starts };
}

/** A change that keeps the crc chain right, so that the record's content is what is judged. */
function forged(prng: Prng): Buffer {
  const records = new RecordBuffer();
  let crc = prng.chance(0.9) ? 0 : prng.uint32();
  records.addCrc(crc);
  if (prng.chance(0.9)) {
    crc = records.addRecord(RecordType.METADATA, crc, marshalMetadata(METADATA));
  }
  for (let count = prng.below(8); count > 0; count -= 1) {
    const type = 1 + prng.below(5);
    if (type === RecordType.CRC) records.addCrc(prng.chance(0.8) ? crc : prng.uint32());
    else if (type === RecordType.ENTRY && prng.chance(0.7)) {
      const made = entry(prng.below(6), prng.bytes(prng.below(20)), prng.below(4));
      crc = records.addEntry(crc, made);
    } else crc = records.addRecord(type, crc, prng.bytes(prng.below(24)));
  }
  return Buffer.from(records.written);
}

function mutated(prng: Prng, sample: { bytes: Buffer; starts: number[] }): Buffer {
  const bytes = Buffer.concat([sample.bytes, Buffer.alloc(prng.below(2) * 1024)]);
  for (let change = 1 + prng.below(3); change > 0; change -= 1) {
    const at = prng.below(sample.bytes.length);
    switch (prng.below(5)) {
      case 0:
        bytes[at] = prng.below(256);
        break;
      case 1:
        bytes.writeUInt32LE(prng.uint32(), Math.min(prng.pick(sample.starts), bytes.length - 4));
        break;
      case 2:
        bytes.fill(0, at, Math.min(at + prng.below(600), bytes.length));
        break;
      case 3:
        bytes.copyWithin(at, prng.below(bytes.length), prng.below(bytes.length));
        break;
      default:
        return bytes.subarray(0, at);
    }
  }
  return bytes;
}

test("log reader: mutated and forged segments → entries in order or WalCorrupt (WL-04, WL-06)", async () => {
  const prng = new Prng(0x10c);
  const sample = log(prng);
  let refused = 0;
  for (let run = 0; run < RUNS; run += 1) {
    const bytes = prng.chance(0.4) ? forged(prng) : mutated(prng, sample);
    const disk = new SimulatedDisk();
    await disk.makeDirectory(DIRECTORY);
    disk.place(`${DIRECTORY}/${segmentName(0, 0)}`, bytes);
    if (prng.chance(0.2))
      disk.place(`${DIRECTORY}/${segmentName(1, prng.below(13))}`, forged(prng));
    const from = { index: prng.below(6), term: prng.below(2) };
    try {
      const { entries, reader } = await readAll(disk, from);
      for (const [position, one] of entries.entries()) {
        assert.equal(one.index, from.index + 1 + position);
      }
      assert.ok(reader.tail !== undefined && reader.metadata !== undefined);
      assert.ok(reader.tail.offset <= bytes.length + 1000);
    } catch (error) {
      if (!(error instanceof WalCorrupt)) throw error;
      refused += 1;
    }
  }
  assert.ok(refused > RUNS / 10 && refused < RUNS);
});

test("record decoders: random bytes → a record or undefined, never an exception", () => {
  const prng = new Prng(0xdec0de);
  const samples = [
    marshalMetadata(METADATA),
    marshalHardState({ term: 3, vote: 2n ** 63n, commit: 2 ** 50 }),
    marshalSnapshot({
      index: 5,
      term: 6,
      confState: {
        voters: [1n],
        learners: [2n],
        votersOutgoing: [],
        learnersNext: [],
        autoLeave: true,
      },
    }),
    Buffer.from("0800100118012203616263", "hex"),
  ];
  for (let run = 0; run < RUNS; run += 1) {
    const bytes = prng.chance(0.3) ? prng.bytes(prng.below(40)) : Buffer.from(prng.pick(samples));
    for (let change = prng.below(3); change > 0 && bytes.length > 0; change -= 1) {
      bytes[prng.below(bytes.length)] = prng.below(256);
    }
    const hi = prng.below(bytes.length + 1);
    for (const read of [readEntry, readHardState, readMetadata, readSnapshot]) {
      const found = read(bytes, 0, hi);
      assert.ok(found === undefined || typeof found === "object");
    }
  }
  // Keeps the checksum's contract in sight: a chained value equals the value over the whole.
  const both = Buffer.concat([samples[0] as Buffer, samples[1] as Buffer]);
  assert.equal(crc32c(crc32c(0, samples[0] as Buffer), samples[1] as Buffer), crc32c(0, both));
});
