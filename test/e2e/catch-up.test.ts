/** A member with an empty disk gets the leader's own store, over the network of real processes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { METHODS } from "../harness/client.ts";
import { Cluster, type ClusterMember } from "../harness/cluster.ts";
import { poll } from "../harness/process.ts";

const KEYS = 900;
/** The log is let go of when the store has what is in it: long before another member runs. */
const FLAGS = [
  "--snapshot-count=200",
  "--snapshot-catchup-entries=50",
  "--backend-batch-interval=100ms",
];

async function write(member: ClusterMember, from: number, count: number): Promise<void> {
  const puts: Promise<unknown>[] = [];
  for (let at = from; at < from + count; at += 1) {
    const key = Buffer.from(`key ${at % KEYS}`);
    puts.push(member.client.must(METHODS.put, { key, value: Buffer.alloc(500, `value ${at}`) }));
  }
  await Promise.all(puts);
}

async function assertSame(one: ClusterMember, other: ClusterMember): Promise<void> {
  const { hash, header } = await one.client.must(METHODS.hashKv, {});
  const revision = header?.revision ?? 0n;
  await poll("the same revision", async () => {
    const found = await other.client.must(METHODS.hashKv, {});
    return found.header?.revision === revision;
  });
  const found = await other.client.must(METHODS.hashKv, { revision });
  assert.equal(found.hash, hash);
}

test("catch-up: a member with an empty disk → the leader's own store and key index, the same HashKV, also after it was killed (PE-04, CL-08)", async (t) => {
  const cluster = await Cluster.start("holdfast", { members: 1, flags: FLAGS });
  t.after(() => cluster.dispose());
  const leader = cluster.member(0);
  await write(leader, 0, 1500);
  await leader.client.must(METHODS.deleteRange, { key: Buffer.from("key 7") });

  const first = await cluster.add();
  await first.server.says(/"taking over a snapshot".*"format":"store"/);
  await first.server.says(/"restored the key index".*"checkpoint-revision":[1-9]/);
  await assertSame(leader, first);
  await write(first, 1500, 20);
  await assertSame(leader, first);
  await first.kill();
  await first.start();
  await assertSame(leader, first);

  // Its disk is lost: another takes its place, and is sent a store that was sent before.
  const id = await first.id();
  await cluster.remove(first, id);
  await first.server.exited;
  await write(leader, 1520, 400);
  const second = await cluster.add();
  await second.server.says(/"taking over a snapshot".*"format":"store"/);
  await assertSame(leader, second);
});
