/** A member whose state is not that of the others: found, kept from serving, and healed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CorruptRecord } from "../../src/backend/index.ts";
import { errors } from "../../src/errors/index.ts";
import { AlarmAction, AlarmType, emptyRangeRequest } from "../../src/wire/index.ts";
import { Workload } from "./clients.ts";
import { Cluster } from "./harness.ts";
import type { Mistake } from "./mistakes.ts";
import type { ClusterNode } from "./node.ts";

const NAMES: Readonly<Record<string, Mistake>> = {
  "an entry is left out": "leftOut",
  "a value is another one": "wrongValue",
  "an entry is applied twice": "twice",
};

/** Through members that may be believed: what a wrong one answers before it is found is wrong. */
async function writes(
  cluster: Cluster,
  workload: Workload,
  { count, prefix, but }: { count: number; prefix: string; but?: ClusterNode },
): Promise<void> {
  for (let number = 0; number < count; number += 1) {
    const isSound = (node: ClusterNode) => node !== but && !node.running.isQuarantined;
    const nodes = cluster.live.filter(isSound);
    const node = nodes[number % nodes.length] as ClusterNode;
    await cluster
      .settled(workload.write(node, `${prefix}${number % 7}`, `${prefix} ${number}`))
      .catch(() => undefined);
  }
}

/** Writes go through again, nothing is lost, all are alike; the cluster is closed. */
async function goesOn(cluster: Cluster, workload: Workload): Promise<void> {
  await writes(cluster, workload, { count: 20, prefix: "after" });
  await cluster.untilEven();
  workload.check();
  await cluster.sameHash();
  await cluster.close();
}

/** Who differs, and who led when that was found, have written down what they did. */
async function divergenceOn(node: ClusterNode, wrong: ClusterNode): Promise<void> {
  const directory = "/data/member.etcd/member";
  const names = (await node.disk.list(directory)).filter((name) => name.startsWith("diverge-"));
  if (node === wrong) assert.ok(names.length > 0, `${node.host} wrote nothing down`);
  for (const name of names) {
    const text = (await node.disk.readFile(`${directory}/${name}`)).toString();
    const { entries } = JSON.parse(text) as { entries: unknown[] };
    assert.ok(entries.length > 0, text);
    assert.match(text, /"effects"/);
  }
}

for (const part of ["follower", "leader"] as const) {
  for (const [name, mistake] of Object.entries(NAMES)) {
    test(`care: on the ${part} ${name} → within a second it serves nobody, then it has the others' state; writes go on (BT-f1 BT-f2)`, async () => {
      const cluster = await Cluster.start({ seed: 900, size: 3 });
      const workload = new Workload(cluster);
      const leader = await cluster.untilLeader();
      const wrong = part === "leader" ? leader : (cluster.followers()[0] as ClusterNode);
      await writes(cluster, workload, { count: 30, prefix: "before" });
      wrong.misapply(mistake);
      const sinceMs = cluster.nowMs;
      await writes(cluster, workload, { count: 3, prefix: "mark", but: wrong });
      await cluster.until(() => wrong.running.isQuarantined, "the quarantine");
      assert.ok(cluster.nowMs - sinceMs < 1_000, `found after ${cluster.nowMs - sinceMs} ms`);
      assert.equal(
        await cluster.refusal(cluster.putOn(wrong, "x", "y")),
        errors.Corrupt,
        "it serves nobody",
      );
      assert.throws(() => cluster.read(wrong, "before1"), /corrupt cluster/);
      const others = cluster.nodes.filter((node) => node !== wrong);
      await cluster.until(
        () => others.every(({ running }) => running.alarms().some(({ isScoped }) => isScoped)),
        "the alarm",
      );
      for (const { running } of others) {
        const alarm = { memberId: wrong.id, alarm: AlarmType.CORRUPT, isScoped: true };
        assert.deepEqual(running.alarms(), [alarm]);
      }
      await writes(cluster, workload, { count: 30, prefix: "meanwhile" });
      await cluster.until(() => !wrong.running.isQuarantined, "the end of the quarantine");
      assert.ok(cluster.nowMs - sinceMs < 10_000, `healed after ${cluster.nowMs - sinceMs} ms`);
      await writes(cluster, workload, { count: 30, prefix: "after" });
      await cluster.untilEven();
      for (const { running } of cluster.nodes) assert.deepEqual(running.alarms(), []);
      for (const node of cluster.nodes) await divergenceOn(node, wrong);
      const kinds = () => wrong.running.careLog.map(({ kind }) => kind);
      await cluster.until(() => kinds().at(-1) === "healed", "the journal to say so");
      assert.deepEqual(kinds().slice(-3), ["quarantined", "replaced", "healed"]);
      await cluster.sameHash();
      workload.check();
      await cluster.close();
    });
  }
}

