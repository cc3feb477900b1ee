/**
 * What the store costs by itself: `node --expose-gc bench/micro/mvcc.ts [keys]`.
 *
 * Loads random 8-byte keys with 256-byte values, one transaction each, with a commit every 100 ms
 * or 10 000 operations as a member does it; then point reads, ranges, a restart and memory.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as yieldToLoop } from "node:timers/promises";
import { type Backend, openLmdbBackend, shouldCommit } from "../../src/backend/index.ts";
import { latin1FromBytes, Prng } from "../../src/base/index.ts";
import { hostDisk } from "../../src/host/index.ts";
import { openStore } from "../../src/mvcc/index.ts";

const KEYS = Number(process.argv[2] ?? 1_000_000);
const BATCH = 64;
const prng = new Prng(1);
const value = prng.bytes(256);
let longestMs = 0;
let lastTurn = performance.now();

type Store = Awaited<ReturnType<typeof openStore>>;

function residentMb(): number {
  const status = readFileSync("/proc/self/status", "latin1");
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
}

function anonymousMb(): number {
  const status = readFileSync("/proc/self/status", "latin1");
  return Math.round(Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) / 1024);
}

function report(name: string, figure: string): void {
  console.log(`${name.padEnd(44)} ${figure}`);
}

/** Lets the loop turn and notes how long it could not. */
async function turn(): Promise<void> {
  longestMs = Math.max(longestMs, performance.now() - lastTurn);
  await yieldToLoop();
  lastTurn = performance.now();
}

/** CPU time of this thread: what other processes do in the meantime does not count. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

async function puts(store: Store, backend: Backend, keys: readonly string[]): Promise<number> {
  let lastCommit = performance.now();
  let spentMs = 0;
  for (let at = 0; at < keys.length; at += BATCH) {
    const start = performance.now();
    const cpu = cpuMs();
    const end = Math.min(keys.length, at + BATCH);
    for (let one = at; one < end; one += 1) {
      const tx = store.begin();
      tx.put(keys[one] as string, value, 0n);
      tx.end();
    }
    backend.setApplied({ index: backend.applied.index + BATCH, term: 1 });
    if (shouldCommit(backend, start - lastCommit)) {
      lastCommit = start;
      void backend.commit();
    }
    spentMs += cpuMs() - cpu;
    await turn();
    // A member would push back; here the writer only must not fall behind for ever.
    if (backend.overlayBytes > 64 * 1024 * 1024) await backend.commit();
  }
  return (spentMs * 1000) / keys.length;
}

const directory = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
report("resident at start", `${residentMb()} MB`);
let backend = await openLmdbBackend({ directory });
const checkpoint = { disk: hostDisk, directory };
let store = await openStore(backend, { yieldToLoop: turn, checkpoint });
const keys = Array.from({ length: KEYS }, () => latin1FromBytes(prng.bytes(8)));
report("resident with the bench's own keys", `${residentMb()} MB`);

let start = performance.now();
longestMs = 0;
lastTurn = start;
const loadUs = await puts(store, backend, keys);
await backend.commit();
report(`put, loading ${KEYS} keys`, `${loadUs.toFixed(2)} us of the main thread`);
report("  whole load", `${((performance.now() - start) / 1000).toFixed(2)} s`);
report("  longest turn", `${longestMs.toFixed(1)} ms`);
report("resident after loading", `${residentMb()} MB, anonymous ${anonymousMb()} MB`);
const size = backend.sizeBytes();
report(
  "file",
  `${(size.total / KEYS).toFixed(0)} B a key, in use ${(size.inUse / KEYS).toFixed(0)}`,
);

longestMs = 0;
lastTurn = performance.now();
const updates = Array.from({ length: 200_000 }, () => prng.pick(keys));
const updateUs = await puts(store, backend, updates);
await backend.commit();
report("put, updates", `${updateUs.toFixed(2)} us, longest turn ${longestMs.toFixed(1)} ms`);

const reads = Array.from({ length: 200_000 }, () => prng.pick(keys));
for (const round of ["cold", "warm"]) {
  let spent = 0;
  for (let at = 0; at < reads.length; at += BATCH) {
    const before = cpuMs();
    for (let one = at; one < at + BATCH; one += 1) {
      store.range({
        key: reads[one] as string,
        rangeEnd: "",
        revision: 0,
        limit: 0,
        countOnly: false,
        keysOnly: false,
      });
    }
    spent += cpuMs() - before;
    await turn();
  }
  report(`point read, ${round}`, `${((spent * 1000) / reads.length).toFixed(2)} us`);
}

start = cpuMs();
for (let at = 0; at < 200; at += 1) {
  store.range({
    key: prng.pick(keys),
    rangeEnd: "\0",
    revision: 0,
    limit: 1000,
    countOnly: false,
    keysOnly: false,
  });
}
report("range of 1000, count included", `${((cpuMs() - start) / 200).toFixed(2)} ms`);
start = cpuMs();
for (let at = 0; at < 20_000; at += 1) {
  store.range({
    key: prng.pick(keys),
    rangeEnd: "\0",
    revision: store.currentRevision - 1,
    limit: 0,
    countOnly: true,
    keysOnly: false,
  });
}
report("count of half the keys", `${((cpuMs() - start) / 20).toFixed(2)} us`);

longestMs = 0;
lastTurn = performance.now();
store.compact(store.currentRevision);
start = cpuMs();
let steps = 0;
while (store.compactStep(1000)) {
  steps += 1;
  await turn();
  if (steps % 10 === 0) {
    await backend.commit();
    lastTurn = performance.now();
  }
}
report("compaction", `${(cpuMs() - start).toFixed(0)} ms of CPU in ${steps} steps`);
report("  longest turn", `${longestMs.toFixed(1)} ms`);

longestMs = 0;
lastTurn = performance.now();
start = cpuMs();
await store.checkpoint();
report("checkpoint", `${(cpuMs() - start).toFixed(0)} ms of CPU`);
report("  longest turn", `${longestMs.toFixed(1)} ms`);
await backend.close();

async function restart(name: string, options: { checkpoint?: typeof checkpoint }): Promise<void> {
  globalThis.gc?.();
  report("resident before restart", `${residentMb()} MB`);
  start = performance.now();
  const cpu = cpuMs();
  backend = await openLmdbBackend({ directory });
  const opened = performance.now();
  longestMs = 0;
  lastTurn = opened;
  store = await openStore(backend, { yieldToLoop: turn, ...options });
  const openMs = (opened - start).toFixed(0);
  report(`restart, ${name}`, `${openMs} + ${(performance.now() - opened).toFixed(0)} ms`);
  report("  of it CPU of this thread", `${(cpuMs() - cpu).toFixed(0)} ms`);
  report("  longest turn", `${longestMs.toFixed(1)} ms`);
  report("resident after restart", `${residentMb()} MB, anonymous ${anonymousMb()} MB`);
}

store = undefined as never;
await restart("checkpoint", { checkpoint });
await backend.close();
store = undefined as never;
await restart("all records", {});

start = cpuMs();
const outcome = await store.hashKv(0);
report("hashKv", `${(cpuMs() - start).toFixed(0)} ms of CPU ${JSON.stringify(outcome)}`);
await backend.close();
rmSync(directory, { recursive: true });
