import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualTime } from "../testing/index.ts";
import { DiskSpace } from "./disk-space.ts";

const MIB = 1024 * 1024;

function setUp(totalBytes: number, wasLow = false) {
  const time = new ManualTime();
  const state = { freeBytes: totalBytes, totalBytes, isMute: false, told: [] as string[] };
  const watch = new DiskSpace({
    disk: {
      space: async () => {
        if (state.isMute) throw new Error("no such call");
        return state;
      },
    },
    paths: ["/log", "/store"],
    timers: time,
    wasLow,
    onLow: (path, free, reserve) => void state.told.push(`${path} ${free / MIB} ${reserve / MIB}`),
    onBack: () => void state.told.push("back"),
  });
  const look = async (freeMib: number) => {
    state.freeBytes = freeMib * MIB;
    time.advance(1_000);
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    return state.told.splice(0);
  };
  return { watch, state, look };
}

test("disk space: less than the reserve → told at each look; back with half as much more, once (QU-02)", async () => {
  const { watch, look } = setUp(10_000 * MIB);
  assert.deepEqual(await look(600), []);
  assert.deepEqual(await look(499), ["/log 499 500", "/store 499 500"]);
  assert.deepEqual(await look(10), ["/log 10 500", "/store 10 500"]);
  assert.deepEqual(await look(700), [], "not yet");
  assert.deepEqual(await look(751), ["back"]);
  assert.deepEqual(await look(751), []);
  watch.close();
  assert.deepEqual(await look(1), []);
});

test("disk space: there was too little before a restart → back is told when there is room", async () => {
  const { look } = setUp(10_000 * MIB, true);
  assert.deepEqual(await look(700), []);
  assert.deepEqual(await look(800), ["back"]);
  assert.deepEqual(await look(800), []);
});

test("disk space: the reserve is bounded, on very large disks and on very small ones", async () => {
  const large = setUp(1024 * 1024 * MIB);
  assert.deepEqual(await large.look(1_025), []);
  assert.equal((await large.look(1_023)).length, 2);
  const small = setUp(64 * MIB);
  assert.deepEqual(await small.look(17), []);
  assert.equal((await small.look(15)).length, 2);
});

test("disk space: a disk that does not say → nothing is told", async () => {
  const { state, look } = setUp(10_000 * MIB);
  state.isMute = true;
  assert.deepEqual(await look(1), []);
});
