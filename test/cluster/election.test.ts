import assert from "node:assert/strict";
import { test } from "node:test";
import { errors } from "../../src/errors/index.ts";
import { Cluster } from "./harness.ts";

test("election: three founders → one leader, all follow it, one member list (RA-01, RA-06)", async () => {
  const cluster = await Cluster.start({ seed: 1, size: 3 });
  const leader = await cluster.untilLeader();
  await cluster.untilEven();
  for (const { running } of cluster.nodes) {
    assert.equal(running.leader, leader.id);
    assert.equal(running.members().length, 3);
    assert.equal(running.clusterVersion, "3.7.0");
    assert.deepEqual(
      running
        .members()
        .map(({ name }) => name)
        .sort(),
      ["m1", "m2", "m3"],
    );
  }
  assert.deepEqual(
    cluster.nodes.map(({ id }) => id),
    cluster.nodes.map((node) => cluster.founderId(node)),
  );
  await cluster.close();
});

test("election: the leader's machine is gone → another leads, the old one follows it", async () => {
  const cluster = await Cluster.start({ seed: 2, size: 3 });
  const first = await cluster.untilLeader();
  await cluster.put("a", "1");
  first.crash();
  const beganMs = cluster.nowMs;
  const second = await cluster.untilLeader(first);
  assert.ok(cluster.nowMs - beganMs < 3_000, "after about an election timeout");
  await cluster.put("a", "2");
  await cluster.settled(first.start());
  await cluster.untilEven();
  assert.equal(first.running.leader, second.id);
  assert.equal(cluster.read(first, "a"), "2");
  await cluster.sameHash();
  await cluster.close();
});

test("election: the leader's process is gone, its host answers → a new leader at once", async () => {
  const cluster = await Cluster.start({ seed: 3, size: 3 });
  const first = await cluster.untilLeader();
  await cluster.put("a", "1");
  first.kill();
  const beganMs = cluster.nowMs;
  await cluster.untilLeader(first);
  assert.ok(cluster.nowMs - beganMs < 500, "well before the election timeout");
  await cluster.close();
});

test("election: an orderly stop of the leader → leadership is handed over first", async () => {
  const cluster = await Cluster.start({ seed: 4, size: 3 });
  const first = await cluster.untilLeader();
  await cluster.put("a", "1");
  await cluster.settled(first.stop());
  const beganMs = cluster.nowMs;
  await cluster.untilLeader(first);
  assert.ok(cluster.nowMs - beganMs < 50, "there is a leader when the process ends");
  await cluster.close();
});

test("election: an isolated leader → steps down; back again, it follows, no new term", async () => {
  const cluster = await Cluster.start({ seed: 5, size: 3 });
  const first = await cluster.untilLeader();
  const others = cluster.nodes.filter((node) => node !== first);
  cluster.network.partition([[first.host], others.map(({ host }) => host)]);
  const second = await cluster.untilLeader(first);
  await cluster.until(() => first.running.leader === 0n, "the old leader to step down");
  await cluster.run(20_000);
  const term = second.running.raftTerm;
  cluster.network.heal();
  await cluster.until(() => first.running.leader === second.id, "the old leader to follow");
  assert.equal(second.running.raftTerm, term, "pre-vote: who could not win disturbs nobody");
  await cluster.close();
});

test("election: a follower that hears nothing but is heard → does not disturb the leader (FR-14)", async () => {
  const cluster = await Cluster.start({ seed: 6, size: 3 });
  const leader = await cluster.untilLeader();
  const [deaf] = cluster.followers();
  assert.ok(deaf !== undefined);
  const term = leader.running.raftTerm;
  cluster.network.cutOneWay(leader.host, deaf.host);
  await cluster.run(20_000);
  assert.equal(leader.running.raftTerm, term);
  assert.equal(leader.running.leader, leader.id);
  await cluster.close();
});

test("move leader: to a follower → it leads; asked elsewhere, or of a stranger → refused (MA-08)", async () => {
  const cluster = await Cluster.start({ seed: 7, size: 3 });
  const leader = await cluster.untilLeader();
  const [follower, other] = cluster.followers();
  assert.ok(follower !== undefined && other !== undefined);
  const move = (at: typeof leader, target: bigint) =>
    cluster.ask<void>(at, (member, waiter) => member.moveLeader(target, waiter));
  assert.equal(await cluster.refusal(move(follower, other.id)), errors.NotLeader);
  assert.equal(await cluster.refusal(move(leader, 99n)), errors.BadLeaderTransferee);
  await cluster.settled(move(leader, follower.id), 1_000);
  assert.equal((await cluster.untilLeader()).host, follower.host);
  await cluster.put("a", "1");
  await cluster.close();
});

test("election: all stop and start again → what was acknowledged is there", async () => {
  const cluster = await Cluster.start({ seed: 8, size: 3 });
  for (let number = 0; number < 30; number += 1) await cluster.put(`k${number}`, "v");
  for (const node of cluster.nodes) node.crash();
  await cluster.startAll();
  await cluster.untilEven();
  for (const node of cluster.nodes) {
    for (let number = 0; number < 30; number += 1) {
      assert.equal(cluster.read(node, `k${number}`), "v");
    }
    assert.equal(node.running.members().length, 3);
  }
  await cluster.sameHash();
  await cluster.close();
});
