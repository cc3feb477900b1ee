import assert from "node:assert/strict";
import { test } from "node:test";
import type { MembershipChange } from "../../src/member/index.ts";
import { Cluster } from "./harness.ts";
import type { ClusterNode } from "./node.ts";

// A commit index alone is written with the next entries, as in etcd. With two voters that was not
// enough: whoever was removed ended, and the other came back from a power cut as one of two that
// had never heard of it, and could not vote alone (decision 0033; found as simulated seed 500021).

interface Removal {
  readonly removed: "follower" | "leader";
  /** Whose power fails at the moment. */
  readonly fails: "leader" | "follower" | "both";
  /** Moments of simulated time from the request on. */
  readonly moment: number;
}

/** Beyond: it should have been over long ago. */
const MOMENTS_MAX = 200;

/**
 * One of two voters is removed, and at one moment of it the power of a machine fails. As an
 * operator does, whoever was removed is switched off for good once that was answered. Answers what
 * was found afterwards: "alive", or why the cluster takes no writes; "over" = all had happened.
 */
async function removal({ removed, fails, moment }: Removal): Promise<string> {
  const cluster = await Cluster.start({
    seed: 500_021,
    size: 2,
    diskDelayMaxMs: 5,
    settings: { strictReconfig: false },
  });
  const leader = await cluster.untilLeader();
  const [follower] = cluster.followers() as [ClusterNode];
  await cluster.put("before", "the removal");
  const target = removed === "leader" ? leader : follower;
  const { id } = target;
  let isAnswered = false;
  const asked = cluster.ask<MembershipChange>(follower, (member, waiter) =>
    // The log alone: a leader would hand over first if it was asked itself.
    member.cluster.changes.remove(id, waiter),
  );
  asked.then(
    () => {
      isAnswered = true;
    },
    () => undefined,
  );
  let left = moment;
  await cluster.until(() => (left -= 1) < 0, "the moment");
  const isOver = target.wasRemoved && !target.isRunning && isAnswered;
  for (const node of [leader, follower]) {
    const name = node === leader ? "leader" : "follower";
    if (fails === name || fails === "both") node.crash();
  }
  await cluster.run(3_000);
  if (isAnswered && target.isRunning) target.crash();
  const mayRun = [leader, follower].filter(
    (node) => !node.isRunning && !(node === target && (isAnswered || node.wasRemoved)),
  );
  await cluster.settled(Promise.all(mayRun.map((node) => node.start())));
  const outcome = await cluster.put("after", "it").then(
    () => (isOver ? "over" : "alive"),
    (error: unknown) => String(error),
  );
  cluster.abandon();
  return outcome;
}

for (const removed of ["follower", "leader"] as const) {
  for (const fails of ["leader", "follower", "both"] as const) {
    test(`member remove: the ${removed} of two, the power of ${fails} fails at any moment → writes go on (CL-05, RA-04)`, async () => {
      let outcome = "alive";
      const dead: number[] = [];
      let moment = 0;
      for (; outcome !== "over" && moment < MOMENTS_MAX; moment += 1) {
        outcome = await removal({ removed, fails, moment });
        if (outcome !== "alive" && outcome !== "over") dead.push(moment);
      }
      assert.deepEqual(dead, [], `of ${moment} moments`);
      assert.equal(outcome, "over");
    });
  }
}
