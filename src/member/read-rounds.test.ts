import assert from "node:assert/strict";
import { test } from "node:test";
import { type EtcdError, errors } from "../errors/index.ts";
import { emptyRaftMessage, EntryType, type Message, MessageType } from "../wire/index.ts";
import { READ_RETRY_MS, READS_WAITING_MAX } from "./limits.ts";
import { ReadRounds } from "./read-rounds.ts";

/** A consensus that notes what it is asked, and answers when the test says so. */
function setUp() {
  const asked: Buffer[] = [];
  const sent: Message[] = [];
  const answers: string[] = [];
  const world = { hasLeader: true, applied: 10 };
  const rounds = new ReadRounds({
    id: 1n,
    epoch: 99n,
    ask: (context) => {
      if (world.hasLeader) asked.push(context);
      return world.hasLeader;
    },
    send: (message) => sent.push(message),
    applied: () => world.applied,
    term: () => 4,
  });
  const read = (name: string, atMs = 0) =>
    rounds.add(
      {
        done: () => void answers.push(name),
        refused: (error: EtcdError) => void answers.push(`${name}: ${error.id}`),
      },
      atMs,
    );
  const confirm = (round: number, index = 10) =>
    rounds.confirmed({ index, context: asked[round] as Buffer });
  const forward = (from: bigint, context: string) => {
    const entry = { type: EntryType.NORMAL, term: 0, index: 0, data: Buffer.from(context) };
    const type = MessageType.READ_INDEX;
    rounds.addForwarded({ ...emptyRaftMessage(), type, from, entries: [entry] });
  };
  const tick = (nowMs: number, deadlineMs = -1) =>
    rounds.tick(nowMs, deadlineMs, () => errors.Timeout);
  return { rounds, asked, sent, answers, world, read, confirm, forward, tick };
}

test("read rounds: all that wait → one round, answered when its index is applied (KV-10)", () => {
  const { rounds, asked, answers, world, read, confirm } = setUp();
  read("a");
  read("b");
  rounds.start(0);
  rounds.start(0);
  assert.equal(asked.length, 1);
  confirm(0, 12);
  assert.deepEqual(answers, [], "the store is not there yet");
  rounds.appliedTo(11);
  assert.deepEqual(answers, []);
  world.applied = 12;
  rounds.appliedTo(12);
  assert.deepEqual(answers, ["a", "b"]);
  assert.equal(rounds.size, 0);
});

test("read rounds: a read that comes during a round → the next one: its round starts after it (KV-10)", () => {
  const { rounds, asked, answers, read, confirm } = setUp();
  read("a");
  rounds.start(0);
  read("b");
  rounds.start(0);
  assert.equal(asked.length, 1);
  confirm(0);
  assert.deepEqual(answers, ["a"]);
  rounds.start(0);
  assert.notDeepEqual(asked[0], asked[1]);
  confirm(0);
  assert.deepEqual(answers, ["a"], "the first round says nothing about it");
  confirm(1);
  assert.deepEqual(answers, ["a", "b"]);
});

test("read rounds: reads of followers → in the leader's round, each answered with its context", () => {
  const { rounds, asked, sent, answers, read, confirm, forward } = setUp();
  read("a");
  forward(2n, "two");
  forward(3n, "three");
  rounds.start(0);
  assert.equal(asked.length, 1);
  assert.equal(rounds.size, 1, "theirs are not reads of this member");
  confirm(0, 12);
  assert.deepEqual(answers, []);
  const texts = sent.map(({ type, to, from, index, term, entries }) => {
    assert.equal(type, MessageType.READ_INDEX_RESP);
    return `${from} to ${to}: ${index} in ${term} for ${entries[0]?.data}`;
  });
  assert.deepEqual(texts, ["1 to 2: 12 in 4 for two", "1 to 3: 12 in 4 for three"]);
});

test("read rounds: no leader → they wait; a leader → they are asked for", () => {
  const { rounds, asked, answers, world, read, confirm } = setUp();
  world.hasLeader = false;
  read("a");
  rounds.start(0);
  assert.equal(rounds.isWaiting, true);
  world.hasLeader = true;
  rounds.start(0);
  assert.equal(asked.length, 1);
  confirm(0);
  assert.deepEqual(answers, ["a"]);
});

