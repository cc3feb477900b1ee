/** Hostile bbolt files: every one is read or refused, in bounded steps. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { fnv1a64, PAGE_BYTES } from "./bbolt-format.ts";
import { SnapshotCorrupt } from "./errors.ts";
import {
  content,
  memoryFile,
  put,
  readContent,
  row,
  snapshotBytes,
  sourceOf,
} from "./fixture.test.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2000);

function mutate(prng: Prng, sample: Buffer): Buffer {
  const bytes = Buffer.from(sample);
  for (let change = 1 + prng.below(4); change > 0; change -= 1) {
    const page = prng.below(bytes.length / PAGE_BYTES) * PAGE_BYTES;
    // Headers and elements are where a reader can go wrong.
    const at = page + (prng.chance(0.8) ? prng.below(160) : prng.below(PAGE_BYTES));
    switch (prng.below(5)) {
      case 0:
        bytes[at] = prng.below(256);
        break;
      case 1:
        bytes.writeUInt32LE(prng.uint32(), Math.min(at, bytes.length - 4));
        break;
      case 2:
        bytes.writeUInt32LE(prng.below(40), Math.min(at, bytes.length - 4));
        break;
      case 3:
        bytes.copyWithin(page, prng.below(bytes.length / PAGE_BYTES) * PAGE_BYTES, bytes.length);
        break;
      default:
        bytes.fill(0xff, at, Math.min(at + prng.below(9), bytes.length));
    }
  }
  // A hostile writer makes the checksums right.
  if (prng.chance(0.5)) {
    for (const lo of [16, PAGE_BYTES + 16]) {
      bytes.writeBigUInt64LE(fnv1a64(bytes, lo, lo + 56), lo + 56);
    }
  }
  return prng.chance(0.05) ? bytes.subarray(0, prng.below(bytes.length)) : bytes;
}

test("bbolt reader: mutated files → rows in order or SnapshotCorrupt, in bounded steps", async () => {
  const prng = new Prng(0xb017);
  const whole = await snapshotBytes(
    sourceOf(
      content({
        authUsers: [row("user", Buffer.alloc(9000, 3))],
        key: Array.from({ length: 150 }, (_, at) => put(at + 2, "k", Buffer.alloc(at % 90, at))),
        meta: [row("term", "12345678")],
      }),
    ),
  );
  const sample = whole.subarray(0, whole.length - 32);
  let refused = 0;
  for (let run = 0; run < RUNS; run += 1) {
    try {
      const found = await readContent(memoryFile(mutate(prng, sample)));
      let rows = 0;
      for (const list of found.values()) rows += list.length;
      assert.ok(rows <= 10_000);
    } catch (error) {
      if (!(error instanceof SnapshotCorrupt)) throw error;
      assert.ok(error.offset >= 0 && error.found !== "" && error.wanted !== "");
      refused += 1;
    }
  }
  assert.ok(refused > RUNS / 4 && refused < RUNS);
});
