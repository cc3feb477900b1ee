import assert from "node:assert/strict";
import { test } from "node:test";
import type { EtcdError } from "../../src/errors/index.ts";
import { Cluster } from "./harness.ts";

// A leader answers reads without a round when there is one voter. It looked at how many there are,
// and not at who it is: the leader that had removed itself from two, and leads on for a moment,
// answered from its own store while the one that is left could already lead and take writes.
test("get: a leader that has left a cluster of two → asks the voter that is left (KV-10, CL-05)", async () => {
  const cluster = await Cluster.start({ seed: 311, size: 2 });
  const leader = await cluster.untilLeader();
  await cluster.run(6_000);
  const [other] = cluster.followers();
  assert.ok(other !== undefined);
  const member = leader.running;
  const reads: string[] = [];
  let isRemoved = false;
  // Past the transfer of the leadership that comes before it otherwise.
  member.cluster.changes.remove(member.id, {
    done: () => {
      isRemoved = true;
      cluster.network.cut(leader.host, other.host);
      assert.deepEqual(member.cluster.voters, [other.id]);
      assert.equal(member.driver.isLeader, true);
      member.readIndex({
        done: () => void reads.push("done"),
        refused: (error: EtcdError) => void reads.push(error.id),
      });
    },
    refused: (error: EtcdError) => assert.fail(error.id),
  });
  await cluster.until(() => isRemoved, "the removal");
  assert.equal(reads.length, 0, "not by itself");
  await cluster.run(8_000);
  assert.notEqual(reads[0], "done");
  await cluster.close();
});
