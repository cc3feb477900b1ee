/** What members ask each other beside the consensus, both ends, and each refusal. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { type EtcdError, errors } from "../errors/index.ts";
import { openHttpClient, systemClock, systemTimers } from "../host/index.ts";
import { readAll } from "./body.ts";
import { CLUSTER_ID, startTestMember, type TestMember } from "./fixture.test.ts";
import { fetchCluster, fetchDowngradeEnabled, fetchVersions } from "./index.ts";
import { decodeMembers, encodeMembers } from "./members-json.ts";

async function asker(t: TestContext): Promise<[TestMember, TestMember]> {
  const a = await startTestMember(t, 0xan);
  const b = await startTestMember(t, 0xbn);
  a.peers.network.add(b.id, [b.url]);
  return [a, b];
}

async function ask(
  t: TestContext,
  url: string,
  options: { method?: string; target: string; headers?: Record<string, string>; body?: Buffer },
) {
  const http = openHttpClient();
  t.after(() => http.close());
  const answer = await http.request({
    method: "GET",
    headers: {},
    url,
    connectTimeoutMs: 1000,
    answerTimeoutMs: 1000,
    ...options,
  });
  const text = (await readAll(answer.body, 100_000, 1000)).toString("utf8");
  return { status: answer.status, headers: answer.headers, text };
}

test("lease renewal: asked of another member → the TTL, or its refusal (PE-09)", async (t) => {
  const [a, b] = await asker(t);
  const leases: bigint[] = [];
  b.handler.renew = (leaseId) => {
    leases.push(leaseId);
    return Promise.resolve(60);
  };
  const leaseId = -1n;
  assert.equal(await a.peers.network.keepAlive(b.id, leaseId), 60);
  assert.deepEqual(leases, [leaseId]);
  const refusals: readonly (readonly [EtcdError, EtcdError])[] = [
    [errors.LeaseNotFound, errors.LeaseNotFound],
    [errors.NotPrimaryLessor, errors.NotPrimaryLessor],
    [errors.TimeoutWaitAppliedIndex, errors.Timeout],
    [errors.NoLeader, errors.NoLeader],
  ];
  for (const [given, heard] of refusals) {
    b.handler.renew = () => Promise.reject(given);
    await assert.rejects(a.peers.network.keepAlive(b.id, 1n), (error) => error === heard);
  }
  const target = "/leases";
  const refused = (body: Buffer) => ask(t, b.url, { method: "POST", target, body });
  b.handler.renew = () => Promise.reject(errors.LeaseNotFound);
  assert.deepEqual((({ status, text }) => ({ status, text }))(await refused(Buffer.alloc(0))), {
    status: 404,
    text: "lease not found\n",
  });
  assert.equal((await refused(Buffer.alloc(65 * 1024))).status, 400);
  b.handler.renew = () => Promise.reject(errors.TimeoutWaitAppliedIndex);
  const late = await refused(Buffer.alloc(0));
  assert.equal(late.status, 408);
  assert.equal(late.text, "waiting for node to catch up its applied index has timed out\n");
});

test("lease times: asked of another member → times and keys of any bytes, or not found (PE-10)", async (t) => {
  const [a, b] = await asker(t);
  assert.deepEqual(await a.peers.network.leaseTimes(b.id, 5n, true), b.handler.lease);
  b.handler.lease = { ttlSeconds: -1, grantedTtlSeconds: 0, keys: [] };
  await assert.rejects(
    a.peers.network.leaseTimes(b.id, 5n, true),
    (error) => error === errors.LeaseNotFound,
  );
});

test("promotion: asked of the leader → the members, or its refusal (PE-07)", async (t) => {
  const [a, b] = await asker(t);
  assert.deepEqual(await a.peers.network.promote(b.id, 2n ** 64n - 1n), b.handler.members());
  for (const refusal of [
    errors.MemberNotFound,
    errors.MemberLearnerNotReady,
    errors.MemberNotLearner,
    errors.NotLeader,
  ]) {
    b.handler.promoted = () => Promise.reject(refusal);
    await assert.rejects(a.peers.network.promote(b.id, 9n), (error) => error === refusal);
  }
  const status = async (target: string) => (await ask(t, b.url, { method: "POST", target })).status;
  assert.equal(await status("/members/promote/x"), 404);
  b.handler.promoted = () => Promise.reject(errors.MemberLearnerNotReady);
  assert.equal(await status("/members/promote/9"), 412);
});

test("hash: asked of another member → its numbers, or compacted, future, another cluster (PE-08)", async (t) => {
  const [a, b] = await asker(t);
  const answer = await a.peers.network.hashKv(b.id, 8);
  assert.deepEqual(answer, { hash: 42, revision: 9, compactRevision: 3, hashRevision: 8 });
  for (const refusal of [errors.Compacted, errors.FutureRev]) {
    b.handler.hash = () => Promise.reject(refusal);
    await assert.rejects(a.peers.network.hashKv(b.id, 8), (error) => error === refusal);
  }
  b.handler.clusterId = 1n;
  await assert.rejects(
    a.peers.network.hashKv(b.id, 8),
    (error) => error === errors.ClusterIDMismatch,
  );
  const target = "/members/hashkv";
  assert.equal((await ask(t, b.url, { target, body: Buffer.from("{") })).status, 400);
});

test("members and versions: a joiner's questions → the cluster as one of them tells it (PE-06, PE-11, PE-12, PV-02, PV-04)", async (t) => {
  const [a, b] = await asker(t);
  assert.deepEqual(await a.peers.network.versions(b.id), { server: "3.7.1", cluster: "3.7.0" });
  const http = openHttpClient();
  t.after(() => http.close());
  const options = { http, timeoutMs: 1000 };
  const cluster = await fetchCluster(options, ["http://127.0.0.1:1", b.url]);
  assert.deepEqual(cluster, { clusterId: CLUSTER_ID, members: b.handler.members() });
  assert.equal(await fetchDowngradeEnabled(options, b.url), false);
  assert.deepEqual(await fetchVersions(options, b.url), { server: "3.7.1", cluster: "3.7.0" });
  b.route = () => undefined;
  const startMs = performance.now();
  await assert.rejects(
    fetchCluster({ http, timeoutMs: 100 }, [b.url]),
    /cannot fetch the members of the cluster: .*no answer within 100 ms/,
  );
  assert.ok(performance.now() - startMs < 900);
});

test("questions: a member nobody knows, or that is not there → a plain error with the reason", async (t) => {
  const a = await startTestMember(t, 0xan);
  await assert.rejects(a.peers.network.versions(9n), /member 9 is not known/);
  a.peers.network.add(9n, ["http://127.0.0.1:1", "http://127.0.0.1:2"]);
  await assert.rejects(
    a.peers.network.keepAlive(9n, 1n),
    /cannot be asked: http:\/\/127\.0\.0\.1:\d: ECONNREFUSED; .*ECONNREFUSED/,
  );
});

test("probe: a peer is asked for its clock now and then → round trip and difference are measured, a wrong clock is told (PE-05)", async (t) => {
  const often = {
    ...systemTimers,
    every: (_ms: number, run: () => void) => systemTimers.every(10, run),
  };
  const ahead = { ...systemClock, wallMs: () => systemClock.wallMs() + 10_000 };
  const a = await startTestMember(t, 0xan, { timers: often });
  const b = await startTestMember(t, 0xbn, { clock: ahead });
  a.peers.network.add(b.id, [b.url]);
  await a.log.line("the clock of a peer differs");
  const [row] = a.peers.measures();
  assert.ok((row?.roundTripSeconds.count ?? 0) >= 1);
  assert.ok(Math.abs((row?.clockDifferenceSeconds ?? 0) - 10) < 2);
  const { status, text } = await ask(t, b.url, { target: "/raft/probing" });
  assert.equal(status, 200);
  const health = JSON.parse(text) as { OK: boolean; Now: string };
  assert.equal(health.OK, true);
  assert.match(health.Now, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});

test("router: unknown paths and wrong methods → 404 and 405 with what is allowed", async (t) => {
  const [, b] = await asker(t);
  assert.equal((await ask(t, b.url, { target: "/v3/kv/range" })).status, 404);
  const refused = await ask(t, b.url, { method: "POST", target: "/members" });
  assert.deepEqual([refused.status, refused.headers["allow"]], [405, "GET"]);
  const headers = { "x-etcd-cluster-id": "1" };
  const raft = await ask(t, b.url, { method: "POST", target: "/raft", headers });
  assert.deepEqual([raft.status, raft.text], [412, "incompatible version\n"]);
});

test("members as JSON: ids are whole, empty fields left out, nonsense refused (PE-06)", () => {
  const peerUrls = ["http://a:1"];
  const rows = [
    { id: 2n ** 64n - 1n, name: "x", peerUrls, clientUrls: ["http://c:2"], isLearner: true },
    { id: 1n, name: "", peerUrls, clientUrls: [], isLearner: false },
  ];
  const text = encodeMembers(rows);
  assert.equal(
    text,
    '[{"id":18446744073709551615,"peerURLs":["http://a:1"],"isLearner":true,"name":"x",' +
      '"clientURLs":["http://c:2"]},{"id":1,"peerURLs":["http://a:1"]}]',
  );
  assert.deepEqual(decodeMembers(text), rows);
  for (const bad of ["{}", '[{"id":"1"}]', '[{"id":0}]', "[1]", '[{"id":18446744073709551616}]']) {
    assert.throws(() => decodeMembers(bad), Error, bad);
  }
});
