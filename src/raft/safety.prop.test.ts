/** Random clusters keep Raft's promises whatever happens, and come to life when it stops. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClusterOptions, RandomCluster } from "./random-cluster.test.ts";

/** A small slice by default; the long suite raises FUZZ_RUNS. */
const CLUSTERS = Math.max(1, Math.floor(Number(process.env["FUZZ_RUNS"] ?? 2000) / 100));
const FIRST_SEED = Number(process.env["FUZZ_SEED"] ?? 1);
const ACTIONS = 20_000;

function run(options: ClusterOptions): RandomCluster {
  const cluster = new RandomCluster(options);
  for (let action = 0; action < ACTIONS; action += 1) {
    cluster.act();
    if (action % 200 === 0) cluster.checkLogMatching();
  }
  return cluster;
}

function comesToLife(cluster: RandomCluster): boolean {
  const target = Math.max(...cluster.members.map(({ raw }) => raw.raft.log.lastIndex())) + 1;
  return cluster.calm(200, () => {
    const leader = cluster.leader();
    if (leader === undefined) return false;
    if (leader.raw.raft.log.committed < target) {
      leader.raw.propose(Buffer.from("last"));
      return false;
    }
    const { ids } = leader.raw.raft.tracker;
    return cluster.members.every(({ id, state }) => !ids.includes(id) || state.applied >= target);
  });
}

const CASES = new Map<ClusterOptions["changes"], string>([
  ["none", "3 to 5 members"],
  ["simple", "members that come and go"],
  ["joint", "joint configurations"],
]);

for (const [changes, name] of CASES) {
  test(`raft: ${name}, loss, crashes, partitions → one leader a term, one history (RA-01)`, () => {
    let applied = 0;
    let reads = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + CLUSTERS; seed += 1) {
      try {
        const cluster = run({ seed, size: changes === "none" ? 3 + (seed % 3) : 5, changes });
        assert.deepEqual(cluster.evidence, [], "nobody lost anything, so nobody is accused");
        // A leader that removes itself by a joint change can leave voters behind that wait for its
        // vote: see docs/internals/raft.md.
        if (changes !== "joint") assert.ok(comesToLife(cluster), "without faults it goes on");
        cluster.checkLogMatching();
        applied += cluster.applied.size;
        reads += cluster.readsAnswered;
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
    assert.ok(applied > CLUSTERS * 100, `the runs do something: ${applied} entries applied`);
    assert.ok(reads > CLUSTERS * 20, `the runs answer reads: ${reads}`);
  });
}
