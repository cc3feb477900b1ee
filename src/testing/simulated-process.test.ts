import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualTime } from "./manual-time.ts";
import { SimulatedProcess } from "./simulated-process.ts";

function startProcess(): { time: ManualTime; process: SimulatedProcess; ticks: number[] } {
  const time = new ManualTime();
  const process = new SimulatedProcess(time);
  const ticks: number[] = [];
  process.every(100, () => ticks.push(time.monotonicMs() - 1_000_000));
  return { time, process, ticks };
}

test("simulated process: a clock that runs twice as fast → timers come in half the time", () => {
  const { time, process, ticks } = startProcess();
  time.advance(100);
  process.setRate(2);
  time.advance(100);
  assert.equal(process.monotonicMs(), 1_000_300);
  // The one that was planned comes as planned; those after it at the new rate.
  assert.deepEqual(ticks, [100, 200]);
  time.advance(100);
  assert.deepEqual(ticks, [100, 200, 250, 300]);
  process.setRate(1);
  time.advance(1);
  assert.equal(process.monotonicMs(), 1_000_501);
});

test("simulated process: paused → what comes is held, in order, and counted", () => {
  const { time, process, ticks } = startProcess();
  const ran: string[] = [];
  process.pause();
  process.enter(() => ran.push("a"));
  process.enter(() => ran.push("b"));
  time.advance(350);
  assert.deepEqual([ran, ticks], [[], []]);
  // A timer that comes due several times meanwhile comes once.
  assert.equal(process.heldRuns, 3);
  process.resume();
  time.turn();
  assert.deepEqual([ran, ticks], [["a", "b"], [350]]);
});

test("simulated process: ended → nothing runs, and whoever waits for the end hears of it once", () => {
  const { time, process, ticks } = startProcess();
  const ends: string[] = [];
  process.onEnd(() => ends.push("a"));
  const takeBack = process.onEnd(() => ends.push("b"));
  takeBack();
  process.end();
  process.end();
  time.advance(500);
  assert.deepEqual([ends, ticks], [["a"], []]);
  process.onEnd(() => ends.push("late"));
  assert.deepEqual(ends, ["a", "late"]);
});

test("simulated process: a wrong wall clock → told with its error, and counted", () => {
  const { process } = startProcess();
  assert.equal(process.wallMs(), 1_000_000);
  process.wallOffsetMs = -5_000;
  assert.equal(process.wallMs(), 995_000);
  assert.equal(process.wrongWallReads, 1);
});
