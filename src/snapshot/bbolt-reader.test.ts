import assert from "node:assert/strict";
import { test } from "node:test";
import { BboltFile } from "./bbolt-reader.ts";
import { fnv1a64, putU64 } from "./bbolt-format.ts";
import {
  content,
  memoryFile,
  put,
  readContent,
  row,
  snapshotBytes,
  sourceOf,
} from "./fixture.test.ts";

const PAGE = 4096;

const ROWS = content({
  alarm: [row("a", "")],
  key: Array.from({ length: 2000 }, (_, at) => put(at + 2, "k", Buffer.alloc(50, at))),
  meta: [row("consistent_index", "12345678")],
});

async function sample(): Promise<Buffer> {
  const bytes = await snapshotBytes(sourceOf(ROWS));
  return bytes.subarray(0, bytes.length - 32);
}

/** Pages with a flag, by id. */
function pagesWith(bytes: Buffer, flag: number): number[] {
  const found: number[] = [];
  for (let id = 2; id * PAGE < bytes.length; id += 1) {
    if (bytes.readUInt16LE(id * PAGE + 8) === flag) found.push(id);
  }
  return found;
}

async function refused(bytes: Buffer, found: RegExp, wanted?: RegExp): Promise<void> {
  await assert.rejects(readContent(memoryFile(bytes, "/s.db")), (error: Error) => {
    assert.equal(error.name, "SnapshotCorrupt", String(error));
    assert.match(error.message, /^snapshot file \/s\.db is broken at offset \d+: found /);
    assert.match((error as Error & { found: string }).found, found);
    if (wanted !== undefined) assert.match((error as Error & { wanted: string }).wanted, wanted);
    return true;
  });
}

function sealMeta(bytes: Buffer, page: number): void {
  const lo = page * PAGE + 16;
  bytes.writeBigUInt64LE(fnv1a64(bytes, lo, lo + 56), lo + 56);
}

test("bbolt reader: FNV-1a of known bytes", () => {
  assert.equal(fnv1a64(Buffer.from("foobar"), 0, 6), 0x85944171f73967e8n);
});

test("bbolt reader: one meta is broken → the other serves; both → refused", async () => {
  for (const page of [0, 1]) {
    const bytes = await sample();
    bytes[page * PAGE + 40] = 0xff;
    assert.deepEqual(await readContent(memoryFile(bytes)), ROWS);
  }
  const both = await sample();
  both[40] = 0xff;
  both[PAGE + 40] = 0xff;
  await refused(both, /without a valid meta page/);
  await refused(Buffer.alloc(0), /0 bytes without a valid meta page/);
  await refused(Buffer.alloc(100_000, "x"), /without a valid meta page/);
});

test("bbolt reader: the file is shorter than its meta says → refused", async () => {
  const bytes = await sample();
  await refused(bytes.subarray(0, bytes.length - PAGE), /bytes$/, /pages$/);
});

test("bbolt reader: a child that is no page, again, or deeper and deeper → refused, no loop", async () => {
  const [branch] = pagesWith(await sample(), 1);
  assert.ok(branch !== undefined);
  const firstChild = branch * PAGE + 16 + 8;
  const outside = await sample();
  putU64(outside, firstChild, 2 ** 52);
  await refused(outside, /^a reference to page 4503599627370496 in page/);
  const self = await sample();
  putU64(self, firstChild, branch);
  await refused(self, /again|too deep|after/);
  const twice = await sample();
  twice.copy(twice, firstChild + 16, firstChild, firstChild + 8);
  await refused(twice, /^page \d+ again/);
});

test("bbolt reader: a page with wrong id, flags, count, overflow or order → refused by page", async () => {
  const whole = await sample();
  const leaf = pagesWith(whole, 2).find((id) => whole.readUInt16LE(id * PAGE + 10) > 100);
  assert.ok(leaf !== undefined);
  const at = leaf * PAGE;
  const cases: { change: (bytes: Buffer) => unknown; found: RegExp }[] = [
    { change: (bytes) => putU64(bytes, at, 7777), found: /^the id 7777 in page/ },
    { change: (bytes) => bytes.writeUInt16LE(4, at + 8), found: /^page flags 0x4/ },
    { change: (bytes) => bytes.writeUInt16LE(60_000, at + 10), found: /^60000 elements/ },
    { change: (bytes) => bytes.writeUInt32LE(0xffff_fff0, at + 12), found: /^overflow of/ },
    { change: (bytes) => bytes.writeUInt32LE(0xffff_ffff, at + 16 + 4), found: /^a row that ends/ },
    { change: (bytes) => bytes.writeUInt32LE(0xffff_ffff, at + 16 + 8), found: /^a row that ends/ },
    { change: (bytes) => bytes.writeUInt32LE(40_000, at + 16 + 12), found: /^a row that ends/ },
    { change: (bytes) => bytes.writeUInt32LE(1, at + 16), found: /^a bucket inside a bucket/ },
    {
      change: (bytes) => {
        const dataAt = at + 16 + bytes.readUInt32LE(at + 16 + 4);
        bytes[dataAt] = 0xff;
      },
      found: /^key 00.* after ff/,
    },
  ];
  for (const { change, found } of cases) {
    const bytes = await sample();
    change(bytes);
    await refused(bytes, found);
  }
});

test("bbolt reader: a row beside the buckets → refused", async () => {
  const bytes = await sample();
  const root = Number(bytes.readBigUInt64LE(16 + 16));
  bytes.writeUInt32LE(0, root * PAGE + 16);
  await refused(bytes, /^a row beside the buckets/);
});

test("bbolt reader: a root page in the metas → refused", async () => {
  const bytes = await sample();
  putU64(bytes, 32, 1);
  putU64(bytes, PAGE + 32, 1);
  sealMeta(bytes, 0);
  sealMeta(bytes, 1);
  await refused(bytes, /^a reference to page 1 in page 0/);
});

test("bbolt reader: a bucket that is not there → no rows", async () => {
  const db = await BboltFile.open(memoryFile(await sample()));
  assert.deepEqual(db.bucketNames, [...ROWS.keys()]);
  for await (const rows of db.rows("nothing")) assert.fail(`${rows.length} rows`);
});

test("bbolt reader: buffers that are used again → the same rows, page by page", async () => {
  const rows = content({
    alarm: [row("a", "")],
    key: Array.from({ length: 9000 }, (_, at) => put(at + 2, "k", Buffer.alloc(900, at))),
  });
  const bytes = await snapshotBytes(sourceOf(rows));
  const db = await BboltFile.open(memoryFile(bytes), { reusesBuffers: true });
  let position = 0;
  for await (const some of db.rows("key")) {
    for (const { key, value } of some) {
      assert.ok(key.equals(rows.get("key")?.[position]?.key as Buffer));
      assert.ok(value.equals(rows.get("key")?.[position]?.value as Buffer));
      position += 1;
    }
  }
  assert.equal(position, 9000);
});
