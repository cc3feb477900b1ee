import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Prng } from "../base/index.ts";
import { openLmdbBackend } from "./lmdb-backend.ts";
import { checkFile, checkPages } from "./page-check.ts";
import { MemoryPageFile } from "./page-file.ts";
import { storeFileOf } from "./read-only-backend.ts";

const PAGE_BYTES = 4096;
const ROUNDS = Number(process.env["PROP_RUNS"] ?? 0) > 1_000 ? 200 : 12;

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-pages-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function revisionKey(revision: number): Buffer {
  const key = Buffer.alloc(17);
  key.writeUInt32BE(revision, 4);
  return key;
}

test("pages: rows come, go and grow, files move and are opened again → nothing is found in any of them", async (t) => {
  const directory = temporary(t);
  const prng = new Prng(3);
  let backend = await openLmdbBackend({ directory });
  let sequence = 1;
  let revision = 0;
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (let row = prng.below(prng.chance(0.2) ? 1_500 : 60); row >= 0; row -= 1) {
      revision += 1;
      const bytes = prng.chance(0.02) ? prng.below(40_000) : prng.below(400);
      backend.put("key", revisionKey(revision), prng.bytes(bytes));
      if (prng.chance(0.3)) backend.delete("key", revisionKey(1 + prng.below(revision)));
      const lease = Buffer.from(`lease ${prng.below(500)}`);
      if (prng.chance(0.1)) backend.put("lease", lease, prng.bytes(prng.below(100)));
      if (prng.chance(0.1)) backend.delete("lease", lease);
    }
    backend.setApplied({ index: round, term: 1 });
    await backend.commit();
    if (round % 5 === 0) {
      await backend.defragment();
      sequence += 1;
    }
    for (const check of ["whole", "structure"] as const) {
      checkFile(storeFileOf(directory, sequence), check);
    }
    if (round % 3 > 0) continue;
    await backend.close();
    backend = await openLmdbBackend({ directory });
  }
  await backend.close();
});

test("pages: a page number, a head, a length of rows that nobody has read is wrong → found where rows are read, page numbers always", async (t) => {
  const directory = temporary(t);
  const backend = await openLmdbBackend({ directory });
  for (let revision = 1; revision <= 400; revision += 1) {
    backend.put("key", revisionKey(revision), Buffer.alloc(100, revision));
  }
  backend.setApplied({ index: 1, term: 1 });
  await backend.commit();
  await backend.close();
  const bytes = readFileSync(storeFileOf(directory, 1));
  const pages = Array.from({ length: bytes.length / PAGE_BYTES }, (_, page) => page * PAGE_BYTES);
  const found = (at: number, check: "whole" | "structure"): boolean => {
    bytes[at] = (bytes[at] as number) ^ 0x04;
    try {
      checkPages(new MemoryPageFile(bytes, PAGE_BYTES), check);
      return false;
    } catch {
      return true;
    } finally {
      bytes[at] = (bytes[at] as number) ^ 0x04;
    }
  };
  const kindOf = (page: number): number => bytes.readUInt16LE(page + 18);
  const [branch] = pages.filter((page) => kindOf(page) === 1);
  assert.ok(branch !== undefined, "a tree with a branch page");
  const child = branch + 24 + bytes.readUInt16LE(branch + 24);
  for (const at of [branch + 18, branch + 22, branch + 24, child]) {
    assert.ok(found(at, "whole") && found(at, "structure"), `byte ${at - branch} of a branch page`);
  }
  const leaf = bytes.readUInt32LE(child) * PAGE_BYTES;
  const node = leaf + 24 + bytes.readUInt16LE(leaf + 24);
  for (const at of [leaf, leaf + 11, leaf + 18, leaf + 20, leaf + 22, leaf + 24, node, node + 6]) {
    assert.ok(found(at, "whole"), `byte ${at - leaf} of a page with rows`);
    assert.ok(!found(at, "structure"), "it was not to be read");
  }
});

test("pages: a store that is damaged where LMDB would end the process → DamagedFile, each time (BT-f3)", async (t) => {
  const directory = temporary(t);
  const backend = await openLmdbBackend({ directory });
  for (let revision = 1; revision <= 400; revision += 1) {
    backend.put("key", revisionKey(revision), Buffer.alloc(100, revision));
  }
  await backend.commit();
  await backend.close();
  const path = storeFileOf(directory, 1);
  const bytes = readFileSync(path);
  for (let page = 2 * PAGE_BYTES; page < bytes.length; page += PAGE_BYTES) {
    // The free space's bounds, which rows are reached through.
    bytes.writeUInt16LE(0xfff0, page + 22);
  }
  writeFileSync(path, bytes);
  for (let start = 1; start <= 3; start += 1) {
    await assert.rejects(openLmdbBackend({ directory }), { name: "DamagedFile", code: "DAMAGED" });
  }
});
