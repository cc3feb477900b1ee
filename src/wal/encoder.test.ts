import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { RecordBuffer } from "./encoder.ts";
import { entry } from "./fixture.test.ts";
import { Frame, parseFrame } from "./frame.ts";
import { marshalMetadata, marshalSnapshot, readEntry, RecordType } from "./record.ts";

test("record: the head of a log has the bytes of etcd's (WL-02, WL-03, WL-04, WL-05)", () => {
  const records = new RecordBuffer();
  records.addCrc(0);
  const metadata = { nodeId: 3319814642761637952n, clusterId: 324952591200643719n };
  let crc = records.addRecord(RecordType.METADATA, 0, marshalMetadata(metadata));
  crc = records.addRecord(RecordType.SNAPSHOT, crc, marshalSnapshot({ index: 0, term: 0 }));
  // The first bytes of a segment that etcd 3.4.23 wrote for these two ids.
  const etcds =
    "04000000000000840804100000000000" +
    "1d00000000000083080110" +
    "8d9cf9161a1408c0c0caafc1ba9689" +
    "2e1087d5edba8fd59dc104000000" +
    "0e00000000000082080510878cc58d0d1a04080010000000";
  assert.equal(records.written.toString("hex"), etcds);
  assert.equal(crc, 0xd1b1_4607);
});

test("record: an entry of any size, with any crc → is read back, 8-aligned (WL-02)", () => {
  const prng = new Prng(11);
  const records = new RecordBuffer();
  const frame = new Frame();
  let crc = 0;
  let shortCrcs = 0;
  const sizes = [0, 1, 95, 96, 97, 110, 127, 128, 129, 16_383, 16_384, 70_000, 300_000];
  for (let round = 0; round < 400; round += 1) {
    const size = sizes[round] ?? prng.below(200);
    const before = records.length;
    const wanted = entry(2 ** 40 + round, prng.bytes(size), 7);
    const after = records.addEntry(crc, wanted);
    const bytes = records.written;
    assert.equal(records.length % 8, 0);
    assert.equal(parseFrame(bytes, before, bytes.length, frame), "record");
    assert.equal(frame.end, records.length);
    assert.equal(frame.crc, after);
    assert.deepEqual(readEntry(bytes, frame.dataLo, frame.dataHi), wanted);
    if (after < 2 ** 28) shortCrcs += 1;
    crc = after;
  }
  assert.ok(shortCrcs > 5, "the data was moved for a short crc in some of the rounds");
});

test("record buffer: cleared → the next record stands alone", () => {
  const records = new RecordBuffer();
  records.addEntry(0, entry(1, Buffer.alloc(3_000_000)));
  records.clear();
  assert.equal(records.length, 0);
  records.addCrc(5);
  assert.equal(records.written.toString("hex"), "04000000000000840804100500000000");
});
