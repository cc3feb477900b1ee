/** How clients see a cluster of processes: learners, no leader, leadership, downgrade. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { METHODS } from "../harness/client.ts";
import { Cluster, type ClusterMember } from "../harness/cluster.ts";
import { poll } from "../harness/process.ts";

const ELECTION_MS = 500;
const WANTS_LEADER = { hasleader: "true" };
const ALL = Buffer.from([0]);
/** A machine that is busy with other tests elects and starts slowly. */
const PATIENCE_MS = 30_000;

async function withCluster(
  members: number,
  run: (cluster: Cluster) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const cluster = await Cluster.start("holdfast", {
    members,
    heartbeatMs: 50,
    electionMs: ELECTION_MS,
    env,
  });
  try {
    await run(cluster);
  } finally {
    await cluster.dispose();
  }
}

async function page(
  member: ClusterMember,
  path: string,
): Promise<{ status: number; text: string }> {
  const response = await fetch(`${member.clientUrl}${path}`);
  return { status: response.status, text: await response.text() };
}

async function metric(member: ClusterMember, name: string): Promise<number> {
  const { text } = await page(member, "/metrics");
  return Number(new RegExp(`^${name}(?:{.*})? (.*)$`, "m").exec(text)?.[1]);
}

test("cluster: what a member without a leader says (FR-21, HT-01, HT-02, MA-03, LE-04)", async () => {
  await withCluster(3, async (cluster) => {
    const leader = await cluster.leader();
    const [left, gone] = (await cluster.followers()) as [ClusterMember, ClusterMember];
    const { client } = left;
    await client.must(METHODS.put, { key: Buffer.from("a"), value: Buffer.from("1") });
    const wanting = client.watch(WANTS_LEADER);
    wanting.send({ create: { key: ALL, rangeEnd: ALL } });
    await wanting.until((received) => received.length > 0);
    const patient = client.watch();
    patient.send({ create: { key: ALL, rangeEnd: ALL } });
    await patient.until((received) => received.length > 0);
    const lease = await client.must(METHODS.leaseGrant, { ttl: 60n });
    await gone.kill();
    await leader.kill();
    const lostAtMs = performance.now();
    await poll("no leader", async () => (await left.status())?.leader === 0n, PATIENCE_MS);
    assert.deepEqual((await left.status())?.errors, ["etcdserver: no leader"]);
    assert.deepEqual(await page(left, "/health"), {
      status: 503,
      text: '{"health":"false","reason":"RAFT NO LEADER"}',
    });
    assert.equal((await page(left, "/health?serializable=true")).status, 200);
    assert.equal((await page(left, "/livez")).status, 200);
    assert.equal(await metric(left, "etcd_server_has_leader"), 0);
    const asked = await client.call(
      METHODS.range,
      { key: Buffer.from("a"), serializable: true },
      { metadata: WANTS_LEADER },
    );
    assert.deepEqual(asked.ok || asked.refusal, { code: 14, message: "etcdserver: no leader" });
    const local = await client.must(METHODS.range, { key: Buffer.from("a"), serializable: true });
    assert.equal(local.kvs[0]?.value.toString(), "1");
    const end = await wanting.untilEnd(PATIENCE_MS);
    assert.deepEqual(end, { code: 14, message: "etcdserver: no leader" });
    assert.ok(performance.now() - lostAtMs > 3 * ELECTION_MS);
    assert.equal(patient.status, undefined);
    const renewal = client.keepAlive();
    renewal.send({ id: lease.id });
    const { code, message } = await renewal.untilEnd(PATIENCE_MS);
    assert.equal(code, 14, message);
    assert.match(message, /^etcdserver: (no leader|request timed out)/);
  });
});

test("cluster: a learner answers what it may, and all once it votes (FR-25, CL-08, HT-05)", async () => {
  await withCluster(1, async (cluster) => {
    const first = await cluster.leader();
    await first.client.must(METHODS.put, { key: Buffer.from("a"), value: Buffer.from("1") });
    const learner = await cluster.addLearner();
    const { client } = learner;
    const refusal = { code: 9, message: "etcdserver: rpc not supported for learner" };
    const hasKey = async () => {
      const local = await client.call(METHODS.range, { key: Buffer.from("a"), serializable: true });
      return local.ok && local.value.count === 1n;
    };
    await poll("the learner has the key", hasKey, PATIENCE_MS);
    for (const answer of [
      await client.call(METHODS.range, { key: Buffer.from("a") }),
      await client.call(METHODS.put, { key: Buffer.from("b") }),
      await client.call(METHODS.memberList, {}),
      await client.call(METHODS.leaseGrant, { ttl: 5n }),
    ]) {
      assert.deepEqual(answer.ok || answer.refusal, refusal);
    }
    const watch = client.watch();
    watch.send({ create: { key: ALL, rangeEnd: ALL } });
    assert.deepEqual(await watch.untilEnd(), refusal);
    assert.equal((await learner.status())?.isLearner, true);
    assert.equal(await metric(learner, "etcd_server_is_learner"), 1);
    const ready = await page(learner, "/readyz");
    assert.equal(ready.status, 503);
    assert.match(ready.text, /\[-\]non_learner failed/);
    await cluster.promote(learner);
    const answers = async () => (await client.call(METHODS.put, { key: Buffer.from("b") })).ok;
    await poll("it is no learner any more", answers, PATIENCE_MS);
    assert.equal(await metric(first, "etcd_server_learner_promote_successes"), 1);
    assert.equal((await page(learner, "/readyz")).status, 200);
  });
});

