import assert from "node:assert/strict";
import { test } from "node:test";
import { type Backend, CorruptRecord, MemoryBackend } from "../backend/index.ts";
import { ManualTime, SimulatedDisk } from "../testing/index.ts";
import { createWal } from "../wal/index.ts";
import { Verifier } from "./verifier.ts";

const HOUR_MS = 3_600_000;

function rowKey(number: number): Buffer {
  const key = Buffer.alloc(17, "_");
  key.writeBigUInt64BE(BigInt(number), 0);
  return key;
}

async function setUp(rows: number, firstPassMs?: number) {
  const time = new ManualTime();
  const disk = new SimulatedDisk();
  await disk.makeDirectory("/wal");
  const options = { clock: time, zeroAheadBytes: 0, segmentBytes: 8192 };
  const log = await createWal(disk, "/wal", { nodeId: 1n, clusterId: 2n }, options);
  const backend = new MemoryBackend();
  for (let number = 0; number < rows; number += 1) {
    backend.put("key", rowKey(number), Buffer.alloc(300, number));
  }
  const state = { backend: backend as Backend, found: [] as string[] };
  const verifier = new Verifier({
    backend: () => state.backend,
    log,
    disk,
    clock: time,
    timers: time,
    firstPassMs,
    onStoreDamage: (error) => void state.found.push(`store: ${error.name}`),
    onLogDamage: (error) => void state.found.push(`log: ${error.name}`),
  });
  const run = async (ms: number, stepMs: number) => {
    for (let at = 0; at < ms; at += stepMs) {
      time.advance(stepMs);
      for (let turn = 0; turn < 20; turn += 1)
        await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { verifier, log, state, run, disk, time };
}

test("verifier: reads all of the store and the log, at no more than 2 MiB/s, once an hour", async () => {
  const { verifier, log, state, run } = await setUp(2_000);
  await run(5_000, 1_000);
  await run(640, 64);
  assert.ok(verifier.bytes > 500_000 && verifier.bytes <= 10 * 140_000, `${verifier.bytes} bytes`);
  await run(1_000, 64);
  assert.equal(verifier.passes, 1);
  await run(HOUR_MS - 60_000, HOUR_MS / 20);
  assert.equal(verifier.passes, 1);
  await run(120_000, 1_000);
  assert.equal(verifier.passes, 2);
  assert.deepEqual(state.found, []);
  await verifier.close();
  await log.close();
});

test("verifier: told when to begin → it does so then", async () => {
  const { verifier, log, run } = await setUp(10, 300);
  await run(200, 100);
  assert.equal(verifier.bytes, 0);
  await run(400, 64);
  assert.equal(verifier.passes, 1);
  await verifier.close();
  await log.close();
});

test("verifier: a record that fails its checksum → told once a pass, and looked for again (BT-f3)", async () => {
  const { verifier, log, state, run } = await setUp(10);
  const sound = state.backend;
  const rotten: Backend = Object.create(sound, {
    scan: {
      value: () => {
        throw new CorruptRecord("key", rowKey(3), 1, 2);
      },
    },
  });
  state.backend = rotten;
  await run(6_000, 1_000);
  assert.deepEqual(state.found, ["store: CorruptRecord"]);
  state.backend = sound;
  await run(70_000, 1_000);
  assert.equal(verifier.passes, 1);
  assert.equal(state.found.length, 1);
  await verifier.close();
  await log.close();
});

test("verifier: a log that rots → told; a close in the middle of a pass → it ends", async () => {
  const { verifier, log, state, run, disk } = await setUp(2_000);
  const [segment] = log.segments;
  assert.ok(segment !== undefined);
  const file = await disk.open(segment.path, "write");
  await file.write(Buffer.from([0xff]), 20);
  await file.close();
  await run(7_000, 64);
  assert.deepEqual(state.found, ["log: WalCorrupt"]);
  await run(60_000, 20_000);
  await verifier.close();
  await log.close();
});
