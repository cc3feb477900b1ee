import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApplyOutcome } from "../apply/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import { ManualTime } from "../testing/index.ts";
import { type Entry, EntryType, marshalRaftRequest, type RaftRequest } from "../wire/index.ts";
import { ApplyQueue } from "./apply-queue.ts";
import { APPLY_SLICE_ENTRIES } from "./limits.ts";
import { Proposals } from "./proposals.ts";

const EMPTY = Buffer.alloc(0);

function requestOf(sequence: number): RaftRequest {
  return {
    header: { memberPrefix: 1, sequence, username: "", authRevision: 0 },
    operation: { kind: "leaseRevoke", leaseRevoke: { id: BigInt(sequence) } },
  };
}

function entryOf(index: number, data = marshalRaftRequest(requestOf(index))): Entry {
  return { type: EntryType.NORMAL, term: 1, index, data };
}

function entriesOf(count: number, from = 1): Entry[] {
  return Array.from({ length: count }, (_, at) => entryOf(from + at));
}

function setUp(apply: (index: number) => ApplyOutcome = () => ({ kind: "leaseCheckpoint" })) {
  const time = new ManualTime();
  const proposals = new Proposals(1);
  /** What the machine was given: "3", "3 waited", "conf 3", "pass 3", "to 3". */
  const steps: string[] = [];
  const answers: string[] = [];
  const broken: unknown[] = [];
  const store = { isBehind: false, durableCommit: 1_000_000 };
  const queue = new ApplyQueue({
    timers: time,
    proposals,
    applier: {
      applyRequest: ({ index }, _request, isWaited) => {
        steps.push(isWaited ? `${index} waited` : `${index}`);
        return apply(index);
      },
      applyConfChange: ({ index }) => void steps.push(`conf ${index}`),
      pass: ({ index }) => void steps.push(`pass ${index}`),
      appliedTo: (index) => void steps.push(`to ${index}`),
    },
    isHealable: () => false,
    ensureCommit: (index) => store.durableCommit >= index,
    isHeldBack: () => store.isBehind,
    onBroken: (error) => {
      broken.push(error);
      proposals.refuseAll(errors.Stopped);
    },
  });
  const propose = (sequence: number) => {
    const request = requestOf(sequence);
    proposals.add({
      data: marshalRaftRequest(request),
      request,
      waiter: {
        done: () => void answers.push(`${sequence}`),
        refused: (error: EtcdError) => void answers.push(`${sequence}: ${error.id}`),
      },
      atMs: 0,
      isLeaders: false,
      term: 1,
    });
  };
  return { time, proposals, steps, answers, broken, store, queue, propose };
}

test("apply queue: entries → applied in order, waiters answered, then told how far", () => {
  const { queue, steps, answers, propose } = setUp((index) =>
    index === 2 ? errors.LeaseNotFound : { kind: "leaseCheckpoint" },
  );
  propose(1);
  propose(2);
  let isDone = false;
  queue.push(entriesOf(3), () => {
    isDone = true;
  });
  assert.deepEqual(steps, ["1 waited", "2 waited", "3", "to 3"]);
  assert.deepEqual(answers, ["1", "2: LeaseNotFound"]);
  assert.equal(isDone, true);
  assert.equal(queue.isEmpty, true);
});

test("apply queue: many entries → slices with turns of the loop between them", () => {
  const { queue, steps, time } = setUp();
  const done: number[] = [];
  const all = entriesOf(2 * APPLY_SLICE_ENTRIES + 1, 1_000);
  queue.push(all, () => done.push(1));
  assert.equal(steps.length, APPLY_SLICE_ENTRIES + 1);
  assert.equal(steps.at(-1), `to ${1_000 + APPLY_SLICE_ENTRIES - 1}`);
  assert.deepEqual(done, []);
  time.turn();
  assert.equal(steps.at(-1), `to ${1_000 + 2 * APPLY_SLICE_ENTRIES}`);
  assert.deepEqual(done, [1]);
});

test("apply queue: many batches that wait → a slice is no longer for it, each is done in its turn", () => {
  const { queue, steps, store, time } = setUp();
  store.isBehind = true;
  const done: number[] = [];
  const half = APPLY_SLICE_ENTRIES / 2;
  for (const at of [0, 1, 2]) queue.push(entriesOf(half, 1 + at * half), () => done.push(at));
  store.isBehind = false;
  // One turn: the slice that the next push begins.
  queue.push([], () => done.push(3));
  assert.equal(steps.at(-1), `to ${APPLY_SLICE_ENTRIES}`);
  assert.deepEqual(done, [0, 1]);
  time.turn();
  assert.deepEqual(done, [0, 1, 2, 3]);
});

