/**
 * Bytes of a store's file, flipped in turn: the walk over its pages finds it before LMDB is let at
 * the file, or the row's own checksum does, or nobody looks at the byte. Never another row, and
 * never a process that ends.
 *
 * LONG_SUITE=1 takes every byte, with one of its bits each; BYTES_STRIDE takes one in so many.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openLmdbBackend, type Table } from "../../src/backend/index.ts";
import { checkPages } from "../../src/backend/page-check.ts";
import { MemoryPageFile } from "../../src/backend/page-file.ts";
import { DamagedPages } from "../../src/backend/page-tree.ts";
import { Prng } from "../../src/base/index.ts";
import { feed } from "../harness/feed.ts";
import { numberFromEnv } from "../harness/process.ts";
import { storeFileIn } from "../harness/store-file.ts";

const SEED = numberFromEnv("SEED", 1);
const IS_LONG = process.env["LONG_SUITE"] === "1";
const STRIDE = numberFromEnv("BYTES_STRIDE", 1);
/** Short form: bytes that are flipped, and those of them that LMDB is let at. */
const WALKED = 4_000;
const OPENED = 60;
const PAGE_BYTES = 4_096;
/** After as many stores a process makes room for another. */
const STORES_PER_PROCESS = 1_000;
const CHILD = join(import.meta.dirname, "../harness/flip-process.ts");

/**
 * Small, and all kinds of pages: trees of depth 1 and 2, a value of several pages, rows of each
 * table that has any, pages that are free.
 */
async function makeStore(directory: string): Promise<string> {
  const backend = await openLmdbBackend({ directory });
  const prng = new Prng(SEED);
  let index = 0;
  const write = async (rows: number, valueBytes: number, tables: readonly Table[]) => {
    for (let row = 0; row < rows; row += 1) {
      index += 1;
      const key = Buffer.alloc(17);
      key.writeUInt32BE(index, 4);
      backend.put("key", key, prng.bytes(valueBytes + prng.below(valueBytes)));
    }
    for (const table of tables) {
      backend.put(table, Buffer.from(`${table} ${index}`), prng.bytes(60));
    }
    backend.setApplied({ index, term: 2 });
    await backend.commit();
  };
  await write(50, 100, ["auth", "members", "alarm", "lease"]);
  await write(1, 4_500, ["alarm"]);
  // Nothing is free then, and after two batches little is.
  await backend.defragment();
  await write(2, 30, ["lease"]);
  await write(2, 30, ["lease"]);
  await backend.close();
  return storeFileIn(directory);
}

function walkFinds(bytes: Buffer): boolean {
  try {
    checkPages(new MemoryPageFile(bytes, PAGE_BYTES), "whole");
    return false;
  } catch (error) {
    assert.ok(error instanceof DamagedPages, String(error));
    return true;
  }
}

describe(`bytes of a store, seed ${SEED}`, () => {
  // Thousands of stores are written, and none has to outlive a power cut.
  const memory = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const directory = mkdtempSync(join(memory, "holdfast-bytes-"));
  let file: string;
  let whole: Buffer;
  before(async () => {
    file = await makeStore(join(directory, "store"));
    whole = readFileSync(file);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  /** Bit numbers: one bit of each byte that has a turn. */
  function chosen(): number[] {
    const prng = new Prng(SEED);
    const count = IS_LONG ? Math.ceil(whole.length / STRIDE) : WALKED;
    return Array.from({ length: count }, (_, turn) => {
      const at = IS_LONG ? turn * STRIDE : prng.below(whole.length);
      return at * 8 + prng.below(8);
    });
  }

  /** Of the bits, those that the walk does not find. */
  function silentOf(bits: readonly number[]): number[] {
    return bits.filter((bit) => {
      const at = Math.floor(bit / 8);
      const was = whole[at] as number;
      whole[at] = was ^ (1 << (bit % 8));
      const isSilent = isHeadless(bit) || !walkFinds(whole);
      whole[at] = was;
      return isSilent;
    });
  }

  test("store: any byte is flipped → found by the walk, or by a row's checksum, or unused; no process ends, no other row (BT-f3)", async (t) => {
    const bits = chosen();
    const silent = silentOf(bits);
    const opened = IS_LONG ? silent : silent.slice(0, OPENED);
    const counts = { same: 0, before: 0, found: 0 };
    for (let lo = 0; lo < opened.length; lo += STORES_PER_PROCESS) {
      const part = opened.slice(lo, lo + STORES_PER_PROCESS);
      const work = mkdtempSync(join(directory, "work-"));
      const outcomes = await feed({ program: CHILD, args: [file, work] }, part.map(String));
      rmSync(work, { recursive: true, force: true });
      for (const bit of part) {
        const outcome = outcomes.get(String(bit)) ?? "never begun";
        assert.match(outcome, /^(same|before|found)/, `bit ${bit}, byte ${Math.floor(bit / 8)}`);
        counts[outcome.split(" ")[0] as keyof typeof counts] += 1;
      }
    }
    const walked = bits.length - silent.length;
    t.diagnostic(
      `${bits.length} of ${whole.length} bytes: ${walked} found by the walk; of ${silent.length} ` +
        `others, ${opened.length} opened: ${counts.found} found by checksums and counts, ` +
        `${counts.before} lead to the commit before, ${counts.same} unused`,
    );
    assert.ok(walked > 0 && counts.found > 0 && counts.same > 0);
  });

  /** The header's magic, version and page size are looked at before the pages are. */
  function isHeadless(bit: number): boolean {
    const at = Math.floor(bit / 8) % PAGE_BYTES;
    const isMeta = bit < 2 * PAGE_BYTES * 8;
    return isMeta && ((at >= 24 && at < 32) || (at >= 48 && at < 52));
  }

  test("store: as it was written → nothing is found", () => {
    assert.equal(walkFinds(whole), false);
  });
});
