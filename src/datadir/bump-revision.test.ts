import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { openStore } from "../mvcc/index.ts";
import { bumpRevision } from "./bump-revision.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("bump: a store whose revision is raised → goes on there, and what was before is compacted (UT-04)", async () => {
  const backend = new MemoryBackend();
  const before = await openStore(backend, { yieldToLoop: turn });
  const tx = before.begin();
  tx.put("k", Buffer.from("v"), 0n);
  tx.end();
  assert.equal(before.currentRevision, 2);
  bumpRevision(backend, 1_000_000_002);
  await backend.commit();
  const store = await openStore(backend, { yieldToLoop: turn });
  assert.equal(store.currentRevision, 1_000_000_002);
  assert.equal(store.compactRevision, 1_000_000_002);
  assert.equal(store.changesFrom(3, 10), "compacted");
  assert.ok(store.get("k", 0) !== undefined);
});
