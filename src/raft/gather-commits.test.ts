import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageType } from "../wire/index.ts";
import { SmallCluster } from "./small-cluster.test.ts";

/** Appends that a leader sent for two proposals, the second made before the first was shared. */
function appendsFor(gatherCommits: boolean): { empty: number; full: number } {
  const cluster = new SmallCluster([1n, 2n, 3n], { gatherCommits });
  const leader = cluster.node(1n);
  leader.campaign();
  cluster.settle();
  const before = cluster.sent.length;
  leader.propose(Buffer.from("a"));
  // The acknowledgements of "a" are taken in one turn with the proposal of "b".
  cluster.holds = ({ to }) => to === 1n;
  cluster.settle();
  const acknowledgements = cluster.held;
  cluster.held = [];
  cluster.holds = () => false;
  for (const acknowledgement of acknowledgements) leader.step(acknowledgement);
  leader.propose(Buffer.from("b"));
  cluster.settle();
  assert.equal(leader.hasUnsharedCommit, gatherCommits);
  leader.shareCommit();
  cluster.settle();
  assert.equal(leader.hasUnsharedCommit, false);
  for (const id of [1n, 2n, 3n]) {
    assert.equal(cluster.node(id).raft.log.committed, leader.raft.log.lastIndex());
    assert.deepEqual(
      cluster.applied
        .get(id)
        ?.map(({ data }) => data.toString())
        .slice(-2),
      ["a", "b"],
    );
  }
  const appends = cluster.sent.slice(before).filter(({ type }) => type === MessageType.APP);
  const full = appends.filter(({ entries }) => entries.length > 0).length;
  return { full, empty: appends.length - full };
}

test("raft: commits gathered → they go with the next entries, and alone only at the end", () => {
  const one = appendsFor(false);
  const gathered = appendsFor(true);
  assert.equal(gathered.full, one.full);
  assert.ok(gathered.empty < one.empty, `${gathered.empty} < ${one.empty}`);
  assert.ok(gathered.empty <= 2, "each follower is told the end once");
});
