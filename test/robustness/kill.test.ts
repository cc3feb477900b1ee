/**
 * Three real processes under load, and what happens to processes: killed, all killed, frozen. After
 * each, nothing acknowledged is lost and all members hold the same.
 *
 * ROBUSTNESS_RUNS says how often each happens, SEED to whom.
 */
import { test } from "node:test";
import { RUNS, SEED, tellStory } from "./story.ts";

const FREEZE_MS = 5_000;
const times = `${RUNS} times under load (seed ${SEED})`;

test(`kill: the leader, ${times} → writes go on, nothing acknowledged is lost`, async (t) => {
  await tellStory(t, {}, async ({ cluster, load }) => {
    const leader = await cluster.leader();
    await leader.kill();
    await load.acknowledged(50);
    await leader.start();
  });
});

test(`kill: a follower, ${times} → writes go on, it catches up`, async (t) => {
  await tellStory(t, {}, async ({ cluster, load, random }) => {
    const follower = random.pick(await cluster.followers());
    await follower.kill();
    await load.acknowledged(50);
    await follower.start();
  });
});

test(`kill: all members at once, ${times} → what was acknowledged is there again`, async (t) => {
  await tellStory(t, {}, async ({ cluster }) => {
    const members = cluster.members;
    for (const member of members) member.server.signal("SIGKILL");
    await Promise.all(members.map((member) => member.kill()));
    await Promise.all(members.map((member) => member.start()));
  });
});

test(`stop: SIGTERM of the leader, ${times} → every write comes through`, async (t) => {
  await tellStory(t, {}, async ({ cluster, load }) => {
    const leader = await cluster.leader();
    await leader.stop();
    await load.acknowledged(50);
    await leader.start();
  });
});

test(`freeze: SIGSTOP of a member for 5 s, ${times} → writes go on, no stale read after it`, async (t) => {
  await tellStory(t, {}, async ({ cluster, load, random }, run) => {
    const leader = await cluster.leader();
    // The leader first: it wakes in the belief that it still leads.
    const member = run % 2 === 0 ? leader : random.pick(await cluster.followers());
    member.pause();
    const isOver = new Promise((resolve) => setTimeout(resolve, FREEZE_MS));
    await load.acknowledged(50);
    await isOver;
    member.resume();
    await load.acknowledged(50);
  });
});
