/**
 * A member that was away for longer than the log remembers is sent the store. Also two faults at
 * once, drawn by SEED, with a log that remembers little, so that stores are sent now and then.
 */
import { test } from "node:test";
import type { ClusterMember } from "../harness/cluster.ts";
import { UNDER_TEST } from "../harness/process.ts";
import { RUNS, SEED, type Story, tellStory } from "./story.ts";

const times = `${RUNS} times under load (seed ${SEED})`;
const isEtcd = UNDER_TEST === "etcd";
/** etcd 3.4 always keeps 5 000 entries behind a snapshot; ours are told to keep few, and soon. */
const flags = isEtcd
  ? ["--snapshot-count=500"]
  : ["--snapshot-count=200", "--snapshot-catchup-entries=50", "--backend-batch-interval=100ms"];
const WRITES_AWAY = isEtcd ? 6_500 : 600;
const RECEIVED = isEtcd ? /received and saved database snapshot/ : /received a snapshot/;

async function sendStore({ cluster, load, random }: Story): Promise<void> {
  const member = random.pick(await cluster.followers());
  await member.kill();
  await load.acknowledged(WRITES_AWAY);
  await member.start();
  await load.acknowledged(50);
  await member.server.says(RECEIVED);
}

test(`behind: a member away for ${WRITES_AWAY} writes, ${times} → it is sent the store, its watch goes on`, async (t) => {
  // A new cluster each time: for 30 s after a store was sent the log is kept.
  for (let run = 0; run < RUNS; run += 1) await tellStory(t, { flags }, sendStore, 1);
});

type Fault = (story: Story, member: ClusterMember) => Promise<void>;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const FAULTS: Readonly<Record<string, Fault>> = {
  async killed({ random }, member) {
    await member.kill();
    await pause(random.below(1_000));
    await member.start(60_000);
  },
  async stopped({ random }, member) {
    await member.stop();
    await pause(random.below(1_000));
    await member.start(60_000);
  },
  async frozen({ random }, member) {
    member.pause();
    await pause(random.below(2_500));
    member.resume();
  },
  async "killed and frozen"({ random }, member) {
    member.pause();
    await pause(random.below(1_500));
    await member.kill();
    await member.start(60_000);
  },
};

test(`two at once: random faults of two members, ${times} → nothing is lost`, async (t) => {
  await tellStory(t, { flags }, async (story, run) => {
    const { cluster, random, load } = story;
    const names = Object.keys(FAULTS);
    const first = random.pick(cluster.members);
    const second = random.pick(cluster.members.filter((member) => member !== first));
    const doomed = [first, second].map((member) => [random.pick(names), member] as const);
    t.diagnostic(
      `run ${run}: ${doomed.map(([name, { name: who }]) => `${who} ${name}`).join(", ")}`,
    );
    await Promise.all(doomed.map(async ([name, member]) => await FAULTS[name]?.(story, member)));
    await load.acknowledged(100);
  });
});