test("apply queue: what `done` brings is applied after it, in its own turn", () => {
  const { queue, steps, time } = setUp();
  queue.push(entriesOf(1), () => queue.push(entriesOf(1, 2), () => undefined));
  assert.deepEqual(steps, ["1", "to 1"]);
  time.turn();
  assert.deepEqual(steps, ["1", "to 1", "2", "to 2"]);
});

test("apply queue: entries that are empty, unreadable or of the configuration → their own ways", () => {
  const { queue, steps } = setUp();
  const entries = [
    entryOf(1, EMPTY),
    entryOf(2, Buffer.from("\xff\xff\xff", "latin1")),
    { ...entryOf(3), type: EntryType.CONF_CHANGE },
    { ...entryOf(4), type: EntryType.CONF_CHANGE_V2 },
  ];
  queue.push(entries, () => undefined);
  assert.deepEqual(steps, ["pass 1", "pass 2", "conf 3", "conf 4", "to 4"]);
});

test("apply queue: a store that is behind → nothing is applied until it has caught up", () => {
  const { queue, steps, store, time } = setUp();
  store.isBehind = true;
  queue.push(entriesOf(1), () => undefined);
  time.turn();
  assert.deepEqual(steps, []);
  queue.wake();
  time.turn();
  assert.deepEqual(steps, [], "it is still behind");
  store.isBehind = false;
  queue.wake();
  time.turn();
  assert.deepEqual(steps, ["1", "to 1"]);
});

// The entry's proposal had been taken from the open ones to be answered when it was applied; when
// applying it failed, nobody knew of its waiter any more, and that client waited for ever.
test("apply queue: a machine that throws → its waiter is answered too, and all stops", () => {
  const { queue, answers, broken, steps, propose, time } = setUp(() => {
    throw new Error("record at key x: bad checksum");
  });
  propose(1);
  propose(2);
  queue.push(entriesOf(2), () => assert.fail("nothing was applied"));
  assert.match(String(broken[0]), /bad checksum/);
  assert.deepEqual(answers, ["1: Stopped", "2: Stopped"]);
  queue.push(entriesOf(1, 3), () => assert.fail("it has stopped"));
  time.turn();
  assert.deepEqual(steps, ["1 waited"]);
  assert.equal(broken.length, 1);
});

test("apply queue: stopped → what waits is given up", () => {
  const { queue, steps, time } = setUp();
  queue.push(entriesOf(APPLY_SLICE_ENTRIES + 1), () => assert.fail("it was stopped"));
  queue.stop();
  time.turn();
  assert.equal(steps.at(-1), `to ${APPLY_SLICE_ENTRIES}`);
  assert.equal(queue.isEmpty, true);
});

test("apply queue: what waits while the store is behind is passed over → it is done, and nothing of it applied", () => {
  const { queue, steps, store } = setUp();
  store.isBehind = true;
  let isDone = false;
  queue.push(entriesOf(3), () => {
    isDone = true;
  });
  queue.passOver();
  assert.equal(isDone, true);
  assert.equal(queue.isEmpty, true);
  assert.deepEqual(steps, []);
});

// A member that was told of its removal by a leader which a crash made forget it was gone for good,
// and needed (decision 0033).
test("apply queue: a change that a crash could take back → it, and what follows, waits (CL-05, RA-04)", () => {
  const { queue, steps, store, time } = setUp();
  store.durableCommit = 2;
  const change: Entry = { type: EntryType.CONF_CHANGE, term: 1, index: 3, data: EMPTY };
  let isDone = false;
  queue.push([entryOf(2), change, entryOf(4)], () => {
    isDone = true;
  });
  assert.deepEqual(steps, ["2", "to 2"]);
  time.turn();
  queue.wake();
  time.turn();
  assert.equal(time.hasSoon, false, "nothing is tried until it is woken");
  assert.deepEqual(steps, ["2", "to 2"]);
  store.durableCommit = 3;
  queue.wake();
  time.turn();
  assert.deepEqual(steps, ["2", "to 2", "conf 3", "4", "to 4"]);
  assert.equal(isDone, true);
});
