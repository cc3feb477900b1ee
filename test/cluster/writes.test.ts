import assert from "node:assert/strict";
import { test } from "node:test";
import { errors } from "../../src/errors/index.ts";
import { Workload } from "./clients.ts";
import { Cluster, refusalOf } from "./harness.ts";
import { ProcessGone } from "./node.ts";

const TIMEOUTS: readonly unknown[] = [
  errors.Timeout,
  errors.TimeoutDueToLeaderFail,
  errors.TimeoutDueToConnectionLost,
];

test("put: on a follower → forwarded to the leader, answered where it was asked (RA-11)", async () => {
  const cluster = await Cluster.start({ seed: 21, size: 3 });
  await cluster.untilLeader();
  for (const node of cluster.followers()) {
    const revision = await cluster.settled(cluster.putOn(node, "a", node.host));
    assert.equal(node.running.currentRevision, revision);
    assert.equal(cluster.read(node, "a"), node.host);
  }
  await cluster.untilEven();
  await cluster.sameHash();
  await cluster.close();
});

test("put: many at once on all members → each revision once, same everywhere", async () => {
  const cluster = await Cluster.start({ seed: 22, size: 3 });
  await cluster.untilLeader();
  const puts = Array.from({ length: 300 }, (_, number) =>
    cluster.putOn(cluster.node((number % 3) + 1), `k${number % 50}`, String(number)),
  );
  const revisions = await cluster.settled(Promise.all(puts));
  assert.equal(new Set(revisions).size, 300);
  await cluster.untilEven();
  await cluster.sameHash();
  await cluster.close();
});

test("put: the leader crashes with writes in flight → acknowledged ones stay, others either way", async () => {
  for (let seed = 23; seed < 33; seed += 1) {
    const cluster = await Cluster.start({ seed, size: 3, diskDelayMaxMs: 2 });
    const leader = await cluster.untilLeader();
    const workload = new Workload(cluster);
    for (let number = 0; number < 60; number += 1) {
      void workload.write(cluster.node((number % 3) + 1), `k${number % 5}`, String(number));
      if (number % 7 === 0) await cluster.run(cluster.prng.below(3));
    }
    leader.crash();
    await cluster.untilLeader(leader);
    await cluster.settled(leader.start());
    await cluster.untilEven();
    workload.check();
    await cluster.sameHash();
    await cluster.close();
  }
});

test("put: a minority → writes and linearizable reads time out, nothing happens (FR-08, KV-10)", async () => {
  const cluster = await Cluster.start({ seed: 41, size: 3 });
  const leader = await cluster.untilLeader();
  await cluster.put("a", "before");
  const rest = cluster.followers();
  cluster.network.partition([[leader.host], rest.map(({ host }) => host)]);
  const refused = [cluster.putOn(leader, "a", "minority"), cluster.getOn(leader, "a")];
  const beganMs = cluster.nowMs;
  const errorsSeen = await cluster.settled(Promise.all(refused.map(refusalOf)));
  assert.ok(cluster.nowMs - beganMs <= 7_200, "within the request timeout");
  for (const error of errorsSeen) {
    assert.ok([...TIMEOUTS, errors.LeaderChanged].includes(error), error.message);
  }
  const late = [cluster.putOn(leader, "a", "no leader"), cluster.getOn(leader, "a")];
  for (const error of await cluster.settled(Promise.all(late.map(refusalOf)))) {
    assert.ok([...TIMEOUTS, errors.NoLeader].includes(error), error.message);
  }
  assert.equal(cluster.read(leader, "a"), "before", "a serializable read is answered");
  const second = await cluster.untilLeader(leader);
  await cluster.settled(cluster.putOn(second, "b", "majority"));
  cluster.network.heal();
  await cluster.untilEven();
  assert.equal(cluster.read(leader, "a"), "before");
  assert.equal(cluster.read(leader, "b"), "majority");
  await cluster.sameHash();
  await cluster.close();
});

test("get: a leader that was replaced and does not know it → never answers (KV-10)", async () => {
  const cluster = await Cluster.start({ seed: 42, size: 3 });
  const old = await cluster.untilLeader();
  await cluster.put("a", "old");
  // The old leader still hears the others, which no longer hear it.
  for (const { host } of cluster.followers()) cluster.network.cutOneWay(old.host, host);
  let answers = 0;
  const ask = () =>
    cluster.getOn(old, "a").then(
      (value) => {
        answers += 1;
        assert.equal(value, "new");
      },
      () => undefined,
    );
  const second = await cluster.untilLeader(old);
  await cluster.settled(cluster.putOn(second, "a", "new"));
  const asked = [ask()];
  for (let number = 0; number < 20; number += 1) {
    await cluster.run(100);
    asked.push(ask());
  }
  await cluster.settled(Promise.all(asked));
  cluster.network.heal();
  await cluster.until(() => old.running.leader === second.id, "the old leader to follow");
  assert.equal(await cluster.settled(cluster.getOn(old, "a")), "new");
  assert.ok(answers <= asked.length);
  await cluster.close();
});

test("get: a leader that is paused, replaced and resumed → sees what was written meanwhile", async () => {
  for (let seed = 43; seed < 53; seed += 1) {
    const cluster = await Cluster.start({ seed, size: 3 });
    const old = await cluster.untilLeader();
    await cluster.put("a", "old");
    const { process } = old;
    process.pause();
    const asked = cluster.getOn(old, "a");
    const second = await cluster.untilLeader(old);
    await cluster.settled(cluster.putOn(second, "a", "new"));
    process.resume();
    const late = cluster.getOn(old, "a");
    assert.equal(await cluster.settled(late), "new");
    await cluster.settled(asked);
    await cluster.close();
  }
});

test("put: what waits when the process ends → the client hears of it, a retry goes elsewhere", async () => {
  const cluster = await Cluster.start({ seed: 61, size: 3 });
  const leader = await cluster.untilLeader();
  const lost = cluster.putOn(leader, "a", "1");
  leader.crash();
  await assert.rejects(cluster.settled(lost), ProcessGone);
  await cluster.put("a", "2");
  assert.equal(await cluster.get("a"), "2");
  await cluster.close();
});

test("force new cluster: one member of three that are lost → alone, with all that it had", async () => {
  const cluster = await Cluster.start({ seed: 62, size: 3 });
  await cluster.put("a", "1");
  await cluster.untilEven();
  for (const node of cluster.nodes) node.crash();
  const node = cluster.node(2);
  await cluster.settled(node.start({ forceNewCluster: true }));
  await cluster.until(() => node.running.leader === node.id, "it to lead alone");
  assert.equal(cluster.read(node, "a"), "1");
  assert.deepEqual(
    node.running.members().map(({ id }) => id),
    [node.id],
  );
  await cluster.settled(cluster.putOn(node, "a", "2"));
  node.crash();
  await cluster.settled(node.start());
  await cluster.until(() => node.running.leader === node.id, "it to lead after a restart");
  assert.equal(await cluster.get("a"), "2");
  await cluster.close();
});

test("cluster: a simulated second → a few milliseconds", async () => {
  const cluster = await Cluster.start({ seed: 63, size: 3 });
  await cluster.untilLeader();
  const began = process.hrtime.bigint();
  await cluster.run(60_000);
  const wallMs = Number(process.hrtime.bigint() - began) / 1e6;
  assert.ok(wallMs / 60 < 50, `${(wallMs / 60).toFixed(1)} ms a simulated second`);
  await cluster.close();
});
