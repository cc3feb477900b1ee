import assert from "node:assert/strict";
import { test } from "node:test";
import { Workload } from "./clients.ts";
import { Cluster, type ClusterOptions } from "./harness.ts";
import type { ClusterNode } from "./node.ts";

/** The long suite tries every moment, the short one some. */
const STEP = process.env["LONG_SUITE"] === undefined ? 4 : 1;
const SMALL = { snapshotCount: 20, snapshotCatchUpEntries: 10 };

/** A cluster in which one member is so far behind that the log no longer has what it needs. */
async function lagging(
  options: Partial<ClusterOptions> & { seed: number },
): Promise<{ cluster: Cluster; late: ClusterNode; workload: Workload }> {
  const cluster = await Cluster.start({ size: 3, settings: SMALL, ...options });
  await cluster.untilLeader();
  const [late] = cluster.followers();
  assert.ok(late !== undefined);
  late.crash();
  const workload = new Workload(cluster);
  for (let number = 0; number < 120; number += 1) {
    const node = cluster.live[number % 2] as ClusterNode;
    await cluster.settled(workload.write(node, `k${number % 30}`, `${number}`.repeat(40)));
    if (number % 20 === 0) await cluster.run(1_000);
  }
  await cluster.run(5_000);
  return { cluster, late, workload };
}

async function allWell(cluster: Cluster, workload: Workload): Promise<void> {
  await cluster.untilEven();
  assert.ok(cluster.snapshotsDelivered > 0, "the log alone did not do");
  workload.check();
  await cluster.sameHash();
  await cluster.close();
}

test("snapshot: a follower far behind → gets one and goes on from there (RA-05)", async () => {
  const { cluster, late, workload } = await lagging({ seed: 71 });
  await cluster.settled(late.start());
  await cluster.untilEven();
  // What it took from the snapshot is in its own files now.
  late.crash();
  await cluster.settled(late.start());
  await allWell(cluster, workload);
});

test("snapshot: its connection breaks, more than once → it arrives all the same", async () => {
  for (const atByte of [0, 1, 9_000, 20_000, 30_000]) {
    const { cluster, late, workload } = await lagging({ seed: 72 });
    cluster.network.breakNextSnapshot(atByte);
    await cluster.settled(late.start());
    await cluster.run(20);
    cluster.network.breakNextSnapshot(atByte + 5_000);
    await allWell(cluster, workload);
  }
});

test("snapshot: the follower crashes at any moment of its arrival → it comes to the same state", async () => {
  for (let delayMs = 1; delayMs < 100; delayMs += 3 * STEP) {
    const { cluster, late, workload } = await lagging({ seed: 73, diskDelayMaxMs: 1 });
    await cluster.settled(late.start());
    await cluster.run(delayMs);
    late.crash();
    await cluster.settled(late.start());
    await allWell(cluster, workload);
  }
});

test("snapshot: the leader crashes while it sends one → the next one sends its own", async () => {
  for (let delayMs = 2; delayMs < 40; delayMs += 3 * STEP) {
    const { cluster, late, workload } = await lagging({ seed: 74, diskDelayMaxMs: 1 });
    const leader = await cluster.untilLeader();
    await cluster.settled(late.start());
    await cluster.run(delayMs);
    leader.crash();
    await cluster.run(3_000);
    await cluster.settled(leader.start());
    await allWell(cluster, workload);
  }
});

test("snapshot: two leaders send theirs, one after the other → one of them is taken whole", async () => {
  for (let delayMs = 5; delayMs < 300; delayMs += 20 * STEP) {
    const { cluster, late, workload } = await lagging({ seed: 77, diskDelayMaxMs: 3 });
    const leader = await cluster.untilLeader();
    for (const node of cluster.live) {
      cluster.network.setConditions(node.host, late.host, { delayMinMs: 5, delayMaxMs: 25 });
    }
    await cluster.settled(late.start());
    await cluster.run(delayMs);
    const other = cluster.live.find((node) => node !== leader && node !== late);
    if (other !== undefined) {
      const move = cluster.ask<void>(leader, (member, waiter) =>
        member.moveLeader(other.id, waiter),
      );
      await cluster.settled(move.catch(() => undefined));
    }
    await cluster.settled(workload.write(await cluster.untilLeader(), "k1", "while it travels"));
    await cluster.run(cluster.prng.below(200));
    late.crash();
    await cluster.settled(late.start());
    await allWell(cluster, workload);
  }
});

test("snapshot: writes go on while it travels → none is lost, none comes twice", async () => {
  const { cluster, late, workload } = await lagging({ seed: 75 });
  cluster.network.setConditions("m1", "m2", { delayMinMs: 5, delayMaxMs: 15 });
  cluster.network.setConditions("m1", "m3", { delayMinMs: 5, delayMaxMs: 15 });
  cluster.network.setConditions("m2", "m3", { delayMinMs: 5, delayMaxMs: 15 });
  workload.start(3, { keys: 5, restMaxMs: 20, prng: cluster.prng });
  await cluster.settled(late.start());
  await cluster.run(3_000);
  await workload.finish();
  await allWell(cluster, workload);
});

test("configuration: right after a restart it is known, before any entry is applied", async () => {
  const cluster = await Cluster.start({ seed: 76, size: 3, settings: SMALL });
  for (let number = 0; number < 60; number += 1) await cluster.put("k", String(number));
  await cluster.run(2_000);
  for (const node of cluster.nodes) node.crash();
  for (const node of cluster.nodes) {
    cluster.network.partition(cluster.nodes.map(({ host }) => [host]));
    await cluster.settled(node.start());
    assert.equal(node.running.members().length, 3);
    assert.equal(node.running.isLearner, false);
  }
  await cluster.run(5_000);
  assert.equal(cluster.leader(), undefined, "nobody leads alone");
  cluster.network.heal();
  await cluster.untilEven();
  await cluster.sameHash();
  await cluster.close();
});
