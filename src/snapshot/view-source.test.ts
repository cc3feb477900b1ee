import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { memoryFile, put, readContent, snapshotBytes } from "./fixture.test.ts";
import { bucketsOfView } from "./view-source.ts";

test("snapshot of a store: every row of the view, nothing written after it (SN-03, DB-03)", async () => {
  const backend = new MemoryBackend();
  const rows = Array.from({ length: 2500 }, (_, at) =>
    put(2 + Math.floor(at / 2), "key", Buffer.alloc(300, at), at % 2),
  );
  for (const { key, value } of rows) backend.put("key", key, value);
  backend.put("lease", Buffer.alloc(8, 1), Buffer.from("lease"));
  backend.put("local", Buffer.from("own"), Buffer.from("never in a snapshot"));
  await backend.commit();
  const view = backend.openReadView();
  backend.put("key", Buffer.from("later"), Buffer.from("x"));
  await backend.commit();
  let pauses = 0;
  const pause = async (): Promise<void> => {
    pauses += 1;
  };
  const bytes = await snapshotBytes(bucketsOfView(view, pause));
  view.close();
  const found = await readContent(memoryFile(bytes));
  assert.deepEqual(found.get("key"), rows);
  assert.deepEqual(found.get("lease"), [{ key: Buffer.alloc(8, 1), value: Buffer.from("lease") }]);
  assert.equal(found.get("local"), undefined);
  assert.equal(found.size, 10);
  assert.ok(pauses > 10);
  await backend.close();
});
