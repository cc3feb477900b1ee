import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../wire/index.ts";
import { MemoryStorage } from "./memory-storage.ts";
import { confState, EMPTY, entry, newNode } from "./small-cluster.test.ts";

/** Whose entries have left memory until somebody reads them again. */
class PagedStorage extends MemoryStorage {
  isInMemory = false;

  override entries(lo: number, hi: number, bytesMax: number): Entry[] | "compacted" {
    // What is on disk alone is "pending"; the consensus asks no more than whether it is there.
    return this.isInMemory ? super.entries(lo, hi, bytesMax) : ("pending" as "compacted");
  }
}

// A lone member that started with much to apply stood for election while it applied, and ended:
// what it had applied had left memory, and the consensus was to be told at the end of the batch.
test("raft: applied entries left memory before the consensus knows → it does not stand yet", () => {
  const storage = new PagedStorage();
  storage.applySnapshot({
    data: EMPTY,
    metadata: { confState: confState([1n]), index: 1, term: 1 },
  });
  storage.append([entry(1, 2, "a"), entry(1, 3, "b")]);
  storage.setHardState({ term: 1, vote: 0n, commit: 3 });
  const { node } = newNode({ storage });
  node.campaign();
  assert.equal(node.raft.role, "follower");
  storage.isInMemory = true;
  node.campaign();
  assert.notEqual(node.raft.role, "follower");
});
