/** The verdict on a cluster must be able to be no: here each part of it is given a reason. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { METHODS } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { UNDER_TEST } from "../harness/process.ts";
import { kv } from "../model/history.ts";
import { Story } from "./story.ts";

const ALL = { key: Buffer.from("a"), rangeEnd: Buffer.from("z") };

test("story: changes behind the load's back, and answers of what never was → each is found", async () => {
  const story = new Story(await Cluster.start(UNDER_TEST, { members: 3 }));
  try {
    await story.warm();
    await story.rest();
    assert.deepEqual(story.strangeRefusals(), []);
    assert.deepEqual(await story.verdict({ haveLeasesEnded: false }), []);

    const { client } = story.cluster.member(1);
    const { kvs } = await client.must(METHODS.range, ALL);
    const [first] = kvs;
    assert.ok(first !== undefined, "the load wrote too little");
    const key = first.key.toString();
    const { recorder } = story.traffic.side;

    // A write that the records know of; nobody knows yet whether it was done.
    recorder.call("late", "m2", kv([{ kind: "put", key, value: "another", lease: "0" }]));
    await client.must(METHODS.put, { key: first.key, value: Buffer.from("another") });
    assert.deepEqual(await story.verdict({ haveLeasesEnded: false }), []);

    // One that they do not know of.
    await client.must(METHODS.put, { key: first.key, value: Buffer.from("a third") });
    const found = await story.verdict({ haveLeasesEnded: false });
    assert.match(found[0]?.text ?? "", /=a third, which nobody asked for/);

    // A client that was told of a revision that nobody has, and one that was refused strangely.
    const lost = kv([{ kind: "put", key: "lost", value: "x", lease: "0" }]);
    const call = recorder.call("told", "m2", lost);
    const results = [{ kind: "put", previous: undefined }] as const;
    const response = { revision: 1_000_000, isSuccess: true, results, ttlSeconds: 0 };
    recorder.returned(call, { kind: "ok", response });
    assert.equal((await story.verdict({ haveLeasesEnded: false }))[0]?.check, "linearizable");
    call.outcome = { kind: "unknown", error: "3 etcdserver: something strange" };
    assert.deepEqual(story.strangeRefusals(), ["kv: 3 etcdserver: something strange"]);
  } finally {
    await story.dispose();
  }
});
