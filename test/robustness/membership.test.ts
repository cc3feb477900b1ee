/** Real processes that come and go as members, under load, without a write that fails. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterMember } from "../harness/cluster.ts";
import { RUNS, SEED, type Story, tellStory } from "./story.ts";

const times = `${RUNS} times under load (seed ${SEED})`;

async function grow(story: Story, isLearner: boolean): Promise<void> {
  const { cluster, load } = story;
  let member: ClusterMember;
  if (isLearner) {
    // A learner refuses clients, so they are told of it when it votes.
    member = await cluster.register(true);
    story.hide(member);
    await member.startLearner();
    await cluster.promote(member);
    story.reveal(member);
  } else member = await cluster.add();
  story.watch(member);
  await load.acknowledged(30);
}

async function shrink(story: Story, member: ClusterMember): Promise<void> {
  const { cluster, load } = story;
  const id = await member.id();
  story.hide(member);
  await cluster.remove(member, id);
  await member.server.exited;
  story.unwatch(member);
  await load.acknowledged(30);
}

test(`replace: a member's disk is lost, a learner takes its place, ${times} → nothing is lost (CL-08)`, async (t) => {
  await tellStory(t, {}, async (story) => {
    const { cluster, load, random } = story;
    const lost = random.pick(cluster.members);
    const id = await lost.id();
    await lost.kill();
    lost.wipe();
    await load.acknowledged(50);
    story.unwatch(lost);
    await cluster.remove(lost, id);
    await grow(story, true);
    assert.equal(cluster.members.length, 3);
  });
});

test(`membership: 1 -> 3 -> 5 -> 3 -> 1 members, ${times} → no retried write fails (CL-01 CL-05 CL-08)`, async (t) => {
  await tellStory(t, { members: 1 }, async (story) => {
    const { cluster } = story;
    await grow(story, false);
    await grow(story, false);
    await grow(story, true);
    await grow(story, true);
    assert.equal(cluster.members.length, 5);
    await shrink(story, await cluster.leader());
    while (cluster.members.length > 1) await shrink(story, cluster.member(0));
  });
});
