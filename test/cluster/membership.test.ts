import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../src/base/index.ts";
import { errors } from "../../src/errors/index.ts";
import type { MembershipChange } from "../../src/member/index.ts";
import { Workload } from "./clients.ts";
import { Cluster, type ClusterOptions } from "./harness.ts";
import type { ClusterNode } from "./node.ts";

/** A cluster with clients at work. */
async function busy(
  options: Partial<ClusterOptions> & { seed: number },
): Promise<{ cluster: Cluster; workload: Workload }> {
  const cluster = await Cluster.start({ size: 3, ...options });
  await cluster.untilLeader();
  // Reconfigurations want members that have been connected for a while (CL-02).
  await cluster.run(6_000);
  const workload = new Workload(cluster);
  workload.start(3, { keys: 4, restMaxMs: 40, prng: new Prng(options.seed) });
  return { cluster, workload };
}

async function allWell(
  cluster: Cluster,
  workload: Workload,
  nodes: readonly ClusterNode[] = cluster.live,
): Promise<void> {
  await workload.finish();
  await cluster.untilEven(nodes);
  workload.check(nodes);
  await cluster.sameHash(nodes);
  await cluster.close();
}

test("member add: three become five under load → all alike (CL-01, CL-02)", async () => {
  const { cluster, workload } = await busy({ seed: 101 });
  for (const name of ["m4", "m5"]) {
    const node = await cluster.join(name);
    await cluster.settled(node.running.introduced);
    assert.equal(node.running.isLearner, false);
    await cluster.run(6_000);
  }
  for (const { running } of cluster.nodes) assert.equal(running.members().length, 5);
  await allWell(cluster, workload);
});

test("member add: one becomes three → no write is refused on the way", async () => {
  const { cluster, workload } = await busy({ seed: 102, size: 1 });
  for (const name of ["m2", "m3"]) {
    const node = await cluster.join(name);
    await cluster.settled(node.running.introduced);
    await cluster.run(6_000);
  }
  await allWell(cluster, workload);
});

test("learner: does not vote, is promoted once it has caught up, then counts (CL-03, CL-08)", async () => {
  const { cluster, workload } = await busy({
    seed: 103,
    settings: { snapshotCount: 20, snapshotCatchUpEntries: 5 },
  });
  const learner = await cluster.join("m4", { isLearner: true });
  await cluster.settled(learner.running.introduced);
  assert.equal(learner.running.isLearner, true);
  const second = cluster.addHost("m5");
  const add = cluster.ask<MembershipChange>(cluster.node(1), (member, waiter) =>
    member.addMember(second.peerUrls, true, waiter),
  );
  assert.equal(await cluster.refusal(add), errors.TooManyLearners);
  await cluster.promote(learner.id);
  await cluster.until(() => !learner.running.isLearner, "it to vote");
  const promote = cluster.ask<MembershipChange>(cluster.node(1), (member, waiter) =>
    member.promoteMember(learner.id, waiter),
  );
  assert.equal(await cluster.refusal(promote), errors.MemberNotLearner);
  // Three of four are a majority, two are not.
  cluster.node(1).crash();
  await cluster.untilLeader();
  await cluster.put("three", "of four");
  cluster.node(2).crash();
  await cluster.run(5_000);
  assert.equal(cluster.leader(), undefined);
  await cluster.settled(Promise.all([cluster.node(1).start(), cluster.node(2).start()]));
  const nodes = cluster.nodes.filter((node) => node !== second);
  await allWell(cluster, workload, nodes);
});

test("learner: behind → refused promotion; one that is gone blocks nothing (CL-08)", async () => {
  const { cluster, workload } = await busy({ seed: 104 });
  const learner = await cluster.join("m4", { isLearner: true });
  const { id } = learner;
  await cluster.run(1_000);
  learner.crash();
  await cluster.run(20_000);
  const promote = cluster.ask<MembershipChange>(await cluster.untilLeader(), (member, waiter) =>
    member.promoteMember(id, waiter),
  );
  assert.equal(await cluster.refusal(promote), errors.MemberLearnerNotReady);
  await cluster.remove(id);
  await allWell(cluster, workload);
});

test("member remove: a follower under load → it is told, the others go on (CL-05, PE-20)", async () => {
  const { cluster, workload } = await busy({ seed: 105 });
  await cluster.untilLeader();
  const [follower] = cluster.followers();
  assert.ok(follower !== undefined);
  await cluster.remove(follower.id);
  await cluster.until(() => follower.wasRemoved, "it to be told");
  const rest = cluster.nodes.filter((node) => node !== follower);
  for (const { running } of rest) assert.equal(running.members().length, 2);
  await allWell(cluster, workload, rest);
});

test("member remove: one that was cut off → is told when it comes back (PE-20)", async () => {
  const { cluster, workload } = await busy({ seed: 106 });
  await cluster.untilLeader();
  const [follower] = cluster.followers();
  assert.ok(follower !== undefined);
  const rest = cluster.nodes.filter((node) => node !== follower);
  cluster.network.partition([[follower.host], rest.map(({ host }) => host)]);
  await cluster.run(10_000);
  await workload.finish();
  const leader = await cluster.untilLeader();
  const remove = cluster.ask<MembershipChange>(leader, (member, waiter) =>
    member.removeMember(follower.id, waiter),
  );
  await cluster.settled(remove);
  await cluster.run(2_000);
  assert.equal(follower.wasRemoved, false);
  cluster.network.heal();
  await cluster.until(() => follower.wasRemoved, "it to be told");
  await allWell(cluster, workload, rest);
});

test("member remove: the leader → leads on to the end, then another one does", async () => {
  const { cluster, workload } = await busy({ seed: 107 });
  const leader = await cluster.untilLeader();
  await cluster.remove(leader.id);
  await cluster.until(() => leader.wasRemoved, "it to be told");
  const rest = cluster.nodes.filter((node) => node !== leader);
  await cluster.untilLeader(leader);
  await allWell(cluster, workload, rest);
});

test("member: all three replaced, one by one, under load → nothing lost", async () => {
  const { cluster, workload } = await busy({
    seed: 108,
    settings: { snapshotCount: 30, snapshotCatchUpEntries: 10 },
  });
  for (let number = 1; number <= 3; number += 1) {
    const node = await cluster.join(`m${number + 3}`, { isLearner: true });
    await cluster.settled(node.running.introduced);
    await cluster.promote(node.id);
    await cluster.run(6_000);
    const old = cluster.node(number);
    await cluster.remove(old.id);
    await cluster.until(() => old.wasRemoved, "it to be told");
    await cluster.run(6_000);
  }
  const rest = cluster.nodes.slice(3);
  for (const { running } of rest) assert.equal(running.members().length, 3);
  await allWell(cluster, workload, rest);
});

test("member update: other peer URLs → the member is reached there (CL-06)", async () => {
  const { cluster, workload } = await busy({ seed: 109 });
  const node = cluster.node(3);
  const { id } = node;
  await cluster.settled(node.stop());
  node.peerUrls = ["http://m3:12380"];
  await cluster.changed((at) =>
    cluster.ask(at, (member, waiter) => member.updateMember(id, node.peerUrls, waiter)),
  );
  await cluster.settled(node.start());
  await cluster.untilEven();
  assert.deepEqual(node.running.members().find((row) => row.id === id)?.peerUrls, node.peerUrls);
  await allWell(cluster, workload);
});
