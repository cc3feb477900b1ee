import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { TrailingDigest } from "./snapshot-save.ts";

function snapshot(bytes: number): Buffer {
  const store = Buffer.alloc(bytes, 7);
  return Buffer.concat([store, createHash("sha256").update(store).digest()]);
}

function check(file: Buffer, pieceBytes: number): void {
  const digest = new TrailingDigest();
  for (let at = 0; at < file.length; at += pieceBytes) {
    digest.take(file.subarray(at, at + pieceBytes));
  }
  digest.verify();
}

test("snapshot save: the digest at the end fits, however the pieces fall (CT-20)", () => {
  const file = snapshot(4_096);
  for (const pieceBytes of [1, 31, 32, 33, 512, 4_096, 10_000]) check(file, pieceBytes);
});

test("snapshot save: a flipped bit, a missing end → refused, exit code 5 (CT-20)", () => {
  const file = snapshot(4_096);
  const flipped = Buffer.from(file);
  flipped[100] = 8;
  assert.throws(() => check(flipped, 512), { exitCode: 5, message: /was damaged on its way/ });
  assert.throws(() => check(file.subarray(0, 4_000), 512), {
    exitCode: 5,
    message: "sha256 checksum not found [bytes: 4000]",
  });
  assert.throws(() => check(Buffer.alloc(0), 512), { exitCode: 5 });
});
