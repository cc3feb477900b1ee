import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { type Backend, MemoryBackend, openLmdbBackend } from "../backend/index.ts";
import { fill, timers } from "./fixture.test.ts";
import { openImage } from "./image.ts";

test("image: what was applied and not yet committed is in it, for either kind of store (MA-07, PE-04)", async (t) => {
  const directory = mkdtempSync(`${tmpdir()}/holdfast-image-`);
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const backends: Backend[] = [await openLmdbBackend({ directory }), new MemoryBackend()];
  const files: Buffer[] = [];
  for (const backend of backends) {
    fill(backend, 1000, { index: 7, term: 2 });
    const { image, applied } = await openImage({ backend, timers });
    assert.deepEqual(applied, { index: 7, term: 2 });
    const pieces: Buffer[] = [];
    for await (const piece of image.read(0)) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    assert.equal(bytes.length, image.sizeBytes);
    files.push(bytes);
    image.close();
    await backend.close();
  }
  assert.deepEqual(files[0], files[1]);
});
