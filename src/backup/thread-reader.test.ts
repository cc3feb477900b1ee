import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FakeMember } from "./fixture.test.ts";
import { ThreadImageReader } from "./thread-reader.ts";

async function imageOf(member: FakeMember): Promise<Buffer> {
  const { image } = await member.openImage();
  const pieces: Buffer[] = [];
  for await (const piece of image.read(0)) pieces.push(piece);
  image.close();
  const bytes = Buffer.concat(pieces);
  return Buffer.concat([bytes, createHash("sha256").update(bytes).digest()]);
}

test("thread reader: an image on disk → what it holds, and the HashKV of the member; a damaged one is refused", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-image-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const member = await FakeMember.open();
  await member.write(80);
  const bytes = await imageOf(member);
  const path = join(directory, "image");
  writeFileSync(path, bytes);
  const reader = new ThreadImageReader(path);
  const { applied, revision } = member.position;
  assert.deepEqual(await reader.facts(), { applied, revision });
  const wanted = await member.hashKv(revision);
  assert.ok("hash" in wanted);
  assert.equal(await reader.hash(revision, wanted.compactRevision), wanted.hash);
  await reader.close();
  bytes[bytes.length - 5000] = (bytes[bytes.length - 5000] as number) ^ 1;
  writeFileSync(path, bytes);
  const refusing = new ThreadImageReader(path);
  await assert.rejects(refusing.facts(), new RegExp(path));
  await refusing.close();
  const missing = new ThreadImageReader(join(directory, "none"));
  await assert.rejects(missing.facts(), /ENOENT/);
  await missing.close();
});
