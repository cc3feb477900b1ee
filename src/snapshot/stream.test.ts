import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { content, memoryFile, put, row, snapshotBytes, sourceOf } from "./fixture.test.ts";
import { streamSnapshot } from "./stream.ts";
import { snapshotStatus, verifySnapshotFile } from "./verify.ts";
import { DbHash, hashBuckets } from "./db-hash.ts";

const ROWS = content({
  key: Array.from({ length: 3000 }, (_, at) => put(at + 2, "key", Buffer.alloc(200, at))),
  meta: [
    row("consistent_index", "12345678"),
    row("storageVersion", "3.7.0"),
    row("term", "abcdefgh"),
  ],
});

test("snapshot stream: 32 KiB chunks that say what remains, then the checksum (MA-07)", async () => {
  const hash = createHash("sha256");
  const chunks = [];
  for await (const chunk of streamSnapshot(sourceOf(ROWS), createHash("sha256")))
    chunks.push(chunk);
  const checksum = chunks.pop();
  const total = chunks.reduce((sum, { blob }) => sum + blob.length, 0);
  let sent = 0;
  for (const [position, { blob, remainingBytes }] of chunks.entries()) {
    sent += blob.length;
    hash.update(blob);
    assert.equal(remainingBytes, total - sent);
    if (position < chunks.length - 1) assert.equal(blob.length, 32 * 1024);
  }
  assert.equal(chunks.at(-1)?.remainingBytes, 0, "the last chunk of data");
  assert.equal(checksum?.remainingBytes, 0);
  assert.ok(checksum?.blob.equals(hash.digest()));
  assert.equal((total + 32) % 512, 32);
});

test("verify: a right, a wrong, a missing checksum and a cut file (MA-07)", async () => {
  const bytes = await snapshotBytes(sourceOf(ROWS));
  const verify = (file: Buffer): Promise<unknown> =>
    verifySnapshotFile(memoryFile(file, "/s.db"), createHash("sha256"));
  assert.deepEqual(await verify(bytes), { dbBytes: bytes.length - 32, hasChecksum: true });
  const plain = bytes.subarray(0, bytes.length - 32);
  assert.deepEqual(await verify(plain), { dbBytes: plain.length, hasChecksum: false });
  for (const at of [0, 5000, bytes.length - 33, bytes.length - 1]) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] as number) ^ 1;
    await assert.rejects(verify(flipped), {
      name: "SnapshotCorrupt",
      path: "/s.db",
      offset: plain.length,
      found: /^the checksum [0-9a-f]{64}$/,
    });
  }
  for (const size of [0, 31, 32, 100, bytes.length - 1]) {
    await assert.rejects(verify(bytes.subarray(0, size)), { name: "SnapshotCorrupt" }, `${size}`);
  }
});

test("db hash: the Hash call leaves out what is a member's own, tools do not (MA-05, UT-02)", async () => {
  const other = content({
    key: ROWS.get("key") ?? [],
    meta: [row("consistent_index", "87654321"), row("term", "hgfedcba")],
  });
  assert.equal(await hashBuckets(sourceOf(ROWS)), await hashBuckets(sourceOf(other)));
  const status = await snapshotStatus(memoryFile(await snapshotBytes(sourceOf(ROWS))));
  const otherStatus = await snapshotStatus(memoryFile(await snapshotBytes(sourceOf(other))));
  assert.notEqual(status.hash, otherStatus.hash);
  assert.equal(status.version, "3.7.0");
  assert.equal(status.revision, 3001);
  assert.equal(status.totalKey, 3003);
  assert.equal(otherStatus.version, "");
});

test("db hash: CRC-32C over name, key and value in order (MA-05)", () => {
  const hash = new DbHash({ leavesLocalOut: true });
  hash.bucket("1");
  hash.row(Buffer.from("23"), Buffer.from("456"));
  hash.bucket("7");
  hash.row(Buffer.from("8"), Buffer.from("9"));
  assert.equal(hash.value, 0xe3069283, "the check value of CRC-32C over 123456789");
  assert.equal(hash.rowCount, 2);
});
