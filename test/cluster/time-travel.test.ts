/** Members whose whole disk went back in time: found, kept out, and brought back (E3, BT-d1-5). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Workload } from "./clients.ts";
import { Cluster } from "./harness.ts";
import type { ClusterNode } from "./node.ts";

const RUNS = Number(process.env["TIME_TRAVEL_RUNS"] ?? 3);

async function writes(cluster: Cluster, workload: Workload, count: number): Promise<void> {
  for (let number = 0; number < count; number += 1) {
    const live = cluster.live.filter(({ running }) => !running.isQuarantined);
    const node = live[number % live.length] as ClusterNode;
    await cluster.settled(workload.write(node, `k${number % 7}`, `${number}`)).catch(() => 0);
  }
}

/** It is found, replaced, and a voter again; nothing is left of its old self. */
async function recovered(cluster: Cluster, node: ClusterNode, oldId: bigint): Promise<void> {
  await cluster.until(() => {
    const leader = cluster.leader();
    if (leader === undefined || node.member === undefined || node.member.id === oldId) return false;
    const row = leader.running.members().find(({ id }) => id === node.member?.id);
    return row !== undefined && !row.isLearner && leader.running.alarms().length === 0;
  }, "the member to be back as a voter");
  assert.ok(cluster.live.every(({ running }) => running.members().every(({ id }) => id !== oldId)));
}

for (let seed = 1; seed <= RUNS; seed += 1) {
  test(`time travel: an old copy of a follower's disk under the same leader → found within a second, back as a learner and a voter within 10 s, seed ${seed} (E3a BT-d1)`, async () => {
    const cluster = await Cluster.start({ seed, size: 3 });
    const workload = new Workload(cluster);
    const leader = await cluster.untilLeader();
    const old = cluster.followers()[0] as ClusterNode;
    await writes(cluster, workload, 10);
    const image = old.image();
    await writes(cluster, workload, 30);
    await cluster.run(1_000);
    const { id } = old;
    old.crash();
    await writes(cluster, workload, 5);
    old.putBack(image);
    const atMs = cluster.nowMs;
    await cluster.settled(old.start());
    await cluster.until(() => old.member?.timeTravel !== undefined, "the finding");
    assert.ok(cluster.nowMs - atMs < 1_000, `found after ${cluster.nowMs - atMs} ms`);
    assert.match(old.running.timeTravel ?? "", /acknowledged index \d+, and its log ends at \d+/);
    await recovered(cluster, old, id);
    assert.ok(cluster.nowMs - atMs < 10_000, `back after ${cluster.nowMs - atMs} ms`);
    assert.equal(cluster.leader(), leader);
    await writes(cluster, workload, 10);
    await cluster.untilEven();
    await cluster.sameHash();
    workload.check();
    await cluster.close();
  });
}
