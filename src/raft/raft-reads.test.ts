/** What a linearizable read needs (thesis 6.4). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageType } from "../wire/index.ts";
import { readRequestContext, readRequestSequence } from "./read-only.ts";
import {
  EMPTY,
  entry,
  message,
  newLeader,
  newNode,
  SmallCluster,
  TRIO,
} from "./small-cluster.test.ts";

test("raft: a read → answered after a round with a quorum (§6.4, RA-02)", () => {
  const cluster = newLeader();
  cluster.propose(1n, "a");
  cluster.holds = ({ type }) => type === MessageType.HEARTBEAT_RESP;
  cluster.node(1n).readIndex(Buffer.from("r"));
  cluster.settle();
  assert.equal(cluster.reads.length, 0);
  const [answer] = cluster.held;
  assert.ok(answer !== undefined);
  cluster.holds = () => false;
  cluster.node(1n).step(answer);
  cluster.settle();
  assert.deepEqual(cluster.reads, [{ id: 1n, read: { index: 2, context: Buffer.from("r") } }]);
});

test("raft: a read at a follower → the leader's index comes back to it (§6.4, RA-08)", () => {
  const cluster = newLeader();
  cluster.node(2n).readIndex(Buffer.from("r"));
  cluster.settle();
  assert.deepEqual(cluster.reads, [{ id: 2n, read: { index: 1, context: Buffer.from("r") } }]);
});

test("raft: an answer to an earlier read, term or run → confirms no read of now (§6.4)", () => {
  const cluster = newLeader();
  cluster.holds = ({ type }) => type === MessageType.HEARTBEAT_RESP;
  const node = cluster.node(1n);
  node.readIndex(Buffer.from("same id"));
  cluster.settle();
  const old = cluster.held;
  cluster.held = [];
  // Another leads for a while, then this one again; the same request is made again.
  cluster.holds = () => false;
  cluster.elect(2n);
  cluster.propose(2n, "a");
  cluster.elect(1n);
  cluster.holds = ({ type }) => type === MessageType.HEARTBEAT_RESP;
  node.readIndex(Buffer.from("same id"));
  cluster.settle();
  for (const answer of old) node.step({ ...answer, term: node.raft.term });
  cluster.settle();
  assert.equal(cluster.reads.length, 0);
  // Another run of the program in the same term would have another epoch.
  for (const answer of cluster.held) {
    const context = Buffer.from(answer.context);
    context.writeUInt8(context.readUInt8(0) ^ 1, 0);
    node.step({ ...answer, context });
  }
  cluster.settle();
  assert.equal(cluster.reads.length, 0);
  for (const answer of cluster.held) node.step(answer);
  cluster.settle();
  assert.equal(cluster.reads.length, 1);
});

test("raft: a Ready that was handed out → later reads and evidence do not show in it", () => {
  const cluster = newLeader();
  const node = cluster.node(1n);
  node.propose(Buffer.from("a"));
  const ready = node.ready();
  node.step(message(MessageType.HEARTBEAT, { from: 3n, term: 1 }));
  node.raft.readStates.push({ index: 1, context: EMPTY });
  assert.deepEqual([ready.readStates.length, ready.evidence.length], [0, 0]);
});

test("raft: contexts of reads → never the same twice, in no two runs (§6.4)", () => {
  const context = readRequestContext(0xfeed_0000_0000_0001n, 7);
  assert.equal(readRequestSequence(0xfeed_0000_0000_0001n, context), 7);
  assert.equal(readRequestSequence(0xfeed_0000_0000_0002n, context), undefined);
  assert.equal(readRequestSequence(0xfeed_0000_0000_0001n, context.subarray(1)), undefined);
  assert.notDeepEqual(context, readRequestContext(0xfeed_0000_0000_0001n, 8));
});

test("raft: a read before an entry of the term is committed → waits for it (§6.4, RA-07)", () => {
  const cluster = new SmallCluster(TRIO);
  cluster.holds = ({ type }) => type === MessageType.APP;
  cluster.node(1n).campaign();
  cluster.settle();
  cluster.node(1n).readIndex(Buffer.from("early"));
  cluster.settle();
  assert.equal(cluster.reads.length, 0);
  cluster.holds = () => false;
  for (const append of cluster.held) cluster.node(append.to).step(append);
  cluster.settle();
  assert.deepEqual(
    cluster.reads.map(({ read }) => read.index),
    [1],
  );
});

/**
 * The commit index is not synced, so a single voter comes back with an older one than it had served
 * reads at. It must not answer at that index before it has committed an entry of its new term.
 */
test("raft: a single voter just elected → reads wait for its own entry as well (§6.4, RA-04)", () => {
  const { node, storage } = newNode({ voters: [1n] });
  storage.append([entry(1, 1), entry(1, 2), entry(1, 3)]);
  storage.setHardState({ term: 1, vote: 1n, commit: 1 });
  const { node: restarted } = newNode({ voters: [1n], storage });
  assert.equal(node.raft.log.lastIndex(), 3);
  restarted.campaign();
  const indexes: number[] = [];
  for (let turn = 0; restarted.hasReady() && turn < 10; turn += 1) {
    const ready = restarted.ready();
    storage.append(ready.entries);
    if (ready.softState?.role === "leader") restarted.readIndex(Buffer.from("r"));
    restarted.advance();
    indexes.push(...ready.readStates.map(({ index }) => index));
  }
  assert.deepEqual(indexes, [4]);
});

test("raft: reads by lease → answered without a round (§6.4.1)", () => {
  const cluster = newLeader({ checkQuorum: true, readOnly: "leaseBased" });
  cluster.holds = () => true;
  cluster.node(1n).readIndex(Buffer.from("r"));
  cluster.settle();
  assert.equal(cluster.reads.length, 1);
});

test("raft: reads beyond the limit → dropped, and those that wait go on (§6.4)", () => {
  const cluster = newLeader({ pendingReadsMax: 2 });
  const results = ["a", "b", "c"].map((id) => cluster.node(1n).readIndex(Buffer.from(id)));
  assert.deepEqual(results, ["ok", "ok", "proposalDropped"]);
  cluster.settle();
  assert.equal(cluster.reads.length, 2);
});
