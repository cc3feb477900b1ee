import assert from "node:assert/strict";
import { test } from "node:test";
import { type EtcdError, errors } from "../errors/index.ts";
import { TRANSFERS_WAITING_MAX } from "./limits.ts";
import { Transfers } from "./transfers.ts";

function setUp() {
  const asked: bigint[] = [];
  const answers: string[] = [];
  const transfers = new Transfers({ transferLeader: (to) => void asked.push(to) }, 1_000);
  const start = (target: bigint, nowMs = 0) =>
    transfers.start(target, nowMs, {
      done: () => void answers.push(`${target}`),
      refused: (error: EtcdError) => void answers.push(`${target}: ${error.id}`),
    });
  return { asked, answers, transfers, start };
}

test("transfers: the target leads → done; another one does → it goes on waiting (MA-08)", () => {
  const { asked, answers, transfers, start } = setUp();
  start(2n);
  start(3n);
  assert.deepEqual(asked, [2n, 3n]);
  transfers.leaderIs(0n);
  transfers.leaderIs(2n);
  assert.deepEqual(answers, ["2"]);
  transfers.leaderIs(3n);
  transfers.leaderIs(2n);
  assert.deepEqual(answers, ["2", "3"]);
});

test("transfers: an election timeout has passed → took too long, once (MA-08)", () => {
  const { answers, transfers, start } = setUp();
  start(2n, 0);
  start(3n, 500);
  transfers.tick(999);
  assert.deepEqual(answers, []);
  transfers.tick(1_000);
  assert.deepEqual(answers, ["2: TimeoutLeaderTransfer"]);
  transfers.tick(1_500);
  transfers.leaderIs(2n);
  assert.deepEqual(answers, ["2: TimeoutLeaderTransfer", "3: TimeoutLeaderTransfer"]);
});

// A member that was closed stopped its clocks, and with them what ended a transfer: the client that
// had asked for it never heard of it again.
test("transfers: the member stops → each is answered (MA-08)", () => {
  const { answers, transfers, start } = setUp();
  start(2n);
  transfers.refuseAll(errors.Stopped);
  transfers.tick(10_000);
  assert.deepEqual(answers, ["2: Stopped"]);
});

test("transfers: too many at once → too many requests (FR-10)", () => {
  const { asked, answers, start } = setUp();
  for (let count = 0; count <= TRANSFERS_WAITING_MAX; count += 1) start(2n);
  assert.deepEqual(answers, ["2: TooManyRequests"]);
  assert.equal(asked.length, TRANSFERS_WAITING_MAX);
});
