import assert from "node:assert/strict";
import { test } from "node:test";
import { fileOf, roomOf, showSummary, summarize } from "./profile-summary.ts";

const frame = (functionName: string, url: string, lineNumber = 0) => ({
  functionName,
  url,
  lineNumber,
});

const profile = {
  nodes: [
    { id: 1, callFrame: frame("(root)", "") },
    { id: 2, callFrame: frame("(idle)", "") },
    { id: 3, callFrame: frame("append", "file:///x/dist/wal/log.js", 9) },
    { id: 4, callFrame: frame("", "file:///x/dist/wal/segment.js", 4) },
    { id: 5, callFrame: frame("writeBuffer", "") },
  ],
  samples: [2, 3, 3, 4, 5],
  timeDeltas: [500, 100, 200, 50, 150],
};

test("profile summary: samples of two profiles → self time by room, file and function", () => {
  const summary = summarize([profile, profile]);
  assert.equal(summary.busyMicros, 1_000);
  assert.equal(summary.idleMicros, 1_000);
  assert.deepEqual(summary.rooms, [
    ["wal", 700],
    ["writeBuffer", 300],
  ]);
  assert.deepEqual(summary.files[0], ["dist/wal/log.js", 600]);
  assert.deepEqual(
    summary.functions.map(([name]) => name),
    ["append dist/wal/log.js:10", "writeBuffer", "(anonymous) dist/wal/segment.js:5"],
  );
  const text = showSummary(summary, 1);
  assert.match(text, /busy 0\.00 s, 50 %/);
  assert.match(text, /\| wal +\| 70\.0 % \|/);
});

test("profile summary: the beginning skipped → only what comes after it", () => {
  const summary = summarize([profile], 0.0008);
  assert.equal(summary.busyMicros, 200);
  assert.deepEqual(summary.rooms[0], ["writeBuffer", 150]);
});

test("profile summary: URLs of a checkout, a package and Node → file and room", () => {
  assert.equal(fileOf("file:///work/main/src/mvcc/index.ts"), "src/mvcc/index.ts");
  assert.equal(fileOf("node:internal/timers"), "node:internal/timers");
  assert.equal(roomOf("src/mvcc/index.ts"), "mvcc");
  assert.equal(roomOf("dist/index.js"), "dist/index.js");
  assert.equal(roomOf("node_modules/lmdb/node-index.js"), "node_modules/lmdb");
  assert.equal(roomOf("node:internal/timers"), "node");
});
