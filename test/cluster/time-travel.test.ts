/** Members whose whole disk went back in time: found, kept out, and brought back (E3, BT-d1-5). */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { feed } from "../harness/feed.ts";
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

for (let seed = 1; seed <= RUNS; seed += 1) {
  for (const restart of ["the leader", "everyone"] as const) {
    test(`time travel: an old copy of a follower's disk, and ${restart} restarted meanwhile → found all the same, seed ${seed} (E3b BT-d2)`, async () => {
      const cluster = await Cluster.start({ seed: 100 + seed, size: 3 });
      const workload = new Workload(cluster);
      const leader = await cluster.untilLeader();
      const old = cluster.followers()[0] as ClusterNode;
      await writes(cluster, workload, 10);
      const image = old.image();
      await writes(cluster, workload, 30);
      await cluster.run(1_100);
      const { id } = old;
      old.crash();
      old.putBack(image);
      const others = cluster.nodes.filter((node) => node !== old);
      for (const node of restart === "everyone" ? others : [leader]) {
        if (cluster.prng.chance(0.5)) node.crash();
        else node.kill();
      }
      for (const node of cluster.nodes) if (!node.isRunning) await cluster.settled(node.start());
      await recovered(cluster, old, id);
      await writes(cluster, workload, 10);
      await cluster.untilEven();
      await cluster.sameHash();
      workload.check();
      await cluster.close();
    });
  }

  test(`time travel: writes on the leader and an old member, the third running and behind; the leader dies, the member comes with an old disk → nothing is lost, seed ${seed} (E3c BT-d3)`, async () => {
    const cluster = await Cluster.start({ seed: 200 + seed, size: 3 });
    const workload = new Workload(cluster);
    const leader = await cluster.untilLeader();
    const [old, third] = cluster.followers() as [ClusterNode, ClusterNode];
    await writes(cluster, workload, 10);
    const image = old.image();
    // It hears of what is acknowledged, and does not get it.
    cluster.network.setConditions(leader.host, third.host, { lossRate: 0.7 });
    await writes(cluster, workload, 20);
    await cluster.run(300);
    const { id } = old;
    leader.crash();
    old.crash();
    old.putBack(image);
    cluster.network.heal();
    await cluster.settled(old.start());
    await cluster.run(5_000);
    // Two are not enough to go on with: one of them does not know what it promised.
    assert.match(old.running.timeTravel ?? "", /its/);
    assert.equal(cluster.leader(), undefined);
    await cluster.settled(leader.start());
    await recovered(cluster, old, id);
    await writes(cluster, workload, 10);
    await cluster.untilEven();
    await cluster.sameHash();
    workload.check();
    await cluster.close();
  });
}

test("time travel: an old copy of the leader's disk, in a cluster of five → another leads, the old one is found and back (E3a BT-d1)", async () => {
  const cluster = await Cluster.start({ seed: 400, size: 5 });
  const workload = new Workload(cluster);
  const leader = await cluster.untilLeader();
  await writes(cluster, workload, 10);
  const image = leader.image();
  await writes(cluster, workload, 20);
  await cluster.run(1_100);
  const { id } = leader;
  leader.crash();
  leader.putBack(image);
  await cluster.settled(leader.start());
  await cluster.until(() => leader.member?.timeTravel !== undefined, "the finding");
  await recovered(cluster, leader, id);
  await writes(cluster, workload, 10);
  await cluster.untilEven();
  await cluster.sameHash();
  workload.check();
  await cluster.close();
});

test("time travel: a member is killed at any moment of its way back → it gets there all the same (BT-d1)", async () => {
  const cluster = await Cluster.start({ seed: 401, size: 3 });
  const workload = new Workload(cluster);
  await cluster.untilLeader();
  const old = cluster.followers()[0] as ClusterNode;
  for (let round = 0; round < 8; round += 1) {
    await writes(cluster, workload, 3);
    const { id } = old;
    const image = old.image();
    await writes(cluster, workload, 5);
    await cluster.run(1_100);
    old.crash();
    old.putBack(image);
    await cluster.settled(old.start());
    await cluster.run(cluster.prng.below(2_500));
    if (cluster.prng.chance(0.5)) old.crash();
    else old.kill();
    const leader = cluster.leader();
    if (leader !== undefined && round % 2 === 1) leader.kill();
    await cluster.run(cluster.prng.below(100));
    for (const node of cluster.nodes) if (!node.isRunning) await cluster.settled(node.start());
    await recovered(cluster, old, id);
  }
  await cluster.untilEven();
  await cluster.sameHash();
  workload.check();
  await cluster.close();
});

