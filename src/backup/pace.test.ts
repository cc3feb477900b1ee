import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualTime } from "../testing/index.ts";
import { BackupStopped } from "./errors.ts";
import { Pace } from "./pace.ts";

test("pace: more bytes than a second may have → waits for the next", async () => {
  const time = new ManualTime();
  const pace = new Pace({ clock: time, timers: time }, 1_000);
  let isDone = false;
  const spent = pace.spend(2_500).then(() => {
    isDone = true;
  });
  for (const [ms, wanted] of [
    [2_400, false],
    [100, true],
  ] as const) {
    time.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isDone, wanted);
  }
  await spent;
});

test("pace: stopped → whoever goes on is told", async () => {
  const time = new ManualTime();
  const pace = new Pace({ clock: time, timers: time }, 1_000);
  const waiting = pace.spend(500);
  pace.stop();
  time.advance(500);
  await assert.rejects(waiting, BackupStopped);
  await assert.rejects(pace.spend(1), BackupStopped);
});
