import assert from "node:assert/strict";
import { test } from "node:test";
import type { LeaseAnswer } from "../../src/seam/index.ts";
import { Cluster } from "./harness.ts";
import type { ClusterNode } from "./node.ts";

const ID = 77n;

async function grant(cluster: Cluster, ttlSeconds: number, id = ID): Promise<void> {
  const leaseGrant = { id, ttlSeconds };
  await cluster.retried((node) => cluster.propose(node, { kind: "leaseGrant", leaseGrant }));
  await cluster.put(`leased-${id}`, "v", id);
}

function keepAlive(cluster: Cluster, node: ClusterNode, id = ID): Promise<number> {
  return cluster.ask<number>(node, (member, waiter) => member.keepAlive(id, waiter));
}

function times(cluster: Cluster, node: ClusterNode, id = ID): Promise<LeaseAnswer> {
  return cluster.ask<LeaseAnswer>(node, (member, waiter) => member.leaseTimes(id, true, waiter));
}

function isThere(node: ClusterNode, cluster: Cluster, id = ID): boolean {
  return cluster.read(node, `leased-${id}`) !== undefined;
}

/** Simulated ms until the lease's key is gone on `node`. */
async function untilGone(cluster: Cluster, node: ClusterNode, id = ID): Promise<number> {
  const beganMs = cluster.nowMs;
  await cluster.until(() => !isThere(node, cluster, id), "the lease to expire");
  return cluster.nowMs - beganMs;
}

test("lease: nobody renews it → expires after its TTL, once, on all members (LE-08)", async () => {
  const cluster = await Cluster.start({ seed: 91, size: 3 });
  const leader = await cluster.untilLeader();
  await grant(cluster, 5);
  const revision = leader.running.currentRevision;
  const goneMs = await untilGone(cluster, leader);
  assert.ok(goneMs > 4_800 && goneMs < 5_600, `after ${goneMs} ms`);
  await cluster.run(10_000);
  for (const node of cluster.nodes) {
    assert.equal(isThere(node, cluster), false);
    assert.equal(node.running.currentRevision, revision + 1, "one deletion");
    assert.deepEqual(node.running.leases(), []);
  }
  await cluster.sameHash();
  await cluster.close();
});

test("lease: renewed and asked for on any member → the leader answers (LE-04, LE-05)", async () => {
  const cluster = await Cluster.start({ seed: 92, size: 3 });
  await cluster.untilLeader();
  await grant(cluster, 4);
  for (let turn = 0; turn < 9; turn += 1) {
    await cluster.run(2_500);
    const node = cluster.node((turn % 3) + 1);
    assert.equal(await cluster.settled(keepAlive(cluster, node)), 4);
    const answer = await cluster.settled(times(cluster, node));
    assert.ok(answer.ttlSeconds >= 3, `${answer.ttlSeconds} s left`);
    assert.deepEqual(answer.keys, [`leased-${ID}`]);
  }
  const follower = cluster.followers()[0] as ClusterNode;
  await untilGone(cluster, follower);
  assert.equal(await cluster.settled(keepAlive(cluster, follower)), 0);
  assert.equal((await cluster.settled(times(cluster, follower))).ttlSeconds, -1);
  await cluster.close();
});

test("lease: the leader is lost → never early, at most its TTL and an election later (LE-09)", async () => {
  for (const [seed, afterMs] of [
    [93, 100],
    [94, 2_500],
    [95, 4_900],
  ] as const) {
    const cluster = await Cluster.start({ seed, size: 3 });
    const leader = await cluster.untilLeader();
    const grantedMs = cluster.nowMs;
    await grant(cluster, 5);
    await cluster.run(afterMs);
    leader.crash();
    const second = await cluster.untilLeader(leader);
    await cluster.run(200);
    if (afterMs < 4_500) assert.ok(isThere(second, cluster));
    const electedMs = cluster.nowMs;
    await cluster.until(() => !isThere(second, cluster), "the lease to expire");
    // What is left was written down meanwhile, and is all that the new leader gives.
    assert.ok(cluster.nowMs - grantedMs > 5_000, "its TTL was honoured");
    assert.ok(cluster.nowMs - electedMs < 5_000 + 1_000 + 500, "and no more than an election");
    await cluster.close();
  }
});

test("lease: renewed again and again while leaders change → never expires", async () => {
  const cluster = await Cluster.start({ seed: 96, size: 3 });
  await cluster.untilLeader();
  await grant(cluster, 5);
  let isOver = false;
  let renewals = 0;
  const client = async (): Promise<void> => {
    while (!isOver) {
      await new Promise<void>((resolve) => void cluster.time.after(500, resolve));
      const node = cluster.prng.pick(cluster.live);
      const ttl = await keepAlive(cluster, node).catch(() => undefined);
      if (ttl !== undefined) assert.equal(ttl, 5);
      if (ttl !== undefined) renewals += 1;
    }
  };
  const running = client();
  for (let turn = 0; turn < 5; turn += 1) {
    const leader = await cluster.untilLeader();
    leader.kill();
    await cluster.run(3_000);
    await cluster.settled(leader.start());
    await cluster.run(2_000);
    assert.ok(isThere(cluster.live[0] as ClusterNode, cluster));
  }
  isOver = true;
  await cluster.settled(running);
  assert.ok(renewals > 10);
  await cluster.close();
});

test("lease: a long one at an election → keeps the rest that was written down (LE-07, LE-09)", async () => {
  const cluster = await Cluster.start({ seed: 97, size: 3 });
  const leader = await cluster.untilLeader();
  await grant(cluster, 1_000);
  await cluster.run(650_000);
  leader.crash();
  const second = await cluster.untilLeader(leader);
  const { ttlSeconds } = await cluster.settled(times(cluster, second));
  assert.ok(ttlSeconds <= 1_000 - 600 + 2, `${ttlSeconds} s left, not all of them again`);
  assert.ok(ttlSeconds >= 1_000 - 660, `${ttlSeconds} s left, none taken away`);
  await cluster.close();
});

test("lease: an isolated leader → expires nothing, renews nothing for long (LE-10)", async () => {
  const cluster = await Cluster.start({ seed: 98, size: 3 });
  const old = await cluster.untilLeader();
  await grant(cluster, 4);
  cluster.network.partition([[old.host], cluster.followers().map(({ host }) => host)]);
  const second = await cluster.untilLeader(old);
  await cluster.until(() => old.running.leader === 0n, "the old leader to step down");
  const refused = cluster.refusal(keepAlive(cluster, old));
  for (let turn = 0; turn < 10; turn += 1) {
    await cluster.run(1_000);
    await cluster.settled(keepAlive(cluster, second));
  }
  assert.ok(isThere(old, cluster) && isThere(second, cluster));
  assert.match((await refused).message, /timed out|no leader|not a primary/);
  cluster.network.heal();
  await cluster.untilEven();
  assert.equal(await cluster.settled(keepAlive(cluster, old)), 4);
  await cluster.close();
});