/** The third of three members is down while the other two go on; then the leader dies, too. */
async function forgetful(
  seed: number,
  options: { readonly strict?: boolean; readonly witness?: boolean },
): Promise<{
  cluster: Cluster;
  workload: Workload;
  leader: ClusterNode;
  old: ClusterNode;
  third: ClusterNode;
}> {
  const rollbackProtection = options.strict === true ? "strict" : "detect";
  const cluster = new Cluster({ seed, size: 3, settings: { rollbackProtection } });
  if (options.witness === true)
    for (const node of cluster.nodes) node.witnessDirectory = "/witness";
  await cluster.startAll();
  const workload = new Workload(cluster);
  const leader = await cluster.untilLeader();
  const [old, third] = cluster.followers() as [ClusterNode, ClusterNode];
  await writes(cluster, workload, 10);
  const image = old.image();
  third.crash();
  await writes(cluster, workload, 20);
  await cluster.run(2_100);
  leader.crash();
  old.putBack(image);
  await cluster.settled(old.start());
  await cluster.settled(third.start());
  return { cluster, workload, leader, old, third };
}

test("time travel: the only one who knows is dead, and there is a witness → found, blocked until it is back, nothing lost (E3c BT-d3)", async () => {
  const { cluster, workload, leader, old } = await forgetful(300, { witness: true });
  await cluster.run(5_000);
  assert.match(old.running.timeTravel ?? "", /its/);
  assert.equal(cluster.leader(), undefined);
  const { id } = old;
  await cluster.settled(leader.start());
  await recovered(cluster, old, id);
  await cluster.untilEven();
  await cluster.sameHash();
  workload.check();
  await cluster.close();
});

test("time travel: the only one who knows is dead, strict → nobody leads, it is said why; back again, nothing is lost (E3c BT-d3)", async () => {
  const { cluster, workload, leader, old } = await forgetful(301, { strict: true });
  await cluster.run(15_000);
  assert.equal(cluster.leader(), undefined);
  assert.match(cluster.trace.last(200), /does not vote before it was compared with more/);
  const { id } = old;
  await cluster.settled(leader.start());
  await recovered(cluster, old, id);
  await cluster.untilEven();
  await cluster.sameHash();
  workload.check();
  await cluster.close();
});

test("time travel: strict, and all are restarted in order or by a power cut → they go on at once, nobody is accused (BT-d3)", async () => {
  const settings = { rollbackProtection: "strict" } as const;
  const cluster = await Cluster.start({ seed: 302, size: 3, settings });
  const workload = new Workload(cluster);
  await writes(cluster, workload, 10);
  for (const node of [...cluster.live]) await cluster.settled(node.stop());
  await cluster.startAll();
  await writes(cluster, workload, 10);
  for (const node of [...cluster.live]) node.crash();
  const atMs = cluster.nowMs;
  await cluster.startAll();
  assert.ok(cluster.nowMs - atMs < 3_000, `${cluster.nowMs - atMs} ms`);
  await cluster.untilEven();
  workload.check();
  await cluster.close();
});

test("time travel: the loss is accepted, the old leader comes back → its log diverges, it says where, and it is replaced (BT-d5)", async () => {
  const { cluster, leader, old } = await forgetful(303, { witness: true });
  await cluster.until(() => old.running.timeTravel !== undefined, "the finding");
  const id = cluster.founderId(leader);
  // Two histories from here on, by an operator's choice.
  cluster.invariants.applied.clear();
  cluster.invariants.chronicle.clear();
  cluster.invariants.excused.add(leader.host);
  leader.wentBack = true;
  await cluster.settled(old.stop());
  await cluster.settled(old.start({ acceptsRollback: true }));
  await cluster.untilLeader();
  await cluster.put("new", "history");
  await cluster.settled(leader.start());
  const reason = /log diverges at index \d+: term 2 here, 3 there/;
  await cluster.until(() => reason.test(leader.member?.timeTravel ?? ""), "the divergence");
  await recovered(cluster, leader, id);
  await cluster.untilEven();
  await cluster.sameHash();
  assert.equal(await cluster.get("new"), "history");
  await cluster.close();
});

const HISTORIES = Number(process.env["TIME_TRAVEL_HISTORIES"] ?? 3);
const CHILD = join(import.meta.dirname, "time-travel-process.ts");

test(`time travel: clients, crashes, partitions and disks put back, ${HISTORIES} times → no acknowledged write is lost (BT-d3)`, async (t) => {
  const seeds = Array.from({ length: HISTORIES }, (_, at) => String(1_001 + at));
  const outcomes = await feed({ program: CHILD, args: [] }, seeds);
  let putBack = 0;
  for (const seed of seeds) {
    const outcome = outcomes.get(seed) ?? "never begun";
    assert.match(outcome, /^\d+ disks put back$/, `seed ${seed}`);
    putBack += Number.parseInt(outcome, 10);
  }
  t.diagnostic(`${putBack} disks put back`);
  assert.ok(putBack >= HISTORIES);
});
