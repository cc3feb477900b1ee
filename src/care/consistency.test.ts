import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend, MemoryMedium } from "../backend/index.ts";
import { MessageType, stampEntry } from "../wire/index.ts";
import { Consistency, REPORT_ENTRIES, RESYNC_RETRY_MS, UNDECIDED_MS_MAX } from "./consistency.ts";
import { Doubts } from "./doubts.ts";
import { StateChain } from "./state-chain.ts";

function setUp(voters: readonly bigint[] = [1n, 2n, 3n], backend = new MemoryBackend()) {
  const state = {
    chain: new StateChain(0, undefined),
    doubts: new Doubts(backend, () => void backend.commit()),
    needStores: [] as bigint[],
    isLeader: true,
    quarantined: [] as bigint[],
    done: [] as string[],
  };
  const consistency = new Consistency({
    id: 1n,
    chain: () => state.chain,
    doubts: () => state.doubts,
    needsStore: (id) => state.needStores.includes(id),
    isLeader: () => state.isLeader,
    members: () => voters.map((id) => ({ id, isVoter: true })),
    quarantined: () => state.quarantined,
    raise: (id) => void state.done.push(`raise ${id}`),
    handOver: (to) => void state.done.push(`hand over ${to.join()}`),
    resync: (id) => void state.done.push(`resync ${id}`),
    diverged: (id, { after, upTo }) => void state.done.push(`note ${id} in ${after} to ${upTo}`),
    note: ({ kind }) => void state.done.push(`note ${kind}`),
  });
  return { consistency, state };
}

function apply(chain: StateChain, to: number, checksum = 1): StateChain {
  for (let index = chain.index + 1; index <= to; index += 1) {
    chain.row(checksum, 10);
    chain.applied(index, 1);
  }
  return chain;
}

const actions = (done: readonly string[]) => done.filter((line) => !line.startsWith("note"));

// A leader that had gone wrong, one member that had been right up to shortly before and did not
// answer since, one that was right: the two were taken for a majority against the third.
test("consistency: agreement from before the difference → does not count; who differs is not accused, nor given a store (BT-f1)", () => {
  const { consistency, state } = setUp();
  const right = apply(new StateChain(0, undefined), 10);
  apply(apply(state.chain, 10), 20, 2);
  consistency.reported(2n, right.current);
  consistency.reported(3n, apply(right, 20).current);
  consistency.tick(0);
  assert.deepEqual(state.done, []);
  assert.equal(consistency.isAttested(20, 9n), false);
  assert.equal(consistency.isDoubted, true);
  consistency.reported(2n, right.current);
  consistency.tick(50);
  assert.deepEqual(actions(state.done), ["raise 1", "hand over 2,3"]);
});

test("consistency: a state that a majority has at an index, or has had before → attested there, and not yet (BT-f2)", () => {
  const { consistency, state } = setUp();
  apply(state.chain, 10);
  assert.equal(consistency.isAttested(10, 3n), false);
  consistency.reported(2n, state.chain.current);
  assert.equal(consistency.isAttested(10, 3n), true);
  assert.equal(consistency.isAttested(10, 2n), false, "who is given it is not asked");
  apply(state.chain, 11);
  assert.equal(consistency.isAttested(11, 3n), false);
  assert.equal(consistency.isDoubted, false);
});

// Answers to appends name an index that may be older than that of the heartbeat before: with each
// one the difference was forgotten, and the store of a leader that had gone wrong given away.
test("consistency: a member that differs says what it had before that → it differs still, and writes stop in time (BT-f1)", () => {
  const { consistency, state } = setUp();
  const right = apply(new StateChain(0, undefined), 10);
  const before = right.current;
  apply(apply(state.chain, 10), 20, 2);
  apply(right, 20);
  for (let nowMs = 0; nowMs < UNDECIDED_MS_MAX; nowMs += 100) {
    consistency.reported(3n, right.current);
    consistency.tick(nowMs);
    consistency.reported(3n, before);
    consistency.tick(nowMs + 50);
    assert.equal(consistency.isDoubted, true);
  }
  assert.deepEqual(actions(state.done), []);
  consistency.tick(UNDECIDED_MS_MAX);
  assert.deepEqual(actions(state.done), ["raise 0"]);
});

test("consistency: a member that agreed says what it had before that → it is still known to have agreed (BT-f2)", () => {
  const { consistency, state } = setUp();
  apply(state.chain, 20);
  consistency.reported(2n, state.chain.current);
  consistency.reported(2n, state.chain.at(10) as never);
  assert.equal(consistency.isAttested(20, 3n), true);
});