test("read rounds: the leader is lost in the middle → a new round, the old answer is void", () => {
  const { rounds, asked, answers, read, confirm } = setUp();
  read("a");
  rounds.start(0);
  read("b");
  rounds.leaderChanged();
  rounds.start(0);
  assert.equal(asked.length, 2);
  confirm(0);
  assert.deepEqual(answers, []);
  confirm(1);
  assert.deepEqual(answers, ["a", "b"]);
});

// Each time a round was overdue it was begun anew, and the answer to the one before was void:
// behind a connection or a loop slower than the retry, no read was ever answered.
test("read rounds: no answer for long → asked again, and the late answer counts (KV-10)", () => {
  const { rounds, asked, answers, read, confirm, tick } = setUp();
  read("a");
  rounds.start(0);
  tick(READ_RETRY_MS - 1);
  assert.equal(asked.length, 1);
  tick(READ_RETRY_MS);
  assert.equal(asked.length, 2);
  assert.equal(rounds.slow, 1);
  tick(READ_RETRY_MS + 50);
  assert.equal(asked.length, 2);
  confirm(0);
  assert.deepEqual(answers, ["a"]);
  confirm(1);
  assert.deepEqual(answers, ["a"], "answered once");
});

test("read rounds: asked again → what followers passed on is still answered", () => {
  const { rounds, sent, forward, confirm, tick } = setUp();
  forward(2n, "two");
  rounds.start(0);
  forward(3n, "three");
  tick(READ_RETRY_MS);
  confirm(0);
  rounds.start(READ_RETRY_MS);
  confirm(2);
  assert.deepEqual(
    sent.map(({ to }) => to),
    [2n, 3n],
  );
});

test("read rounds: time is up → refused, wherever they wait, and the others go on (FR-08)", () => {
  const { rounds, answers, world, read, confirm, tick } = setUp();
  read("applying", 100);
  rounds.start(100);
  confirm(0, 12);
  read("asked", 100);
  read("asked later", 200);
  rounds.start(200);
  read("waiting", 100);
  read("waiting later", 200);
  tick(300, 100);
  assert.deepEqual(answers.sort(), ["applying: Timeout", "asked: Timeout", "waiting: Timeout"]);
  assert.equal(rounds.failed, 3);
  assert.equal(rounds.size, 2);
  world.applied = 12;
  rounds.appliedTo(12);
  confirm(1);
  assert.deepEqual(answers.slice(3), ["asked later"]);
  rounds.start(300);
  confirm(2);
  assert.equal(answers.at(-1), "waiting later");
});

test("read rounds: everyone of a round has given up → the round is over, the next begins", () => {
  const { rounds, asked, answers, read, confirm, tick } = setUp();
  read("a", 100);
  rounds.start(100);
  tick(200, 100);
  assert.equal(rounds.isBusy, false);
  read("b", 200);
  rounds.start(200);
  assert.equal(asked.length, 2);
  confirm(0);
  confirm(1);
  assert.deepEqual(answers, ["a: Timeout", "b"]);
});

test("read rounds: too many that are not answered → too many requests (FR-10)", () => {
  const { rounds, answers, read, confirm } = setUp();
  for (let count = 0; count < READS_WAITING_MAX; count += 1) read("x");
  rounds.start(0);
  read("one more");
  assert.deepEqual(answers, ["one more: TooManyRequests"], "those of the round count as well");
  confirm(0);
  read("y");
  assert.equal(answers.length, READS_WAITING_MAX + 1);
});

test("read rounds: refused all at once → each once, and no answer comes after it", () => {
  const { rounds, answers, read, confirm } = setUp();
  read("applying");
  rounds.start(0);
  confirm(0, 12);
  read("asked");
  rounds.start(0);
  read("waiting");
  rounds.refuseAll(errors.Stopped);
  confirm(1);
  rounds.appliedTo(12);
  assert.deepEqual(answers, ["applying: Stopped", "asked: Stopped", "waiting: Stopped"]);
  assert.equal(rounds.size, 0);
});
