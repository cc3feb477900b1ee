import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { RecordBuffer } from "./encoder.ts";
import { entry } from "./fixture.test.ts";
import { Frame, parseFrame } from "./frame.ts";
import { marshalHardState, marshalSnapshot, RecordType } from "./record.ts";

function sample(): Buffer {
  const records = new RecordBuffer();
  records.addEntry(0x1234_5678, entry(5, "some data"));
  return Buffer.from(records.written);
}

function step(bytes: Buffer, hi = bytes.length): string {
  const frame = new Frame();
  const found = parseFrame(bytes, 0, hi, frame);
  return found === "bad" ? `${frame.faultAt}: ${frame.found}, not ${frame.wanted}` : found;
}

function changed(at: number, value: number): Buffer {
  const bytes = sample();
  bytes[at] = value;
  return bytes;
}

test("frame: known in part → short, until the last byte is there (WL-02)", () => {
  const bytes = sample();
  for (let hi = 0; hi < bytes.length; hi += 1) assert.equal(step(bytes, hi), "short");
  assert.equal(step(bytes), "record");
});

test("frame: zeros → nothing written here (WL-06)", () => {
  assert.equal(step(Buffer.alloc(64)), "zero");
});

test("frame: bytes that no crc covers are changed → the fault is told with its place", () => {
  const bytes = sample();
  assert.equal(bytes.toString("hex", 0, 20), "1b00000000000085080210e7c9f0f40b1a110800");
  assert.match(step(changed(7, 0x84)), /^0: length word 1b00000000000084, not a top byte of 85/);
  assert.match(step(changed(0, 0x1a)), /^0: length word .* not a top byte of 86/);
  assert.match(step(changed(3, 1)), /^17: data of 17 bytes, not 16777233 bytes/);
  assert.match(step(changed(8, 0x0a)), /^8: record type 0a02/);
  assert.match(step(changed(9, 6)), /^8: record type 0806/);
  assert.match(step(changed(10, 0x11)), /^10: field 11/);
  assert.match(step(changed(15, 0x8b)), /^11: crc e7c9f0f48b1a, not a 32-bit varint/);
  assert.match(step(changed(15, 0x1f)), /^11: crc e7c9f0f41f, not a 32-bit varint/);
  assert.match(step(changed(16, 0x1b)), /^16: field 1b/);
  assert.match(step(changed(17, 0x10)), /^17: data of 16 bytes, not 17 bytes/);
  assert.match(step(changed(35, 0x01)), /^35: padding 01, not 00/);
});

test("frame: a crc record takes no data, every other needs some", () => {
  const records = new RecordBuffer();
  records.addCrc(77);
  const crc = Buffer.from(records.written);
  assert.equal(step(crc), "record");
  crc[9] = RecordType.STATE;
  assert.match(step(crc), /no data, not field 1a/);
  assert.match(step(changed(9, RecordType.CRC)), /a crc record of 27 bytes, not 8 bytes/);
});

test("frame: random and mutated bytes → a verdict inside the bytes, never an exception", () => {
  const runs = Number(process.env["FUZZ_RUNS"] ?? 2000);
  const prng = new Prng(0xf4a3e);
  const records = new RecordBuffer();
  records.addEntry(1, entry(1, prng.bytes(40)));
  records.addRecord(RecordType.STATE, 2, marshalHardState({ term: 1, vote: 2n, commit: 3 }));
  records.addRecord(RecordType.SNAPSHOT, 3, marshalSnapshot({ index: 9, term: 1 }));
  records.addCrc(4);
  const good = Buffer.from(records.written);
  const frame = new Frame();
  for (let run = 0; run < runs; run += 1) {
    const bytes = prng.chance(0.2) ? prng.bytes(prng.below(64)) : Buffer.from(good);
    for (let change = prng.below(4); change > 0 && bytes.length > 0; change -= 1) {
      bytes[prng.below(bytes.length)] = prng.below(256);
    }
    const hi = prng.below(bytes.length + 1);
    const found = parseFrame(bytes, 0, hi, frame);
    if (found === "record") {
      assert.ok(frame.end <= hi && frame.dataLo <= frame.dataHi && frame.dataHi <= frame.end);
    } else if (found === "short") {
      assert.ok(frame.end > hi);
    } else if (found === "bad") {
      assert.ok(frame.faultAt < frame.faultHi && frame.faultHi <= Math.max(hi, frame.end));
    }
  }
});
