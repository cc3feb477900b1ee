import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { planBboltFile, writeBboltFile } from "./bbolt-writer.ts";
import {
  content,
  memoryFile,
  put,
  readContent,
  row,
  snapshotBytes,
  sourceOf,
} from "./fixture.test.ts";
import { TreeBuilder } from "./tree-builder.ts";
import type { BucketRow, BucketSource } from "./types.ts";

async function bytesOf(buckets: readonly BucketSource[], pieceBytes?: number): Promise<Buffer> {
  const plan = await planBboltFile(buckets);
  const pieces: Buffer[] = [];
  for await (const piece of writeBboltFile(buckets, plan, pieceBytes)) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  assert.equal(bytes.length, plan.sizeBytes);
  return bytes;
}

test("bbolt writer: no rows at all → a file with empty buckets (SN-03)", async () => {
  const rows = content({});
  const bytes = await bytesOf(sourceOf(rows));
  assert.equal(bytes.length % 4096, 0);
  assert.deepEqual(await readContent(memoryFile(bytes)), rows);
});

test("bbolt writer: rows of every size → the reader finds them as they were (SN-03, DB-03)", async () => {
  const prng = new Prng(5);
  const rows: BucketRow[] = [];
  for (let main = 2; main < 4000; main += 1) {
    const size = prng.chance(0.02) ? prng.below(40_000) : prng.below(300);
    rows.push(put(main, `key ${main % 100}`, prng.bytes(size)));
  }
  rows.push(put(5000, "large", Buffer.alloc(1_500_000, 1)));
  const edges = [4096 - 16 - 16, 4096 - 16 - 16 + 1, 2048 - 24, 8192 - 32, 8192 - 31];
  const lease = edges.map((size, at) => row(Buffer.of(0, at), Buffer.alloc(size - 2, at)));
  const authUsers = [row("a", ""), row("b".repeat(9000), "x"), row("c".repeat(32_768), "y")];
  const all = content({ key: rows, lease, authUsers });
  const bytes = await bytesOf(sourceOf(all));
  assert.deepEqual(await readContent(memoryFile(bytes)), all);
});

test("bbolt writer: keys too long for two in a page → levels still shrink", async () => {
  const rows = Array.from({ length: 300 }, (_, at) =>
    row(Buffer.concat([Buffer.alloc(5000, 1), Buffer.from([at >> 8, at & 255])]), "v"),
  );
  const all = content({ key: rows });
  assert.deepEqual(await readContent(memoryFile(await bytesOf(sourceOf(all)))), all);
});

test("bbolt writer: pieces of any size → the same bytes", async () => {
  const rows = content({
    key: Array.from({ length: 500 }, (_, at) => put(at + 2, "k", Buffer.alloc(300, at))),
  });
  const whole = await bytesOf(sourceOf(rows));
  for (const size of [1000, 4096, 32_768, 10_000_000]) {
    assert.ok((await bytesOf(sourceOf(rows, 100), size)).equals(whole));
  }
});

test("bbolt writer: rows that change between the passes → refused, not a broken file", async () => {
  const few = content({ key: [put(2, "a", Buffer.alloc(10))] });
  const many = content({
    key: Array.from({ length: 100 }, (_, at) => put(at + 2, "a", Buffer.alloc(100))),
  });
  const plan = await planBboltFile(sourceOf(few));
  const consume = async (): Promise<void> => {
    for await (const piece of writeBboltFile(sourceOf(many), plan)) assert.ok(piece.length > 0);
  };
  await assert.rejects(consume(), /changed under it/);
});

test("bbolt tree: rows out of order, an empty key or one too long → refused", () => {
  const tree = (): TreeBuilder => new TreeBuilder(() => 3);
  const value = Buffer.from("v");
  assert.throws(() => tree().add(Buffer.alloc(0), value), /1 to 32768 bytes/);
  assert.throws(() => tree().add(Buffer.alloc(32_769), value), /1 to 32768 bytes/);
  const ordered = tree();
  ordered.add(Buffer.from("b"), value);
  assert.throws(() => ordered.add(Buffer.from("b"), value), /comes after/);
  assert.throws(() => ordered.add(Buffer.from("a"), value), /comes after/);
  assert.equal(ordered.rowCount, 1);
});

test("bbolt writer: 200 000 rows → a few pages of memory, whatever their number", async () => {
  const count = 200_000;
  const value = Buffer.alloc(250, 7);
  let most = 0;
  let read = 0;
  const source: BucketSource = {
    name: "key",
    open() {
      let main = 2;
      return {
        next() {
          if (main >= count + 2) return undefined;
          const rows = Array.from({ length: 1000 }, (_, at) => put(main + at, "key", value));
          main += 1000;
          read += 1000;
          return rows;
        },
      };
    },
  };
  const plan = await planBboltFile([source]);
  read = 0;
  let written = 0;
  for await (const piece of writeBboltFile([source], plan)) {
    written += piece.length;
    // What was read and is not yet given away.
    most = Math.max(most, read * 290 - written);
  }
  assert.equal(written, plan.sizeBytes);
  assert.equal(plan.rowCount, count);
  assert.ok(plan.sizeBytes > 55_000_000);
  assert.ok(most < 1_000_000, `${most} bytes were held`);
});

test("snapshot: equal stores → equal bytes", async () => {
  const rows = content({ key: [put(2, "a", Buffer.from("b"))], meta: [row("term", "12345678")] });
  assert.ok((await snapshotBytes(sourceOf(rows))).equals(await snapshotBytes(sourceOf(rows, 1))));
});
