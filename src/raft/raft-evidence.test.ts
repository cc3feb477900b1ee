/** What no correct member does: it is refused or reported, and nothing throws. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { type Message, MessageType } from "../wire/index.ts";
import { MemoryStorage } from "./memory-storage.ts";
import { RawNode } from "./raw-node.ts";
import {
  confState,
  EMPTY,
  entry,
  message,
  newLeader,
  newNode,
  TRIO,
} from "./small-cluster.test.ts";
import { APPEND_THREAD, ETCD_RAFT_OPTIONS } from "./types.ts";

test("raft: a commit index beyond the log → evidence, no throw, no commit (§3.8)", () => {
  const cluster = newLeader();
  const node = cluster.node(2n);
  assert.equal(node.step(message(MessageType.HEARTBEAT, { from: 1n, term: 1, commit: 9 })), "ok");
  cluster.settle();
  assert.deepEqual(cluster.evidence, [
    { kind: "commitBeyondLog", from: 1n, commit: 9, lastIndex: 1 },
  ]);
  assert.equal(node.raft.log.committed, 1);
});

test("raft: a hard state beyond the log → evidence at the start, no throw (§3.8)", () => {
  const storage = new MemoryStorage();
  const metadata = { confState: confState(TRIO), index: 3, term: 1 };
  storage.applySnapshot({ data: EMPTY, metadata });
  storage.setHardState({ term: 2, vote: 0n, commit: 7 });
  const { node } = newNode({ storage });
  assert.deepEqual(node.ready().evidence, [
    { kind: "commitBeyondLog", from: 1n, commit: 7, lastIndex: 3 },
  ]);
});

test("raft: entries that contradict what is committed → evidence, nothing is cut (§3.6.3)", () => {
  const cluster = newLeader();
  cluster.propose(1n, "a");
  const entries = [entry(2, 2, "other")];
  const forged = { from: 3n, term: 2, index: 1, logTerm: 1, entries };
  cluster.node(2n).step(message(MessageType.APP, forged));
  cluster.settle();
  assert.deepEqual(cluster.evidence, [
    { kind: "conflictBelowCommit", from: 3n, index: 2, term: 2, ownTerm: 1 },
  ]);
  assert.deepEqual(cluster.log(2n), ["1:", "1:a"]);
});

test("raft: an acknowledgement of what was never written → evidence, no commit (§3.5)", () => {
  const cluster = newLeader();
  cluster.node(1n).step(message(MessageType.APP_RESP, { from: 2n, term: 1, index: 50 }));
  cluster.settle();
  assert.deepEqual(cluster.evidence, [{ kind: "ackBeyondLog", from: 2n, index: 50, lastIndex: 1 }]);
  assert.equal(cluster.node(1n).raft.log.committed, 1);
});

test("raft: two leaders of one term → evidence (§3.4, election safety)", () => {
  const cluster = newLeader();
  cluster.node(1n).step(message(MessageType.HEARTBEAT, { from: 3n, term: 1 }));
  cluster.settle();
  assert.deepEqual(cluster.evidence, [{ kind: "secondLeader", from: 3n, term: 1 }]);
});

test("raft: in a peer's name what only this node may say → refused (RA-08)", () => {
  const { node } = newNode();
  assert.equal(node.step(message(MessageType.HUP, { from: 2n })), "localMessage");
  assert.equal(node.step(message(MessageType.APP, { from: 1n, term: 1 })), "localMessage");
  const forged = { from: APPEND_THREAD, term: 1, index: 1 };
  assert.equal(node.step(message(MessageType.APP_RESP, forged)), "localMessage");
  assert.equal(node.step(message(MessageType.APP, { from: 2n })), "malformed", "no term");
  const stranger = message(MessageType.VOTE_RESP, { from: 9n, term: 1 });
  assert.equal(node.step(stranger), "peerNotFound");
});

test("raft: entries out of order or of a term to come → malformed (RA-10)", () => {
  const { node } = newNode();
  const append = (entries: Message["entries"]): string => {
    return node.step(message(MessageType.APP, { from: 2n, term: 3, entries }));
  };
  assert.equal(append([entry(3, 2)]), "malformed");
  assert.equal(append([entry(3, 1), entry(2, 2)]), "malformed");
  assert.equal(append([entry(4, 1)]), "malformed");
  assert.equal(append([entry(2, 1), entry(3, 2)]), "ok");
});

test("raft: options that cannot work → refused at the start", () => {
  const storage = new MemoryStorage();
  const options = { ...ETCD_RAFT_OPTIONS, id: 1n, storage, prng: new Prng(1), readEpoch: 1n };
  assert.throws(() => new RawNode({ ...options, id: 0n }), /a member has an id/);
  assert.throws(() => new RawNode({ ...options, heartbeatTimeoutTicks: 10 }), /several heartbeats/);
  const byLease = { ...options, checkQuorum: false, readOnly: "leaseBased" } as const;
  assert.throws(() => new RawNode(byLease), /need checkQuorum/);
});
