import assert from "node:assert/strict";
import { test } from "node:test";
import { errors } from "../errors/index.ts";
import { ManualTime } from "../testing/index.ts";
import { StallWatch } from "./stall-watch.ts";
import type { Waiter } from "./types.ts";

const HEARTBEAT_MS = 100;

/** A leader; a blocked loop is time that passes without `ticked`. */
function setUp() {
  const time = new ManualTime();
  const rounds: Waiter<void>[] = [];
  const world = { isLeader: true };
  const stalls = new StallWatch({
    clock: time,
    heartbeatMs: HEARTBEAT_MS,
    isLeader: () => world.isLeader,
    readIndex: (waiter) => void rounds.push(waiter),
  });
  const tickAfter = (ms: number) => {
    time.advance(ms);
    stalls.ticked();
  };
  return { time, rounds, world, stalls, tickAfter };
}

test("stalls: ticks in time → no doubt, no rounds; late ones are counted", () => {
  const { rounds, stalls, tickAfter } = setUp();
  tickAfter(HEARTBEAT_MS);
  tickAfter(2 * HEARTBEAT_MS);
  assert.equal(stalls.lateTicks, 0);
  tickAfter(3 * HEARTBEAT_MS);
  assert.equal(stalls.lateTicks, 1);
  assert.equal(stalls.isInDoubt, false);
  assert.equal(rounds.length, 0);
});

test("stalls: no tick for more than three heartbeats → in doubt (LE-04)", () => {
  const { time, stalls } = setUp();
  time.advance(3 * HEARTBEAT_MS);
  assert.equal(stalls.isInDoubt, false);
  time.advance(1);
  assert.equal(stalls.isInDoubt, true);
});

// After SIGSTOP and SIGCONT the late tick came first, and the renewal that had waited in the socket
// next: the tick was seen, and a leader that had long been replaced renewed a lease by itself.
test("stalls: the tick comes at last → in doubt until a round of reads is confirmed (LE-04)", () => {
  const { rounds, stalls, tickAfter } = setUp();
  tickAfter(5_000);
  assert.equal(stalls.isInDoubt, true);
  tickAfter(HEARTBEAT_MS);
  assert.equal(rounds.length, 1, "one round at a time");
  rounds[0]?.done();
  assert.equal(stalls.isInDoubt, false);
  tickAfter(HEARTBEAT_MS);
  assert.equal(rounds.length, 1);
});

test("stalls: a round begun before another stall → says nothing about that one (LE-04)", () => {
  const { rounds, stalls, tickAfter } = setUp();
  tickAfter(5_000);
  tickAfter(5_000);
  rounds[0]?.done();
  assert.equal(stalls.isInDoubt, true);
  tickAfter(HEARTBEAT_MS);
  rounds[1]?.done();
  assert.equal(stalls.isInDoubt, false);
});

test("stalls: a round that was refused → asked for again; no leader any more → nothing to prove", () => {
  const { rounds, world, stalls, tickAfter } = setUp();
  tickAfter(5_000);
  rounds[0]?.refused(errors.Timeout);
  assert.equal(stalls.isInDoubt, true);
  tickAfter(HEARTBEAT_MS);
  assert.equal(rounds.length, 2);
  world.isLeader = false;
  tickAfter(HEARTBEAT_MS);
  assert.equal(stalls.isInDoubt, false);
});