test("care: a state that goes wrong again and again → the member stays out, and says that it is the machine", async () => {
  const cluster = await Cluster.start({ seed: 901, size: 3 });
  const workload = new Workload(cluster);
  await cluster.untilLeader();
  const wrong = cluster.followers()[0] as ClusterNode;
  for (let round = 1; round <= 4; round += 1) {
    wrong.misapply("wrongValue");
    await writes(cluster, workload, { count: 3, prefix: `round ${round}`, but: wrong });
    await cluster.until(() => wrong.running.isQuarantined, "the quarantine");
    if (round === 4) break;
    await cluster.until(() => !wrong.running.isQuarantined, "the end of the quarantine");
    const { careLog } = wrong.running;
    await cluster.until(() => careLog.at(-1)?.kind !== "quarantined", "the journal");
  }
  await cluster.run(60_000);
  assert.equal(wrong.running.isQuarantined, true);
  assert.equal(wrong.running.careLog.at(-1)?.kind, "hardware");
  await writes(cluster, workload, { count: 10, prefix: "after", but: wrong });
  const others = cluster.nodes.filter((node) => node !== wrong);
  await cluster.untilEven(others);
  workload.check(others);
  await cluster.close();
});

// It took the store that it was sent long before for the cure, and its alarm back, again and again.
test("care: a member that was far behind and was sent a store goes wrong later → it has the others' state within seconds (BT-f1)", async () => {
  const settings = { snapshotCount: 20, snapshotCatchUpEntries: 10 };
  const cluster = await Cluster.start({ seed: 903, size: 3, settings });
  const workload = new Workload(cluster);
  await cluster.untilLeader();
  const wrong = cluster.followers()[0] as ClusterNode;
  wrong.crash();
  await writes(cluster, workload, { count: 60, prefix: "without it" });
  await cluster.settled(wrong.start());
  await cluster.untilEven();
  assert.ok(cluster.snapshotsDelivered > 0, "the log alone did not do");
  wrong.misapply("wrongValue");
  await writes(cluster, workload, { count: 3, prefix: "mark", but: wrong });
  await cluster.until(() => wrong.running.isQuarantined, "the quarantine");
  const kinds = () => wrong.running.careLog.map(({ kind }) => kind);
  await cluster.until(() => kinds().at(-1) === "healed", "it to be healed");
  assert.deepEqual(kinds().slice(-3), ["quarantined", "replaced", "healed"]);
  await writes(cluster, workload, { count: 20, prefix: "after" });
  await cluster.untilEven();
  await cluster.sameHash();
  workload.check();
  await cluster.close();
});

// Each restart before its alarm was gone cost another store, and the third one had it stay out;
// later the same where a restart came before the next batch was committed (seed 809).
test("care: a member starts again when it has the others' store and still its alarm → it needs no other store (BT-f1)", async () => {
  const settings = { commitRhythm: { intervalMs: 60_000, operations: 10_000 } };
  const cluster = await Cluster.start({ seed: 904, size: 3, settings });
  const workload = new Workload(cluster);
  await cluster.untilLeader();
  const wrong = cluster.followers()[0] as ClusterNode;
  const others = cluster.nodes.filter((node) => node !== wrong);
  await writes(cluster, workload, { count: 10, prefix: "before" });
  wrong.misapply("wrongValue");
  await writes(cluster, workload, { count: 3, prefix: "mark", but: wrong });
  await cluster.until(() => wrong.counts.storesReplaced === 1, "another store");
  for (const node of others) node.kill();
  // Without the others its alarm stays; that its store is the cure is on the disk at once.
  await cluster.run(500);
  assert.equal(wrong.running.isQuarantined, true);
  wrong.crash();
  await cluster.startAll();
  await cluster.until(() => !wrong.running.isQuarantined, "the end of the quarantine");
  await writes(cluster, workload, { count: 10, prefix: "after" });
  await cluster.untilEven();
  assert.equal(wrong.counts.storesReplaced, 1);
  await cluster.sameHash();
  workload.check();
  await cluster.close();
});

/**
 * A leader that has gone wrong, contradicted by as many as it takes to commit; the others are down,
 * and need a store. The leader's state and its doubt are on its disk.
 */
async function contradicted(seed: number, size: 3 | 5 = 3) {
  const settings = {
    snapshotCount: 5,
    snapshotCatchUpEntries: 3,
    logSegmentBytes: 16_384,
    walsMax: 1,
  };
  const cluster = await Cluster.start({ seed, size, settings });
  const workload = new Workload(cluster);
  const wrong = await cluster.untilLeader();
  const followers = cluster.followers();
  const behind = followers.splice(followers.length / 2);
  for (const node of behind) node.crash();
  for (let round = 1; round <= 3; round += 1) {
    await writes(cluster, workload, { count: 100, prefix: "before" });
    await cluster.run(cluster.settings.commitRhythm.intervalMs);
  }
  wrong.misapply("wrongValue");
  await writes(cluster, workload, { count: 1, prefix: "mark", but: wrong });
  const { doubts } = wrong.running.local;
  await cluster.until(() => doubts.ids.length === followers.length, "the doubts");
  await cluster.run(10);
  return { cluster, workload, wrong, right: followers[0] as ClusterNode, behind };
}

/** They need not be of use yet. */
async function started(cluster: Cluster, nodes: readonly ClusterNode[]): Promise<void> {
  await cluster.settled(Promise.all(nodes.map((node) => node.start())));
}

