import assert from "node:assert/strict";
import { test } from "node:test";
import { BboltPages } from "./bbolt-survey.ts";
import { content, memoryFile, put, row, snapshotBytes, sourceOf } from "./fixture.test.ts";

const KEYS = Array.from({ length: 900 }, (_, at) => put(at + 2, `k${at % 7}`, Buffer.alloc(60)));

test("bbolt survey: a file of ours → every page is used once or free, the rows are counted (UT-08)", async () => {
  const bytes = await snapshotBytes(sourceOf(content({ key: KEYS, meta: [row("a", "b")] })));
  const pages = await BboltPages.open(memoryFile(bytes));
  const { buckets, faults } = await pages.survey();
  assert.deepEqual(faults, []);
  const rows = new Map(buckets.map((bucket) => [bucket.name, bucket.rows]));
  assert.deepEqual([rows.get("key"), rows.get("meta"), rows.get("lease")], [900, 1, 0]);
  const isFree = await pages.freePages();
  assert.ok(Array.from({ length: pages.pageCount }, (_, id) => id).every((id) => !isFree(id)));
});

test("bbolt survey: a freelist that names used pages, and pages twice → told, each (UT-08)", async () => {
  const bytes = await snapshotBytes(sourceOf(content({ key: KEYS })));
  const at = 2 * 4096;
  bytes.writeUInt16LE(4, at + 10);
  for (const [place, id] of [3, 3, 4_000, 5].entries()) {
    bytes.writeBigUInt64LE(BigInt(id), at + 16 + place * 8);
  }
  const { faults } = await (await BboltPages.open(memoryFile(bytes))).survey();
  assert.deepEqual(faults, [
    "page 3: already freed",
    "page 4000: out of bounds, in the freelist",
    "page 3: reachable freed",
    "page 5: reachable freed",
  ]);
});
