import assert from "node:assert/strict";
import { test } from "node:test";
import {
  parseCpuMicros,
  parseMemory,
  PeakWatch,
  readCpuMicros,
  readMemory,
} from "./process-stats.ts";

test("process stats: a stat line of a program with an odd name → user and system time", () => {
  const line = "77 (a) S (b) S 1 77 77 0 -1 4194560 900 0 0 0 250 50 7 8 20 0 12 0 100 1000 200";
  assert.equal(parseCpuMicros(line), 3_000_000);
  assert.throws(() => parseCpuMicros("nonsense"), /not a line/);
});

test("process stats: a status page → resident and peak bytes", () => {
  const page =
    "Name:\tetcd\nVmPeak:\t  900 kB\nVmHWM:\t   300 kB\nVmRSS:\t   200 kB\nRssAnon:\t 100 kB\n";
  assert.deepEqual(parseMemory(page), {
    rssBytes: 204_800,
    peakRssBytes: 307_200,
    anonymousBytes: 102_400,
  });
  assert.throws(() => parseMemory("Name:\tetcd\n"), /VmRSS/);
});

test("process stats: this process takes 64 MB and lets go → the watch has seen them", () => {
  const cpuBefore = readCpuMicros(process.pid);
  const before = readMemory(process.pid);
  const watch = new PeakWatch(process.pid, 60_000);
  const block = Buffer.alloc(64 * 1024 * 1024, 1);
  const peakBytes = watch.stop();
  assert.equal(block.length, 64 * 1024 * 1024);
  assert.ok(peakBytes - before.anonymousBytes > 60 * 1024 * 1024);
  assert.ok(before.anonymousBytes < before.rssBytes);
  assert.ok(readMemory(process.pid).peakRssBytes >= peakBytes);
  assert.ok(readCpuMicros(process.pid) >= cpuBefore);
});
