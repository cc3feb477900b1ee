import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { SimulatedDisk } from "../testing/index.ts";
import type { Entry } from "../wire/index.ts";
import { WalCorrupt } from "./errors.ts";
import { entries, METADATA } from "./fixture.test.ts";
import { type PieceHead, PieceReader, PieceWriter } from "./piece.ts";

const HEAD: PieceHead = { ...METADATA, after: { index: 4, term: 1 }, note: '{"revision":7}' };
const PATH = "/piece";

function pieceBytes(list: readonly Entry[]): Buffer {
  const writer = new PieceWriter(HEAD);
  const parts: Buffer[] = [];
  for (let lo = 0; lo < list.length; lo += 7) {
    writer.add(list.slice(lo, lo + 7));
    parts.push(writer.take());
  }
  writer.end();
  parts.push(writer.take());
  return Buffer.concat(parts);
}

async function read(bytes: Buffer): Promise<{ head: PieceHead; found: Entry[] }> {
  const disk = new SimulatedDisk();
  const file = await disk.open(PATH, "create");
  await file.write(bytes, 0);
  const reader = await PieceReader.open(file);
  const found: Entry[] = [];
  for await (const batch of reader.batches()) found.push(...batch);
  return { head: reader.head, found };
}

test("piece: written in parts → read as it was, head and entries", async () => {
  const list = entries(5, 40);
  const { head, found } = await read(pieceBytes(list));
  assert.deepEqual(head, HEAD);
  assert.deepEqual(found, list);
});

test("piece: cut anywhere → refused, the file named", async () => {
  const bytes = pieceBytes(entries(5, 12));
  for (let length = 0; length < bytes.length; length += 1) {
    await assert.rejects(read(bytes.subarray(0, length)), (error) => {
      assert.ok(error instanceof WalCorrupt, `cut to ${length}: ${error}`);
      assert.match(error.message, /\/piece/);
      return true;
    });
  }
});

test("piece: bytes behind its end → refused", async () => {
  const bytes = pieceBytes(entries(5, 12));
  await assert.rejects(read(Buffer.concat([bytes, Buffer.alloc(512)])), WalCorrupt);
  await assert.rejects(read(Buffer.concat([bytes, bytes])), WalCorrupt);
});

test("piece: an entry missing or twice → refused", async () => {
  const list = entries(5, 12);
  await assert.rejects(read(pieceBytes(list.toSpliced(3, 1))), /entry 9 .* wanted entry 8/);
  await assert.rejects(read(pieceBytes(list.toSpliced(3, 0, ...list.slice(2, 3)))), WalCorrupt);
});

test("piece: any flipped bit → refused, or read as it was", async () => {
  const list = entries(5, 30);
  const bytes = pieceBytes(list);
  const prng = new Prng(11);
  for (let run = 0; run < 400; run += 1) {
    const damaged = Buffer.from(bytes);
    const at = prng.below(damaged.length);
    damaged[at] = (damaged[at] as number) ^ (1 << prng.below(8));
    await assert.rejects(read(damaged), WalCorrupt, `byte ${at}`);
  }
});
