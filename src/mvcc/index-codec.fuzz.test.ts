/** Checkpoint blocks are covered by a checksum; the decoder must still stand anything. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter, MalformedError, Prng } from "../base/index.ts";
import { IndexDecoder, IndexEncoder } from "./index-codec.ts";
import { KeyIndex } from "./key-index.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2_000);

function encoded(prng: Prng, slice: number): Buffer[] {
  const index = new KeyIndex();
  for (let main = 2; main < 60; main += 1) {
    const key = `key ${prng.below(12)}`;
    if (prng.chance(0.3)) index.tombstone(key, main, prng.below(3));
    else index.put(key, main, prng.below(3), BigInt(prng.below(2)) << 62n);
  }
  const encoder = new IndexEncoder(index);
  const writer = new ByteWriter();
  const blocks: Buffer[] = [];
  for (let hasMore = true; hasMore; ) {
    hasMore = encoder.write(writer, slice);
    blocks.push(writer.take());
  }
  return blocks;
}

function decode(blocks: readonly Buffer[]): KeyIndex {
  const index = new KeyIndex();
  const decoder = new IndexDecoder(index.loader());
  for (const block of blocks) decoder.read(block);
  decoder.finish();
  return index;
}

test("index codec: slices of any size → the same bytes and the same index", () => {
  for (let slice = 1; slice < 30; slice += 1) {
    const whole = Buffer.concat(encoded(new Prng(3), 1000));
    const blocks = encoded(new Prng(3), slice);
    assert.deepEqual(Buffer.concat(blocks), whole);
    const again = new ByteWriter();
    const index = decode(blocks);
    new IndexEncoder(index).write(again, 1000);
    assert.deepEqual(again.take(), whole);
    index.verify();
  }
});

test("index codec: damaged blocks → an index or MalformedError, nothing else", () => {
  const prng = new Prng(77);
  for (let run = 0; run < RUNS; run += 1) {
    const block = Buffer.concat(encoded(new Prng(run % 7), 1000));
    const flips = 1 + prng.below(4);
    for (let flip = 0; flip < flips; flip += 1) block[prng.below(block.length)] = prng.below(256);
    const cut = prng.chance(0.3) ? block.subarray(0, prng.below(block.length)) : block;
    try {
      decode([cut]);
    } catch (error) {
      assert.ok(error instanceof MalformedError, String(error));
    }
  }
});
