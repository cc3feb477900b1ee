import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader } from "./byte-reader.ts";
import { MalformedError } from "./malformed.ts";
import { Prng } from "./prng.ts";

const reader = (hex: string): ByteReader => new ByteReader(Buffer.from(hex, "hex"));
const refuses = (hex: string, read: (from: ByteReader) => void, message: string): void => {
  assert.throws(() => read(reader(hex)), { name: "MalformedError", message });
};

test("reader: overlong varints of up to ten bytes → their value", () => {
  assert.equal(reader("8000").uint(), 0);
  assert.equal(reader("81808080808080808000").uint(), 1);
  assert.equal(reader("ffffffffffffffffff01").int(), -1);
  assert.equal(reader("ffffffffffffffffff01").int32(), -1);
  assert.equal(reader("80808080808080808001").bigInt(), -(2n ** 63n));
  assert.equal(reader("80808080808001").bool(), true);
  assert.equal(reader("8000").bool(), false);
});

test("reader: varints that are cut off, too long or too large → refused", () => {
  for (let bytes = 0; bytes < 10; bytes += 1) {
    refuses("80".repeat(bytes), (from) => from.varint(), "varint is cut off");
  }
  refuses("80".repeat(9) + "02", (from) => from.varint(), "varint beyond 64 bits");
  refuses("80".repeat(11), (from) => from.varint(), "varint beyond 64 bits");
});

test("reader: tags of field 0, of wire types 6 and 7, and beyond 32 bits → refused", () => {
  for (const hex of ["00", "07", "0e", "0f"]) refuses(hex, (from) => from.tag(), "illegal tag");
  refuses("8080808010", (from) => from.tag(), "field number out of range");
  refuses("80", (from) => from.tag(), "varint is cut off");
  assert.equal(reader("f8ffffff0f").tag(), 0xfffffff8);
});

test("reader: a length beyond the piece → refused before anything is made from it", () => {
  refuses("05616263", (from) => from.bytes(), "length beyond the input");
  refuses("ffffffff0f", (from) => from.latin1(), "length beyond the input");
  refuses("ffffffffffffffffff01", (from) => from.utf8(), "length beyond the input");
  const piece = new ByteReader(Buffer.from("0361626300", "hex"), 0, 3);
  assert.throws(() => piece.bytes(), MalformedError);
  assert.throws(() => new ByteReader(Buffer.alloc(2), 0, 3), MalformedError);
  assert.throws(() => new ByteReader(Buffer.alloc(2), 2, 1), MalformedError);
});

test("reader: an inner message → bounded by its own length, then the outer goes on", () => {
  const from = reader("0a02080a0801");
  assert.equal(from.tag(), 10);
  const outer = from.enter();
  assert.equal(from.tag(), 8);
  assert.equal(from.uint(), 10);
  assert.throws(() => from.tag(), MalformedError);
  from.leave(outer);
  assert.equal(from.tag(), 8);
  assert.equal(from.uint(), 1);
  assert.equal(from.pos, from.end);
});

test("reader: values of every wire type → skipped whole", () => {
  // varint, fixed64, bytes, group of (varint, group), fixed32, then field 15 = 7
  const from = reader(
    "08ff01" + "110102030405060708" + "1a03616263" + "2308052b2c24" + "3501020304" + "7807",
  );
  let last = 0;
  while (from.pos < from.end) {
    const tag = from.tag();
    if (tag === 120) last = from.uint();
    else from.skip(tag);
  }
  assert.equal(last, 7);
});

test("reader: groups that end wrongly, never, without beginning or too deep → refused", () => {
  const skip = (from: ByteReader): void => from.skip(from.tag());
  refuses("2334", skip, "group ends wrongly");
  refuses("23", skip, "varint is cut off");
  refuses("24", skip, "group ends that never began");
  refuses("23".repeat(100_000), skip, "groups nest too deep");
});

test("reader: values cut off by the end → refused", () => {
  refuses("090102", (from) => from.skip(from.tag()), "value is cut off");
  refuses("0d0102", (from) => from.skip(from.tag()), "value is cut off");
  refuses("010203", (from) => from.fixed32(), "value is cut off");
  assert.equal(reader("01000000").fixed32(), 1);
  assert.equal(reader("00000001").fixed32Be(), 1);
  assert.equal(reader("0100000000000000").fixed64(), 1n);
  assert.equal(reader("ffffffffffffffff").fixed64Be(), 2n ** 64n - 1n);
});

test("reader: bytes are views into the input, text that is not UTF-8 is replaced", () => {
  const input = Buffer.from("036162630180", "hex");
  const from = new ByteReader(input);
  const view = from.bytes();
  input[1] = 0x7a;
  assert.equal(view.toString(), "zbc");
  assert.equal(from.utf8(), "\ufffd");
});

test("reader: random bytes → values or MalformedError, never beyond the end (seeded)", () => {
  const runs = Number(process.env["FUZZ_RUNS"] ?? 2_000);
  const prng = new Prng(Number(process.env["SEED"] ?? 11));
  for (let run = 0; run < runs; run += 1) {
    const bytes = prng.bytes(prng.below(40));
    const lo = prng.below(bytes.length + 1);
    const hi = lo + prng.below(bytes.length - lo + 1);
    const from = new ByteReader(bytes, lo, hi);
    try {
      while (from.pos < from.end) {
        const tag = from.tag();
        if ((tag & 7) === 2 && prng.chance(0.5)) assert.ok(from.bytes().length <= hi - lo);
        else from.skip(tag);
        assert.ok(from.pos <= hi);
      }
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      assert.ok(error.offset >= lo && error.offset <= hi);
    }
  }
});
