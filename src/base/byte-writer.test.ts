import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter, sizeOfBig, sizeOfBytes, sizeOfInt, sizeOfUint } from "./byte-writer.ts";
import { Prng } from "./prng.ts";

const hex = (write: (writer: ByteWriter) => void): string => {
  const writer = new ByteWriter(1);
  write(writer);
  return writer.view().toString("hex");
};

test("writer: varints of the encoding guide → their bytes", () => {
  assert.equal(
    hex((writer) => writer.uint(0)),
    "00",
  );
  assert.equal(
    hex((writer) => writer.uint(150)),
    "9601",
  );
  assert.equal(
    hex((writer) => writer.uint(2 ** 32)),
    "8080808010",
  );
  assert.equal(
    hex((writer) => writer.int(-1)),
    "ffffffffffffffffff01",
  );
  assert.equal(
    hex((writer) => writer.int(-2)),
    "feffffffffffffffff01",
  );
  assert.equal(
    hex((writer) => writer.big(-(2n ** 63n))),
    "80808080808080808001",
  );
  assert.equal(
    hex((writer) => writer.big(2n ** 64n - 1n)),
    "ffffffffffffffffff01",
  );
});

test("writer: numbers beyond the field → the nearest that fits, never another sign", () => {
  assert.equal(
    hex((writer) => writer.int(2 ** 63)),
    "ffffffffffffffff7f",
  );
  assert.equal(
    hex((writer) => writer.int(-(2 ** 64))),
    "80808080808080808001",
  );
  assert.equal(
    hex((writer) => writer.uint(2 ** 64)),
    "ffffffffffffffffff01",
  );
  assert.equal(
    hex((writer) => writer.int(Number.POSITIVE_INFINITY)),
    "ffffffffffffffff7f",
  );
});

test("writer: each number that fits → read back, in the size foretold", () => {
  const prng = new Prng(1);
  const writer = new ByteWriter();
  for (let bits = 0; bits <= 64; bits += 1) {
    for (const offset of [-1n, 0n, 1n, BigInt(prng.uint32())]) {
      const unsigned = BigInt.asUintN(64, (1n << BigInt(bits)) + offset);
      const signed = BigInt.asIntN(64, unsigned);
      writer.reset();
      writer.big(unsigned);
      assert.equal(writer.length, sizeOfBig(unsigned));
      assert.equal(new ByteReader(writer.view()).bigUint(), unsigned);
      assert.equal(new ByteReader(writer.view()).bigInt(), signed);
      assert.equal(new ByteReader(writer.view()).uint(), Number(unsigned));
      assert.equal(new ByteReader(writer.view()).int(), Number(signed));
      if (unsigned <= BigInt(Number.MAX_SAFE_INTEGER)) {
        const before = writer.view().toString("hex");
        assert.equal(
          hex((again) => again.uint(Number(unsigned))),
          before,
        );
        assert.equal(sizeOfUint(Number(unsigned)), writer.length);
      }
      if (Number.isSafeInteger(Number(signed))) {
        const before = writer.view().toString("hex");
        assert.equal(
          hex((again) => again.int(Number(signed))),
          before,
        );
        assert.equal(sizeOfInt(Number(signed)), writer.length);
      }
    }
  }
});

test("writer: bytes, one-byte strings and text → length and content, growing from one byte", () => {
  assert.equal(
    hex((writer) => writer.bytes(Buffer.from([1, 2]))),
    "020102",
  );
  assert.equal(
    hex((writer) => writer.latin1("\xff\0")),
    "02ff00",
  );
  assert.equal(
    hex((writer) => writer.utf8("\xff")),
    "02c3bf",
  );
  assert.equal(
    hex((writer) => writer.utf8("\ud800")),
    "03efbfbd",
  );
  assert.equal(
    hex((writer) => writer.rawLatin1("ab")),
    "6162",
  );
  assert.equal(
    hex((writer) => writer.raw(Buffer.alloc(0))),
    "",
  );
  const long = hex((writer) => writer.bytes(Buffer.alloc(5000, 7)));
  assert.equal(long, `8827${"07".repeat(5000)}`);
  assert.equal(sizeOfBytes(5000), long.length / 2);
});

test("writer: fixed-width integers → both byte orders", () => {
  assert.equal(
    hex((writer) => writer.fixed32(0xdeadbeef)),
    "efbeadde",
  );
  assert.equal(
    hex((writer) => writer.fixed32Be(0xdeadbeef)),
    "deadbeef",
  );
  assert.equal(
    hex((writer) => writer.fixed64(1n)),
    "0100000000000000",
  );
  assert.equal(
    hex((writer) => writer.fixed64Be(-1n)),
    "ffffffffffffffff",
  );
});

test("writer: messages of unknown length → framed right at every size of the length", () => {
  for (const size of [0, 1, 127, 128, 16_383, 16_384, 3_000_000]) {
    const writer = new ByteWriter(16);
    writer.byte(10);
    const mark = writer.beginMessage();
    const inner = writer.beginMessage();
    writer.raw(Buffer.alloc(size, 0x5a));
    writer.endMessage(inner);
    writer.endMessage(mark);
    const reader = new ByteReader(writer.view(), 1);
    const outer = reader.enter();
    assert.equal(reader.end, writer.length);
    const content = reader.bytes();
    reader.leave(outer);
    assert.equal(content.length, size);
    assert.equal(content.equals(Buffer.alloc(size, 0x5a)), true);
  }
});

test("writer: take → a copy of its own; reset → a writer that grew gives its memory back", () => {
  const writer = new ByteWriter(64);
  writer.raw(Buffer.from("first"));
  const taken = writer.take();
  writer.raw(Buffer.from("other"));
  assert.equal(taken.toString(), "first");
  assert.equal(writer.view().toString(), "other");
  writer.raw(Buffer.alloc(2 * 1024 * 1024));
  writer.reset();
  assert.equal(writer.buffer.length, 64);
});
