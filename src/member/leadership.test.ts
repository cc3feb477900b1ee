import assert from "node:assert/strict";
import { test } from "node:test";
import { errors } from "../errors/index.ts";
import { Leadership } from "./leadership.ts";

const ELECTION_MS = 1_000;

/** Member 1 of the voters 1, 2 and 3; `connected` has since when messages flow. */
function setUp() {
  const connected = new Map<bigint, number>();
  const leadership = new Leadership({
    id: 1n,
    electionTimeoutMs: ELECTION_MS,
    connectedSinceMs: (id) => connected.get(id),
    voters: () => [1n, 2n, 3n],
  });
  return { connected, leadership };
}

test("leadership: listeners → told of each other leader and of none, until they go (FR-21)", () => {
  const { leadership } = setUp();
  const heard: bigint[] = [];
  const end = leadership.onChange((leader) => heard.push(leader));
  for (const leader of [2n, 2n, 0n, 3n]) leadership.update(leader, 0);
  assert.deepEqual(heard, [2n, 0n, 3n]);
  end();
  leadership.update(1n, 0);
  assert.deepEqual(heard, [2n, 0n, 3n]);
  assert.equal(leadership.changes, 3, "leaders that were seen; none is not one");
});

test("timeouts: asked while a leader was lost → due to that; before and after it → not (FR-08)", () => {
  const { leadership, connected } = setUp();
  connected.set(2n, 0);
  leadership.update(2n, 10_000);
  const lostMs = 10_000 - 2 * ELECTION_MS;
  assert.equal(leadership.timeoutError(lostMs), errors.Timeout);
  assert.equal(leadership.timeoutError(lostMs + 1), errors.TimeoutDueToLeaderFail);
  assert.equal(leadership.timeoutError(9_999), errors.TimeoutDueToLeaderFail);
  assert.equal(leadership.timeoutError(10_000), errors.Timeout);
});

test("timeouts: no leader is known → a plain timeout (FR-08)", () => {
  const { leadership } = setUp();
  assert.equal(leadership.timeoutError(20_000), errors.Timeout);
});

test("timeouts: at a follower → the connection to the leader must be as old as the request (FR-08)", () => {
  const { leadership, connected } = setUp();
  leadership.update(2n, 0);
  assert.equal(leadership.timeoutError(5_000), errors.TimeoutDueToConnectionLost);
  connected.set(2n, 5_001);
  assert.equal(leadership.timeoutError(5_000), errors.TimeoutDueToConnectionLost);
  connected.set(2n, 5_000);
  assert.equal(leadership.timeoutError(5_000), errors.Timeout);
});

test("timeouts: at the leader → so must those to a quorum (FR-08)", () => {
  const { leadership, connected } = setUp();
  leadership.update(1n, 0);
  assert.equal(leadership.timeoutError(5_000), errors.TimeoutDueToConnectionLost);
  connected.set(3n, 5_001);
  assert.equal(leadership.timeoutError(5_000), errors.TimeoutDueToConnectionLost);
  connected.set(3n, 4_000);
  assert.equal(leadership.timeoutError(5_000), errors.Timeout, "itself and one of two");
});