test("cluster: leadership goes where it is sent, headers show the new term (MA-08, FR-26)", async () => {
  await withCluster(3, async (cluster) => {
    const leader = await cluster.leader();
    const [target] = (await cluster.followers()) as [ClusterMember];
    const targetId = await target.id();
    const before = await leader.status();
    const answer = await leader.client.must(METHODS.moveLeader, { targetId });
    assert.equal(answer.header, undefined);
    const put = await leader.client.must(METHODS.put, { key: Buffer.from("a") });
    assert.ok((put.header?.raftTerm ?? 0n) > (before?.raftTerm ?? 0n));
    assert.equal((await leader.status())?.leader, targetId);
    const late = await leader.client.call(METHODS.moveLeader, { targetId });
    assert.deepEqual(late.ok || late.refusal, { code: 9, message: "etcdserver: not leader" });
    assert.ok((await metric(leader, "etcd_server_leader_changes_seen_total")) >= 2);
  });
});

test("cluster: renewals and times of a lease, asked of a follower (LE-04, LE-05)", async () => {
  await withCluster(3, async (cluster) => {
    const [follower] = (await cluster.followers()) as [ClusterMember];
    const { client } = follower;
    const { id } = await client.must(METHODS.leaseGrant, { ttl: 100n });
    await client.must(METHODS.put, { key: Buffer.from("a"), lease: id });
    const renewals = client.keepAlive();
    renewals.send({ id });
    renewals.send({ id: 12_345n });
    await renewals.until((received) => received.length === 2);
    assert.deepEqual(
      renewals.received.map(({ ttl }) => ttl),
      [100n, 0n],
    );
    const times = await client.must(METHODS.leaseTimeToLive, { id, keys: true });
    assert.equal(times.grantedTtl, 100n);
    assert.deepEqual(times.keys.map(String), ["a"]);
    renewals.cancel();
  });
});

test("cluster: a downgrade lowers the cluster version, cancelling lifts it (MA-09, PV-01, PV-02)", async () => {
  await withCluster(3, async (cluster) => {
    const [follower] = (await cluster.followers()) as [ClusterMember];
    const { client } = follower;
    const all = (version: string) => async () => {
      const pages = await Promise.all(cluster.members.map((member) => page(member, "/version")));
      return pages.every(({ text }) => text.includes(`"etcdcluster":"${version}"`));
    };
    const ask = async (action: number, version: string) => {
      const answer = await client.call(METHODS.downgrade, { action, version });
      return answer.ok ? `ok ${answer.value.version}` : answer.refusal.message;
    };
    await poll("the cluster version is decided", all("3.7.0"), PATIENCE_MS);
    assert.equal(await ask(0, "3.6"), "ok 3.7");
    assert.equal(await ask(0, "3.5"), "etcdserver: invalid downgrade target version");
    assert.equal(await ask(2, ""), "ok 3.7");
    assert.match(await ask(1, "3.6.0"), /^ok 3\.[67]$/);
    await poll("it is lowered", all("3.6.0"), PATIENCE_MS);
    assert.equal(await ask(1, "3.5"), "etcdserver: cluster has a downgrade job in progress");
    await ask(2, "");
    await poll("it rises again", all("3.7.0"), PATIENCE_MS);
  });
});

test("cluster: of two changes at once one may wait in vain, and goes alone later (CL-10)", async () => {
  await withCluster(3, async (cluster) => {
    const leader = await cluster.leader();
    const ids = await Promise.all(cluster.members.map((member) => member.id()));
    const change = (at: number) => {
      const { peerUrl } = cluster.member(at);
      const peerUrls = [peerUrl, `http://127.0.0.1:${20_200 + at}`];
      return leader.client.call(METHODS.memberUpdate, { id: ids[at] ?? 0n, peerUrls });
    };
    const answers = await Promise.all([change(0), change(1)]);
    assert.ok(answers.some(({ ok }) => ok));
    for (const [at, answer] of answers.entries()) {
      if (answer.ok) continue;
      assert.deepEqual(answer.refusal, { code: 14, message: "etcdserver: request timed out" });
      assert.ok((await change(at)).ok);
    }
    const { members } = await leader.client.must(METHODS.memberList, { linearizable: true });
    assert.deepEqual(
      members.map(({ peerUrls }) => peerUrls.length).sort((a, b) => a - b),
      [1, 2, 2],
    );
  });
});

test("cluster: members go down a version one by one, then the downgrade is over (MA-09, PV-01)", async () => {
  const env: Record<string, string> = {};
  const run = async (cluster: Cluster) => {
    const ask = async (action: number, version: string) => {
      const { client } = await cluster.leader();
      const answer = await client.call(METHODS.downgrade, { action, version });
      return answer.ok ? `ok ${answer.value.version}` : answer.refusal.message;
    };
    await poll("the cluster version is decided", async () => (await ask(0, "3.6")) === "ok 3.7");
    assert.match(await ask(1, "3.6"), /^ok 3\.[67]$/);
    const underWay = "etcdserver: cluster has a downgrade job in progress";
    await poll("it is lowered", async () => (await ask(0, "3.5")) === underWay);
    env["ETCD_COMPAT"] = "3.6";
    for (const member of cluster.members) {
      await member.stop();
      await member.start(PATIENCE_MS);
      assert.equal((await member.status())?.version, "3.6.11");
    }
    await poll("it is over", async () => (await ask(0, "3.5")) === "ok 3.6", PATIENCE_MS);
    const { client } = await cluster.leader();
    await client.must(METHODS.put, { key: Buffer.from("a") });
  };
  await withCluster(3, run, env);
});
