/** Followers that need entries which no member holds in memory any more. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Workload } from "./clients.ts";
import { Cluster } from "./harness.ts";
import type { ClusterNode } from "./node.ts";

const WAL = "/data/member.etcd/member/wal";

/** A member that was away; what it lacks stands on the disks of the others and not in memory. */
async function lagging(seed: number): Promise<{
  cluster: Cluster;
  late: ClusterNode;
  workload: Workload;
}> {
  const cluster = await Cluster.start({ size: 3, seed });
  await cluster.untilLeader();
  const [late] = cluster.followers();
  assert.ok(late !== undefined);
  late.crash();
  const workload = new Workload(cluster);
  for (let number = 0; number < 300; number += 1) {
    const node = cluster.live[number % 2] as ClusterNode;
    await cluster.settled(workload.write(node, `k${number % 30}`, `${number}`.repeat(100)));
  }
  await cluster.run(5_000);
  // What is applied when a member starts is not read into memory.
  for (const node of [...cluster.live]) {
    node.crash();
    await cluster.settled(node.start());
    await cluster.untilLeader();
  }
  return { cluster, late, workload };
}

async function allWell(cluster: Cluster, workload: Workload): Promise<void> {
  await cluster.untilEven();
  workload.check();
  await cluster.sameHash();
  await cluster.close();
}

test("log: a follower behind what memory holds → gets the entries from disk, no snapshot (RA-05)", async () => {
  const { cluster, late, workload } = await lagging(81);
  await cluster.settled(late.start());
  await cluster.untilEven();
  assert.equal(cluster.snapshotsDelivered, 0);
  await allWell(cluster, workload);
});

test("log: the part that a follower needs is damaged → it gets a snapshot, all go on (RA-05, WL-04)", async () => {
  const { cluster, late, workload } = await lagging(82);
  for (const { disk } of cluster.live) {
    const [name] = (await disk.list(WAL)).filter((file) => file.endsWith(".wal"));
    disk.flip(`${WAL}/${name}`, 20_000, 3);
  }
  await cluster.settled(late.start());
  await cluster.untilEven();
  assert.ok(cluster.snapshotsDelivered > 0);
  await allWell(cluster, workload);
});
