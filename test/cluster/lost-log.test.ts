/** A member whose log is damaged or gone comes back under another id, and nothing is lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Workload } from "./clients.ts";
import { Cluster } from "./harness.ts";
import type { ClusterNode } from "./node.ts";

const WAL = "/data/member.etcd/member/wal";

async function logFiles({ disk }: ClusterNode): Promise<string[]> {
  const names = (await disk.list(WAL)).filter((name) => name.endsWith(".wal"));
  return names.map((name) => `${WAL}/${name}`);
}

const LOSSES: Readonly<Record<string, (node: ClusterNode) => Promise<void>>> = {
  "a byte is flipped in the middle of it": async (node) => {
    const [path] = await logFiles(node);
    assert.ok(path !== undefined);
    const bytes = await node.disk.readFile(path);
    const file = await node.disk.open(path, "write");
    await file.writeDurable(Buffer.from([(bytes[400] as number) ^ 1]), 400);
    await file.close();
  },
  "it is gone": async (node) => {
    for (const path of await logFiles(node)) await node.disk.remove(path);
    await node.disk.syncDirectory(WAL);
  },
};

/** A disk takes its time from the process that uses it, and there is none. */
async function whileDown(node: ClusterNode, work: (node: ClusterNode) => Promise<void>) {
  const { diskDelayMaxMs } = node;
  node.diskDelayMaxMs = 0;
  await work(node);
  node.diskDelayMaxMs = diskDelayMaxMs;
}

/** As the leader has it. */
function isVoter(cluster: Cluster, { member }: ClusterNode): boolean {
  const rows = cluster.leader()?.running.members() ?? [];
  return rows.length === 3 && rows.some(({ id, isLearner }) => id === member?.id && !isLearner);
}

for (const [name, lose] of Object.entries(LOSSES)) {
  test(`lost log: ${name} → the member is replaced by itself, and has all that the others have (BT-f3)`, async () => {
    const cluster = await Cluster.start({ seed: 910, size: 3 });
    const workload = new Workload(cluster);
    await cluster.untilLeader();
    const write = async (count: number): Promise<void> => {
      for (let number = 0; number < count; number += 1) {
        const node = cluster.live[number % cluster.live.length] as ClusterNode;
        await cluster.settled(workload.write(node, `k${number % 5}`, String(number)));
      }
    };
    await write(40);
    // The members are kept beside the store a moment after they are known.
    await cluster.run(1_000);
    const victim = cluster.followers()[0] as ClusterNode;
    const before = victim.id;
    victim.crash();
    // It will say that it lost what it promised, and be right.
    victim.wentBack = true;
    await write(20);
    await whileDown(victim, lose);
    await cluster.settled(victim.start());
    await cluster.until(
      () => isVoter(cluster, victim) && victim.id !== before,
      "the member to come back",
    );
    await write(20);
    await cluster.untilEven();
    const isCalm = (): boolean =>
      cluster.live.every(({ running }) => running.alarms().length === 0);
    await cluster.until(isCalm, "the alarm to be taken back");
    workload.check();
    await cluster.sameHash();
    await cluster.close();
  });
}

test("lost log: of a member alone → it does not start, and says what it found", async () => {
  const cluster = await Cluster.start({ seed: 911, size: 1 });
  const node = await cluster.untilLeader();
  await cluster.put("k", "v");
  await cluster.run(1_000);
  node.crash();
  const flip = LOSSES["a byte is flipped in the middle of it"] as (
    one: ClusterNode,
  ) => Promise<void>;
  await whileDown(node, flip);
  await assert.rejects(cluster.settled(node.start()), /wal/);
  cluster.abandon();
});
