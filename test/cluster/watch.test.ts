import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../src/base/index.ts";
import { Follower, Workload } from "./clients.ts";
import { Cluster } from "./harness.ts";

test("watch: on every member, over changes of the leader → ordered, complete, once", async () => {
  const cluster = await Cluster.start({ seed: 81, size: 3 });
  await cluster.untilLeader();
  const workload = new Workload(cluster);
  const followers = cluster.nodes.map((node) => {
    const follower = new Follower(cluster, "k", "l");
    follower.follow(node);
    return follower;
  });
  workload.start(3, { keys: 4, restMaxMs: 30, prng: new Prng(1) });
  for (let turn = 0; turn < 3; turn += 1) {
    const leader = await cluster.untilLeader();
    cluster.network.partition([[leader.host], cluster.followers().map(({ host }) => host)]);
    await cluster.run(4_000);
    cluster.network.heal();
    await cluster.run(1_000);
  }
  await workload.finish();
  await cluster.untilEven();
  await cluster.run(1_000);
  for (const follower of followers) {
    follower.check(workload.acknowledged);
    assert.equal(follower.moves, 1, "it was never broken off");
    assert.deepEqual(
      follower.events.map(({ modRevision }) => modRevision),
      followers[0]?.events.map(({ modRevision }) => modRevision),
    );
  }
  await cluster.close();
});

test("watch: on a member that takes in a snapshot → goes on, nothing missed", async () => {
  const cluster = await Cluster.start({
    seed: 82,
    size: 3,
    settings: { snapshotCount: 20, snapshotCatchUpEntries: 5 },
  });
  await cluster.untilLeader();
  const [late] = cluster.followers();
  assert.ok(late !== undefined);
  const follower = new Follower(cluster, "k", "l");
  follower.follow(late);
  const workload = new Workload(cluster);
  const rest = cluster.nodes.filter((node) => node !== late);
  cluster.network.partition([[late.host], rest.map(({ host }) => host)]);
  for (let number = 0; number < 150; number += 1) {
    const [node] = rest;
    assert.ok(node !== undefined);
    await cluster.settled(workload.write(node, `k${number % 7}`, String(number)));
    if (number % 30 === 0) await cluster.run(1_000);
  }
  await cluster.run(2_000);
  cluster.network.heal();
  await cluster.untilEven();
  await cluster.run(2_000);
  assert.ok(cluster.snapshotsDelivered > 0);
  follower.check(workload.acknowledged);
  assert.equal(follower.events.length, 150);
  await cluster.close();
});
