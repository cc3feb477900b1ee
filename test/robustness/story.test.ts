/** The verdict on a cluster must be able to be no: here each part of it is given a reason. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { METHODS } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { UNDER_TEST } from "../harness/process.ts";
import { Story } from "./story.ts";

test("story: changes behind the load's back, a kept lease revoked → each is found", async () => {
  const story = new Story(await Cluster.start(UNDER_TEST, { members: 3 }));
  try {
    await story.warm();
    await story.load.stop();
    assert.deepEqual(story.load.problems, []);
    assert.deepEqual(await story.check(), []);

    const { client } = story.cluster.member(1);
    const everything = { key: Buffer.from([0]), rangeEnd: Buffer.from([0]) };
    const { kvs } = await client.must(METHODS.range, everything);
    const kept = kvs.find((kv) => kv.lease > 0n);
    const other = kvs.find((kv) => kv.lease === 0n);
    assert.ok(kept !== undefined && other !== undefined, "the load wrote too little");
    await client.must(METHODS.put, { key: other.key, value: Buffer.from("another") });
    await client.must(METHODS.leaseRevoke, { id: kept.lease });
    // A client that was told of a revision that nobody has.
    const told = { revision: 1_000_000n, floor: 0n, hasChanged: true };
    story.history.acknowledge([{ key: "lost", value: "x" }], told);
    const problems = (await story.check()).join("\n");
    assert.match(problems, /= "another" was asked for by nobody/);
    assert.match(problems, /delete lease\/kept was asked for by nobody/);
    assert.match(problems, /acknowledged: 1000000 lost = "x"; the history has nothing/);
  } finally {
    await story.dispose();
  }
});
