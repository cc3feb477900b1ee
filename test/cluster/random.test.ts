/**
 * Clusters from seeds: any mix of faults while clients work, then everything is whole again and
 * checked. SIM_SEEDS says how many seeds, SIM_FIRST which is the first, SIM_MS how long each runs,
 * SIM_FAULTS which kinds of faults there are (faults.ts), where a seed would choose its own.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../src/base/index.ts";
import { Follower, Workload } from "./clients.ts";
import { FAULT_KINDS, Faults } from "./faults.ts";
import { Cluster } from "./harness.ts";
import { LeaseClients } from "./lease-clients.ts";

const SEEDS = Number(process.env["SIM_SEEDS"] ?? 10);
const FIRST = Number(process.env["SIM_FIRST"] ?? process.env["SEED"] ?? 1);
/** Only these kinds of faults, by name. */
const KINDS = process.env["SIM_FAULTS"]?.split(",");
const RUN_MS = Number(process.env["SIM_MS"] ?? 20_000);

interface Outcome {
  readonly digest: string;
  readonly simulatedMs: number;
  readonly acknowledged: number;
  readonly reads: number;
  readonly renewals: number;
  readonly terms: number;
  readonly snapshots: number;
  /** Members added, promoted or removed. */
  readonly changes: number;
  readonly faults: string;
}

async function runSeed(seed: number): Promise<Outcome> {
  const prng = new Prng(seed);
  const kinds = FAULT_KINDS.filter((kind) => KINDS?.includes(kind) ?? prng.chance(0.4));
  const cluster = new Cluster({
    seed,
    size: prng.chance(0.75) ? 3 : 5,
    diskDelayMaxMs: prng.pick([0, 0.5, 5]),
    settings: {
      snapshotCount: prng.pick([5, 20, 100, 10_000]),
      snapshotCatchUpEntries: prng.pick([0, 3, 10, 5_000]),
      preVote: prng.chance(0.8),
      strictReconfig: prng.chance(0.5),
      ...prng.pick([
        { electionTimeoutMs: 1_000, heartbeatMs: 100 },
        { electionTimeoutMs: 300, heartbeatMs: 30 },
      ]),
    },
  });
  await cluster.startAll();
  const workload = new Workload(cluster);
  workload.start(4, { keys: 3, restMaxMs: 60, prng: new Prng(prng.uint32()) });
  const leases = new LeaseClients(cluster);
  leases.start(2, new Prng(prng.uint32()));
  const leaseFollower = new Follower(cluster, "leased-", "leased.");
  const followers = [
    leaseFollower,
    new Follower(cluster, "k", "l"),
    new Follower(cluster, "k", "l"),
  ];
  for (const [at, follower] of followers.entries()) follower.follow(cluster.node((at % 3) + 1));
  const faults = new Faults(cluster, {
    prng: new Prng(prng.uint32()),
    kinds: kinds.length === 0 ? FAULT_KINDS : kinds,
    restMaxMs: 2_000,
    lengthMaxMs: 3_000,
  });
  await faults.during(RUN_MS, () => {
    for (const follower of followers) follower.mend();
  });
  await workload.finish();
  await cluster.heal();
  for (const follower of followers) follower.mend();
  await leases.finish();
  leases.check(leaseFollower);
  workload.check(cluster.live, faults.compacted);
  for (const follower of followers) follower.check(workload.acknowledged);
  await cluster.sameHash();
  const digest = cluster.trace.digest();
  await cluster.close();
  return {
    digest,
    simulatedMs: cluster.nowMs,
    acknowledged: workload.acknowledged.length,
    reads: workload.reads,
    renewals: leases.renewals,
    terms: cluster.invariants.leaders.size,
    snapshots: cluster.snapshotsDelivered,
    changes: faults.changes,
    faults: [...faults.counts].map(([kind, count]) => `${kind} ${count}`).join(", "),
  };
}

for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
  test(`cluster: faults and clients from seed ${seed} → nothing lost, all alike`, async () => {
    const outcome = await runSeed(seed);
    assert.ok(outcome.acknowledged > 0 && outcome.reads > 0, "clients got something done");
    if (process.env["SIM_SHOW"] !== undefined) console.log(seed, JSON.stringify(outcome));
  });
}

test("cluster: the same seed twice → the same run, byte for byte", async () => {
  const first = await runSeed(FIRST);
  assert.deepEqual(await runSeed(FIRST), first);
});
