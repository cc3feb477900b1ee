import assert from "node:assert/strict";
import { test } from "node:test";
import {
  parseCpuMicros,
  parseMemory,
  readCpuMicros,
  readMemory,
  resetPeakRss,
} from "./process-stats.ts";

test("process stats: a stat line of a program with an odd name → user and system time", () => {
  const line = "77 (a) S (b) S 1 77 77 0 -1 4194560 900 0 0 0 250 50 7 8 20 0 12 0 100 1000 200";
  assert.equal(parseCpuMicros(line), 3_000_000);
  assert.throws(() => parseCpuMicros("nonsense"), /not a line/);
});

test("process stats: a status page → resident and peak bytes", () => {
  const page = "Name:\tetcd\nVmPeak:\t  900 kB\nVmHWM:\t   300 kB\nVmRSS:\t   200 kB\n";
  assert.deepEqual(parseMemory(page), { rssBytes: 204_800, peakRssBytes: 307_200 });
  assert.throws(() => parseMemory("Name:\tetcd\n"), /VmRSS/);
});

test("process stats: this process → it has used CPU and memory, and its peak can be reset", () => {
  const before = readCpuMicros(process.pid);
  const block = Buffer.alloc(64 * 1024 * 1024, 1);
  const high = readMemory(process.pid);
  assert.ok(block.length > 0 && high.peakRssBytes >= high.rssBytes);
  resetPeakRss(process.pid);
  const reset = readMemory(process.pid);
  assert.ok(reset.peakRssBytes - reset.rssBytes < 32 * 1024 * 1024);
  assert.ok(readCpuMicros(process.pid) >= before);
});
