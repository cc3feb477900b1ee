import assert from "node:assert/strict";
import { test } from "node:test";
import { nameImage, namePiece, readName } from "./names.ts";

const TIME_MS = Date.parse("2026-11-21T15:04:05.123Z");

test("names: made and read again → the same", () => {
  const image = nameImage({ timeMs: TIME_MS, revision: 300_001, index: 300_017 });
  assert.equal(image.name, "2026-11-21T15:04:05.123Z_etcd_r300001_i300017.db");
  assert.deepEqual(readName(image.name), image);
  const piece = namePiece({ timeMs: TIME_MS, revision: 5, first: 7, last: 9 });
  assert.equal(piece.name, "2026-11-21T15:04:05.123Z_log_r5_i7-9.wal");
  assert.deepEqual(readName(piece.name), piece);
});

test("names: anything else in the directory → no file of a backup", () => {
  for (const name of [
    "image.part",
    "log.part",
    "2026-11-21T15:04:05.123Z_etcd_r1_i2.db.part",
    "2026-99-21T15:04:05.123Z_etcd_r1_i2.db",
    "2026-11-21T15:04:05.123Z_log_r5_i9-7.wal",
    "x2026-11-21T15:04:05.123Z_etcd_r1_i2.db",
    "2026-11-21T15:04:05Z_etcd",
    "",
  ]) {
    assert.equal(readName(name), undefined, name);
  }
});