const isStopped = ({ running }: ClusterNode): boolean =>
  running.alarms().some(({ memberId, isScoped }) => memberId === 0n && isScoped !== true);

/** As docs/operating/care.md says it: who is not trusted goes, writes are allowed, one is added. */
async function operatorRemoves(cluster: Cluster, nodes: readonly ClusterNode[]): Promise<void> {
  for (const node of nodes) {
    await cluster.remove(node.id);
    await cluster.until(() => node.wasRemoved, "the removed member to be told");
    cluster.forget(node);
  }
  const action = AlarmAction.DEACTIVATE;
  const alarm = { action, memberId: 0n, alarm: AlarmType.CORRUPT };
  await cluster.settled(cluster.retried((at) => cluster.propose(at, { kind: "alarm", alarm })));
  const guest = await cluster.join("guest", { isLearner: true });
  await cluster.promote(guest.id);
}

// The one that was right had all of the leader's log, and was to be sent a whole store after its
// restart, as the one that lagged; the leader, doubted, gave none to either, nothing was committed
// any more, and the operator's removal timed out.
for (const removed of ["wrong", "right"] as const) {
  test(`care: two of three differ, the third needs a store, all are restarted → the operator removes the ${removed} one, the cluster goes on (BT-f2)`, async () => {
    const made = await contradicted(905);
    const { cluster, wrong, right, behind } = made;
    await started(cluster, behind);
    await cluster.until(() => isStopped(wrong), "writes to stop");
    wrong.crash();
    right.crash();
    await started(cluster, [wrong]);
    await cluster.until(() => wrong.running.leader === wrong.id, "it to lead again");
    await started(cluster, [right]);
    await cluster.run(5_000);
    assert.equal(cluster.snapshotsDelivered, 0, "nobody knows whose state is right");
    await operatorRemoves(cluster, [made[removed]]);
    await goesOn(cluster, new Workload(cluster));
  });
}

// Those that were left had no majority without the members that needed a store, and knew from the
// log alone that some leader had had another state: they gave none, to nobody.
test("care: most of those that are left need a store when the operator has removed the wrong one → the others give it (BT-f2)", async () => {
  const { cluster, workload, wrong, behind } = await contradicted(907, 5);
  await started(cluster, behind);
  await cluster.until(() => isStopped(wrong), "writes to stop");
  await cluster.run(5_000);
  assert.equal(cluster.snapshotsDelivered, 0, "nobody knows whose state is right");
  await operatorRemoves(cluster, [wrong]);
  await goesOn(cluster, workload);
});

test("care: a person trusts one of five, two others need a store → those first, then the others are removed: it goes on alone, and grows (BT-f2)", async () => {
  const { cluster, wrong, behind } = await contradicted(908, 5);
  await started(cluster, behind);
  await cluster.until(() => isStopped(wrong), "writes to stop");
  const others = cluster.nodes.filter((node) => node !== wrong && !behind.includes(node));
  await operatorRemoves(cluster, [...behind, ...others]);
  await goesOn(cluster, new Workload(cluster));
});

// Its doubt was in memory alone: it gave its store to the one that lagged, and with it the wrong
// state had a majority, against the only member that was right.
test("care: a leader that went wrong is started again while who contradicted it is cut off → it gives no store away, until a person has chosen (BT-f2)", async () => {
  const { cluster, workload, wrong, right, behind } = await contradicted(906);
  for (const { host } of [wrong, ...behind]) cluster.network.cut(right.host, host);
  wrong.crash();
  await started(cluster, [wrong, ...behind]);
  await cluster.until(() => wrong.running.leader === wrong.id, "it to lead again");
  await cluster.run(20_000);
  assert.equal(cluster.snapshotsDelivered, 0);
  cluster.network.heal();
  await cluster.until(() => isStopped(right), "writes to stop");
  await operatorRemoves(cluster, [wrong]);
  await goesOn(cluster, workload);
});

// A read that met a rotten record within a turn of the driver stopped the driver, and not the
// member: it led on in a term that was over, and nobody ever told it.
test("care: a linearizable read on the leader meets a rotten record → an answer; it hands over, takes another store and goes on (BT-f3)", async () => {
  const cluster = await Cluster.start({ seed: 902, size: 3 });
  const workload = new Workload(cluster);
  const leader = await cluster.untilLeader();
  await writes(cluster, workload, { count: 20, prefix: "k" });
  leader.wasMisled = true;
  const { store } = leader.running.local;
  const { range } = store;
  store.range = (...parts) => {
    store.range = range;
    void parts;
    throw new CorruptRecord("key", Buffer.alloc(17), 1, 2);
  };
  const read = new Promise<unknown>((resolve) => {
    const request = { ...emptyRangeRequest(), key: "k1" };
    leader.running.readIndex({
      done: () => resolve(leader.running.range(request)),
      refused: resolve,
    });
  });
  assert.equal(await cluster.settled(read), errors.Corrupt);
  await cluster.until(() => leader.running.careLog.at(-1)?.kind === "healed", "the member to heal");
  await goesOn(cluster, workload);
});
