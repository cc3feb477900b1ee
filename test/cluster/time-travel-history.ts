/** A cluster with clients and faults, of which disks go back in time. */
import assert from "node:assert/strict";
import { Prng } from "../../src/base/index.ts";
import { Workload } from "./clients.ts";
import { Cluster } from "./harness.ts";

/** Megabytes of zeros ahead of the records would cost as much as the rest of a run. */
const LOG_SEGMENT_BYTES = 65_536;

/** Crashes, kills and partitions, and now and then a disk that is put back to what it was. */
export async function history(seed: number): Promise<number> {
  const prng = new Prng(seed);
  const cluster = new Cluster({
    seed,
    size: 3,
    diskDelayMaxMs: prng.pick([0, 0.5, 5]),
    settings: { logSegmentBytes: LOG_SEGMENT_BYTES },
  });
  for (const node of cluster.nodes) node.witnessDirectory = "/witness";
  await cluster.startAll();
  const workload = new Workload(cluster);
  workload.start(2, { keys: 3, restMaxMs: 200, prng: new Prng(prng.uint32()) });
  let putBack = 0;
  for (let round = 0; round < 3; round += 1) {
    const node = prng.pick(cluster.nodes);
    const image = node.image();
    await cluster.run(prng.below(3_000));
    const other = prng.pick(cluster.nodes);
    const fault = prng.pick(["crash", "kill", "cut", "nothing"] as const);
    if (fault === "cut") {
      const rest = cluster.nodes.filter((one) => one !== other).map(({ host }) => host);
      cluster.network.partition([[other.host], rest]);
    } else if (fault === "crash" && other.isRunning) other.crash();
    else if (fault === "kill" && other.isRunning) other.kill();
    // What the witness has not seen yet, nobody may know of.
    await cluster.run(2_200 + prng.below(1_000));
    node.putBack(image);
    putBack += 1;
    await cluster.run(prng.below(300));
    node.start().catch(() => undefined);
    await cluster.run(prng.below(3_000));
    cluster.network.heal();
    for (const one of cluster.nodes) if (!one.isRunning) one.start().catch(() => undefined);
    // One at a time: of two that forget at once, there may be none left who knows.
    await cluster.until(
      () =>
        cluster.live.length === 3 &&
        cluster.live.every(({ running }) => {
          const rows = running.members();
          return (
            running.timeTravel === undefined &&
            running.leader !== 0n &&
            rows.length === 3 &&
            rows.every(({ isLearner }) => !isLearner)
          );
        }),
      "all to be voters again",
    );
  }
  await workload.finish();
  await cluster.heal();
  workload.check();
  await cluster.sameHash();
  assert.ok(workload.acknowledged.length > 0);
  await cluster.close();
  return putBack;
}
