import assert from "node:assert/strict";
import { test } from "node:test";
import { type EtcdError, errors } from "../errors/index.ts";
import { marshalRaftRequest, type RaftRequest } from "../wire/index.ts";
import { BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, FORWARDED_BYTES_MAX } from "./limits.ts";
import { type ProposalBatch, Proposals } from "./proposals.ts";

const PREFIX = 7;

function requestOf(sequence: number, memberPrefix = PREFIX): RaftRequest {
  return {
    header: { memberPrefix, sequence, username: "", authRevision: 0 },
    operation: { kind: "leaseRevoke", leaseRevoke: { id: BigInt(sequence) } },
  };
}

function setUp() {
  const proposals = new Proposals(PREFIX);
  const answers: string[] = [];
  const add = (
    sequence: number,
    atMs = 0,
    options: { isLeaders?: boolean; bytes?: number } = {},
  ) => {
    const request = requestOf(sequence);
    const data =
      options.bytes === undefined ? marshalRaftRequest(request) : Buffer.alloc(options.bytes);
    const waiter = {
      done: () => void answers.push(`${sequence}`),
      refused: (error: EtcdError) => void answers.push(`${sequence}: ${error.id}`),
    };
    const isLeaders = options.isLeaders ?? false;
    proposals.add({ data, request, waiter, atMs, isLeaders, term: 0 });
    return data;
  };
  const take = (isLeader = true) => proposals.take(isLeader, errors.NotPrimaryLessor);
  return { proposals, answers, add, take };
}

const sequences = (batch: ProposalBatch | undefined) =>
  batch?.own.map(({ request }) => request.header.sequence);

test("proposals: those of one turn → one batch, in order, own ones before forwarded ones", () => {
  const { proposals, add, take } = setUp();
  assert.equal(take(), undefined);
  proposals.addForwarded(Buffer.from("f"), 0);
  add(1);
  add(2);
  const batch = take();
  assert.deepEqual(sequences(batch), [1, 2]);
  assert.equal(batch?.data.length, 3);
  assert.equal(String(batch?.data[2]), "f");
  assert.equal(proposals.isWaiting, false);
  assert.equal(proposals.size, 2, "open until they are applied");
});

test("proposals: a dropped batch is given back → the same again, before what came since", () => {
  const { proposals, add, take } = setUp();
  add(1);
  proposals.addForwarded(Buffer.from("f"), 0);
  const batch = take() as ProposalBatch;
  add(2);
  proposals.addForwarded(Buffer.from("g"), 0);
  proposals.giveBack(batch);
  const again = take();
  assert.deepEqual(sequences(again), [1, 2]);
  assert.deepEqual(again?.data.slice(2).map(String), ["f", "g"]);
});

test("proposals: a batch ends at its limit of entries, and of bytes; the rest is the next", () => {
  const { add, take } = setUp();
  for (let sequence = 1; sequence <= BATCH_ENTRIES_MAX + 1; sequence += 1) add(sequence);
  assert.equal(take()?.data.length, BATCH_ENTRIES_MAX);
  assert.deepEqual(sequences(take()), [BATCH_ENTRIES_MAX + 1]);
  const half = BATCH_BYTES_MAX / 2;
  for (const sequence of [1, 2, 3]) add(sequence, 0, { bytes: half });
  assert.deepEqual(sequences(take()), [1, 2]);
  assert.deepEqual(sequences(take()), [3]);
});

test("proposals: forwarded bytes beyond the limit → refused, with room again when taken (FR-10)", () => {
  const { proposals, take } = setUp();
  const half = Buffer.alloc(FORWARDED_BYTES_MAX / 2);
  assert.equal(proposals.addForwarded(half, 0), true);
  assert.equal(proposals.addForwarded(half, 0), true);
  assert.equal(proposals.addForwarded(Buffer.alloc(1), 0), false);
  const batch = take() as ProposalBatch;
  assert.equal(proposals.addForwarded(Buffer.alloc(1), 0), true);
  proposals.giveBack(batch);
  assert.equal(proposals.addForwarded(half, 0), false, "what is given back counts again");
});

