import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { Prng } from "../base/index.ts";
import { hashRows } from "./hash-rows.ts";
import { openStore } from "./restore.ts";
import type { MvccStore } from "./store.ts";

const SEEDS = process.env["LONG_SUITE"] === "1" ? 500 : 12;
const yieldToLoop = (): Promise<void> => Promise.resolve();

async function* rowsOf(backend: MemoryBackend) {
  const rows = backend.scan("key", Buffer.alloc(0), undefined, 1e6);
  for (let lo = 0; lo < rows.length; lo += 5) yield rows.slice(lo, lo + 5);
}

function change(store: MvccStore, prng: Prng): void {
  const tx = store.begin();
  for (let ops = 1 + prng.below(3); ops > 0; ops -= 1) {
    const key = `k${prng.below(12)}`;
    if (prng.below(4) === 0) tx.deleteRange(key, "");
    else tx.put(key, Buffer.from(`v${prng.below(1000)}`), 0n);
  }
  tx.end();
}

test("hash of rows: random histories with compactions, scrubbed or not → the store's own HashKV (UT-05)", async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const prng = new Prng(seed);
    const backend = new MemoryBackend();
    const store = await openStore(backend, { yieldToLoop });
    for (let round = 0; round < 60; round += 1) {
      change(store, prng);
      if (prng.below(10) === 0) {
        store.compact(store.currentRevision - prng.below(4));
        if (prng.below(2) === 0) while (store.compactStep(3));
      }
      const revision = prng.below(2) === 0 ? 0 : store.currentRevision - prng.below(8);
      const { compactRevision } = store;
      const found = await hashRows({ open: () => rowsOf(backend), revision, compactRevision });
      assert.deepEqual(found, await store.hashKv(revision), `seed ${seed}, round ${round}`);
    }
  }
});

test("hash of rows: a revision beyond the newest, or compacted → said so", async () => {
  const backend = new MemoryBackend();
  const store = await openStore(backend, { yieldToLoop });
  for (let count = 0; count < 5; count += 1) change(store, new Prng(count));
  const open = () => rowsOf(backend);
  const beyond = store.currentRevision + 1;
  assert.equal(await hashRows({ open, revision: beyond, compactRevision: -1 }), "future");
  assert.equal(await hashRows({ open, revision: beyond, compactRevision: 3 }), "future");
  assert.equal(await hashRows({ open, revision: 2, compactRevision: 3 }), "compacted");
});