// A leader that had gone wrong was contradicted by one of two others, lost the lead, got it again
// with the vote of the other, which lagged, and gave it its store: the wrong state had a majority.
test("consistency: who was contradicted before it lost the lead → its store is still not given away, until a majority has its state (BT-f2)", () => {
  const { consistency, state } = setUp();
  const right = apply(new StateChain(0, undefined), 10);
  const lagging = right.current;
  apply(apply(state.chain, 10), 20, 2);
  consistency.reported(3n, apply(right, 20).current);
  state.isLeader = false;
  consistency.tick(0);
  state.isLeader = true;
  consistency.reported(2n, lagging);
  consistency.tick(50);
  assert.equal(consistency.isDoubted, true);
  assert.equal(consistency.isAttested(20, 2n), false);
  state.needStores.push(2n);
  assert.equal(consistency.isUncontested(20, 2n), false, "who contradicted it is not asked");
  consistency.reported(2n, state.chain.current);
  assert.equal(consistency.isDoubted, false, "two of three have one state");
});

test("consistency: who was contradicted, and is so no more → no doubt is left (BT-f2)", () => {
  const ends: ((set: ReturnType<typeof setUp>, members: bigint[]) => void)[] = [
    ({ consistency, state }) => consistency.reported(3n, state.chain.current),
    ({ state }) => state.quarantined.push(3n),
    (_, members) => void members.pop(),
    ({ state }) => void (state.doubts = new Doubts(new MemoryBackend(), () => undefined)),
  ];
  for (const end of ends) {
    const members = [1n, 2n, 3n];
    const set = setUp(members);
    const { consistency, state } = set;
    apply(state.chain, 10);
    consistency.reported(3n, { index: 10, a: 1, b: 1 });
    state.isLeader = false;
    consistency.tick(0);
    state.isLeader = true;
    assert.equal(consistency.isDoubted, true);
    end(set, members);
    assert.equal(consistency.isDoubted, false);
  }
});

// Doubts were kept in memory alone: a leader that had gone wrong and was started again while the
// only member that had contradicted it was cut off gave its store to one that lagged.
test("consistency: who was contradicted starts again, without who contradicted it → its store is not given away, until that one agrees (BT-f2)", async () => {
  const medium = new MemoryMedium();
  const backend = new MemoryBackend({ medium });
  const before = setUp([1n, 2n, 3n], backend);
  apply(before.state.chain, 10);
  before.consistency.reported(3n, { index: 10, a: 1, b: 1 });
  before.consistency.tick(0);
  await new Promise(setImmediate);
  const { consistency, state } = setUp([1n, 2n, 3n], new MemoryBackend({ medium }));
  apply(state.chain, 10);
  consistency.tick(0);
  assert.equal(consistency.isDoubted, true);
  consistency.reported(3n, state.chain.current);
  assert.equal(consistency.isDoubted, false);
  assert.deepEqual(state.doubts.ids, []);
});

test("consistency: most voters need a store, nobody is left to contradict → uncontested; who contradicts, or has not been heard, is to be waited for (BT-f2)", () => {
  const { consistency, state } = setUp([1n, 2n, 3n, 4n]);
  apply(state.chain, 10);
  const isUncontested = () => consistency.isUncontested(10, 3n);
  state.needStores.push(3n, 4n);
  assert.equal(isUncontested(), false, "2 has not been heard");
  consistency.reported(2n, state.chain.current);
  assert.equal(isUncontested(), true);
  state.needStores.pop();
  assert.equal(isUncontested(), false, "4 may come to another state yet");
  state.needStores.push(4n);
  consistency.reported(4n, { index: 7, a: 1, b: 1 });
  assert.equal(isUncontested(), false, "4 has contradicted");
  state.quarantined.push(4n);
  assert.equal(isUncontested(), true, "4 was found wrong");
});

// The stamp of a leader that was removed since contradicted a member; without a majority that had
// all of the log its store was given to nobody, and nothing was committed any more.
test("consistency: a stamp contradicts, its leader is removed, most of the others need a store → no doubt is left (BT-f2)", () => {
  const members = [1n, 2n, 3n, 4n, 5n];
  const { consistency, state } = setUp(members);
  state.isLeader = false;
  apply(state.chain, 10);
  consistency.entry(stampEntry(Buffer.from([0x22, 0]), { index: 5, a: 1, b: 1 }));
  state.isLeader = true;
  state.needStores.push(3n, 4n);
  consistency.reported(2n, state.chain.current);
  assert.equal(consistency.isDoubted, true, "5 may have been that leader");
  members.pop();
  assert.equal(consistency.isDoubted, false);
});

test("consistency: a leader's stamp contradicts a member, which leads then → its store is given away when a majority has its state (BT-f2)", () => {
  const { consistency, state } = setUp();
  state.isLeader = false;
  apply(state.chain, 10);
  consistency.entry(stampEntry(Buffer.from([0x22, 0]), { index: 5, a: 1, b: 1 }));
  state.isLeader = true;
  assert.equal(consistency.isDoubted, true);
  consistency.reported(2n, state.chain.at(4) as never);
  assert.equal(consistency.isDoubted, true, "it may differ from there on");
  consistency.reported(2n, state.chain.at(7) as never);
  assert.equal(consistency.isDoubted, false);
});

