import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { INCARNATION_BYTES, readIncarnation, writeIncarnation } from "./incarnation.ts";

test("incarnation: none at first; the one that was written is read again, in hex (E1)", () => {
  const backend = new MemoryBackend();
  assert.equal(readIncarnation(backend), undefined);
  writeIncarnation(backend, Buffer.alloc(INCARNATION_BYTES, 0xa5));
  assert.equal(readIncarnation(backend), "a5".repeat(16));
});