test("proposals: an entry → its proposal by the id in it, once, and nobody else's", () => {
  const { proposals, add } = setUp();
  const data = add(1);
  assert.equal(proposals.claim(Buffer.from(data))?.request.header.sequence, 1);
  assert.equal(proposals.claim(data), undefined, "only once");
  add(2);
  assert.equal(proposals.claim(marshalRaftRequest(requestOf(2, PREFIX + 1))), undefined);
  // The ids of two members can meet in their 16 bits.
  const other = { ...requestOf(2), operation: requestOf(3).operation };
  assert.equal(proposals.claim(marshalRaftRequest(other)), undefined);
  assert.equal(proposals.claim(Buffer.from("no request")), undefined);
  assert.equal(proposals.size, 1);
});

test("proposals: time is up → answered oldest first, and the entry may still come (FR-08)", () => {
  const { proposals, answers, add, take } = setUp();
  const data = add(1, 100);
  add(2, 200);
  add(3, 300);
  proposals.handedOver(take() as ProposalBatch, 5);
  proposals.expire(200, () => errors.Timeout);
  assert.deepEqual(answers, ["1: Timeout", "2: Timeout"]);
  assert.equal(proposals.size, 1);
  assert.equal(proposals.claim(data), undefined, "applied like any entry, but nobody waits");
});

// Without a leader, each request left its entry behind in the queue when its time was up: after an
// hour of clients that tried again, the queue held all that they had ever asked for.
test("proposals: no leader for long → what was answered is forgotten (FR-10)", () => {
  const { proposals, answers, add, take } = setUp();
  for (let sequence = 1; sequence <= 100; sequence += 1) {
    add(sequence, sequence);
    proposals.expire(sequence - 10, () => errors.Timeout);
  }
  assert.equal(answers.length, 90);
  proposals.expire(1_000, () => errors.Timeout);
  assert.equal(proposals.isWaiting, false);
  assert.equal(take(), undefined);
});

// A write that another member had passed on waited for a leader without end, and came into effect
// long after its client had been told of a timeout and had gone on.
test("proposals: forwarded ones that wait too long → forgotten, later ones stay", () => {
  const { proposals, take } = setUp();
  proposals.addForwarded(Buffer.from("old"), 100);
  proposals.addForwarded(Buffer.from("new"), 200);
  proposals.expire(100, () => errors.Timeout);
  assert.deepEqual(take()?.data.map(String), ["new"]);
});

test("proposals: a new term → what earlier leaders were given is answered, what waits stays", () => {
  const { proposals, answers, add, take } = setUp();
  add(1);
  proposals.handedOver(take() as ProposalBatch, 4);
  add(2);
  proposals.handedOver(take() as ProposalBatch, 5);
  add(3);
  proposals.abandonBefore(5, errors.TimeoutDueToLeaderFail);
  assert.deepEqual(answers, ["1: TimeoutDueToLeaderFail"]);
  assert.deepEqual(sequences(take()), [3]);
});

test("proposals: those of a leader are never passed on to another one (LE-09)", () => {
  const { proposals, answers, add, take } = setUp();
  add(1, 0, { isLeaders: true });
  add(2);
  assert.deepEqual(sequences(take(false)), [2]);
  assert.deepEqual(answers, ["1: NotPrimaryLessor"]);
  assert.equal(proposals.size, 1);
});

test("proposals: refused all at once → each answered once, none is left", () => {
  const { proposals, answers, add, take } = setUp();
  add(1);
  proposals.handedOver(take() as ProposalBatch, 4);
  add(2);
  proposals.addForwarded(Buffer.from("f"), 0);
  proposals.refuseAll(errors.Stopped);
  proposals.expire(1_000, () => errors.Timeout);
  assert.deepEqual(answers, ["1: Stopped", "2: Stopped"]);
  assert.equal(proposals.size, 0);
  assert.equal(proposals.isWaiting, false);
});