test("consistency: a member that differs → its alarm, then a store until the alarm is gone (BT-f1)", () => {
  const { consistency, state } = setUp();
  apply(state.chain, 10);
  const wrong = apply(new StateChain(0, undefined), 10, 2);
  consistency.reported(2n, state.chain.current);
  consistency.reported(3n, wrong.current);
  consistency.tick(0);
  assert.deepEqual(actions(state.done), ["raise 3"]);
  state.quarantined = [3n];
  consistency.tick(50);
  consistency.tick(100);
  assert.deepEqual(actions(state.done), ["raise 3", "resync 3"], "once for now");
  consistency.tick(50 + RESYNC_RETRY_MS);
  assert.deepEqual(actions(state.done), ["raise 3", "resync 3", "resync 3"]);
  state.quarantined = [];
  consistency.tick(20_000);
  assert.deepEqual(actions(state.done), ["raise 3", "resync 3", "resync 3"], "compared anew");
  consistency.reported(3n, state.chain.current);
  consistency.tick(20_050);
  assert.equal(actions(state.done).length, 3);
});

test("consistency: the leader differs → it hands over to those that agree, and serves no more (BT-f2)", () => {
  const { consistency, state } = setUp();
  apply(state.chain, 10, 2);
  const right = apply(new StateChain(0, undefined), 10);
  consistency.reported(2n, right.current);
  consistency.reported(3n, right.current);
  consistency.tick(0);
  assert.equal(consistency.isSuspect, true);
  assert.deepEqual(actions(state.done), ["raise 1", "hand over 2,3"]);
  consistency.storeReplaced();
  assert.equal(consistency.isSuspect, false);
});

test("consistency: who is ahead is compared when this member has come as far; who is behind what it remembers, later (BT-f6)", () => {
  const { consistency, state } = setUp();
  apply(state.chain, 10);
  const ahead = apply(new StateChain(0, undefined), 20, 1);
  consistency.reported(2n, ahead.current);
  consistency.tick(0);
  apply(state.chain, 20);
  consistency.tick(50);
  apply(state.chain, 40_000);
  consistency.reported(3n, { index: 12, a: 99, b: 99 });
  consistency.tick(100);
  assert.deepEqual(state.done, []);
});

test("consistency: nobody can tell who is right → writes stop, at once or when members stay away", () => {
  const two = setUp([1n, 2n]);
  apply(two.state.chain, 10);
  two.consistency.reported(2n, { index: 10, a: 1, b: 1 });
  two.consistency.tick(0);
  assert.deepEqual(actions(two.state.done), ["raise 0"]);
  const three = setUp();
  apply(three.state.chain, 10);
  three.consistency.reported(2n, { index: 10, a: 1, b: 1 });
  three.consistency.tick(0);
  assert.deepEqual(actions(three.state.done), []);
  three.consistency.tick(UNDECIDED_MS_MAX);
  assert.deepEqual(actions(three.state.done), ["raise 0"]);
});

test("consistency: a member alone whose log says that its state was another → writes stop (BT-f5)", () => {
  const { consistency, state } = setUp([1n]);
  apply(state.chain, 10);
  const entry = Buffer.from([0x22, 0]);
  consistency.entry(stampEntry(entry, state.chain.at(5) as never));
  consistency.entry(entry);
  assert.deepEqual(state.done, []);
  consistency.entry(stampEntry(entry, { index: 5, a: 1, b: 1 }));
  assert.deepEqual(actions(state.done), ["raise 0"]);
});

test("consistency: reports → at round indexes to appends, of the newest to heartbeats; none while unknown", () => {
  const { consistency, state } = setUp();
  apply(state.chain, REPORT_ENTRIES + 7);
  assert.equal(consistency.report(MessageType.APP_RESP)?.index, REPORT_ENTRIES);
  assert.equal(consistency.report(MessageType.HEARTBEAT_RESP)?.index, REPORT_ENTRIES + 7);
  state.chain = new StateChain(9, undefined);
  assert.equal(consistency.report(MessageType.APP_RESP), undefined);
  assert.notEqual(consistency.stamp(), undefined);
});

test("consistency: a member that does not know its digest takes over that of the first stamped entry", () => {
  const { consistency, state } = setUp();
  const leader = apply(new StateChain(0, undefined), 30);
  state.chain = apply(new StateChain(20, undefined), 30);
  consistency.entry(stampEntry(Buffer.from([0x22, 0]), leader.at(25) as never));
  assert.equal(state.chain.agrees(leader.current), true);
});
