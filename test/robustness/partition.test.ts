/**
 * Three real processes in network namespaces: one is cut off from its peers, by silence, while
 * clients still reach it. It must neither accept a write nor answer a linearizable read.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { METHODS } from "../harness/client.ts";
import type { ClusterMember } from "../harness/cluster.ts";
import { kv } from "../model/history.ts";
import { NamespaceNetwork, namespacesMissing } from "../harness/network.ts";
import { RUNS, SEED, type Story, tellStory } from "./story.ts";

const skip = namespacesMissing();
const times = `${RUNS} times under load (seed ${SEED})`;
/** Longer than an election, so that the other side has a leader by then. */
const ASK_MS = 2_500;

/** What the member answers while it is alone. */
async function askAlone({ traffic }: Story, member: ClusterMember, run: number): Promise<void> {
  const key = Buffer.from(`alone/${run}`);
  // It may come through after all, once the member is not alone any more.
  const put = { kind: "put", key: key.toString(), value: "x", lease: "0" } as const;
  traffic.side.recorder.call("alone", member.name, kv([put]));
  const options = { deadlineMs: ASK_MS };
  const [read, write, local] = await Promise.all([
    member.client.call(METHODS.range, { key: Buffer.from("w0/0") }, options),
    member.client.call(METHODS.put, { key, value: Buffer.from("x") }, options),
    member.client.call(METHODS.range, { key: Buffer.from("w0/0"), serializable: true }, options),
  ]);
  assert.ok(!read.ok, "a member without a majority answered a linearizable read");
  assert.ok(!write.ok, "a member without a majority acknowledged a write");
  assert.ok(local.ok, "a serializable read needs no majority");
}

function cutOff(name: string, choose: (story: Story) => Promise<ClusterMember>): void {
  test(`partition: ${name} cut off, ${times} → it refuses linearizable reads and writes, the others go on`, {
    skip,
  }, async (t) => {
    const network = new NamespaceNetwork();
    await tellStory(t, { network }, async (story, run) => {
      const member = await choose(story);
      network.cut(member.place.peerHost);
      try {
        const others = story.load.acknowledged(50);
        await askAlone(story, member, run);
        await others;
        assert.notEqual(await story.cluster.leader(), member, "it still leads");
      } finally {
        network.heal(member.place.peerHost);
      }
      await member.server.ready(30_000);
    });
  });
}

cutOff("the leader", ({ cluster }) => cluster.leader());
cutOff("a follower", async ({ cluster, random }) => random.pick(await cluster.followers()));
