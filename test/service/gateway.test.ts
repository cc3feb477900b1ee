import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "../../src/errors/index.ts";
import { counter, gauge, openGateway } from "../../src/gateway/index.ts";
import type { HttpResponse } from "../../src/seam/index.ts";
import { encodeAlarmRequest, marshal } from "../../src/wire/index.ts";
import { Service } from "./harness.ts";

async function setUp(minorVersion = 7) {
  const service = await Service.open();
  const gateway = openGateway({
    member: service.member,
    timers: service.time,
    serverVersion: `3.${minorVersion}.1`,
    minorVersion,
    holdfastVersion: "0.1.0",
    metrics: [gauge("process_open_fds", "Open files.", () => 12)],
    variables: () => ({ cmdline: ["holdfast"] }),
  });
  const ask =
    (handler: typeof gateway.handler) =>
    (target: string, method = "GET") => {
      const url = new URL(target, "http://localhost");
      const request = {
        method,
        path: url.pathname,
        query: url.searchParams,
        headers: {},
        body: Buffer.alloc(0),
        peer: { address: "127.0.0.1:1", isTls: false },
      };
      return service.until(handler(request));
    };
  const alarm = (action: number, type: number) =>
    service.ok(
      "/etcdserverpb.Maintenance/Alarm",
      marshal(encodeAlarmRequest, { action, memberId: service.member.id, alarm: type }),
    );
  return { service, alarm, get: ask(gateway.handler), getMetrics: ask(gateway.metricsHandler) };
}

const answer = ({ status, body }: HttpResponse) => [status, String(body)];

test("gateway: /health says true, with a reason from 3.5 on (HT-01)", async () => {
  const { get } = await setUp();
  assert.deepEqual(answer(await get("/health")), [200, '{"health":"true","reason":""}']);
  const older = await setUp(4);
  assert.deepEqual(answer(await older.get("/health")), [200, '{"health":"true"}']);
});

test("gateway: /health names the alarm, unless it is excluded (HT-01, HT-03)", async () => {
  const { get, alarm } = await setUp();
  await alarm(1, 1);
  const sick = [503, '{"health":"false","reason":"ALARM NOSPACE"}'];
  assert.deepEqual(answer(await get("/health")), sick);
  assert.equal((await get("/health?exclude=NOSPACE")).status, 200);
  assert.deepEqual(answer(await get("/health?exclude=OTHER")), sick);
  await alarm(1, 2);
  assert.deepEqual(answer(await get("/health?exclude=NOSPACE")), [
    503,
    '{"health":"false","reason":"ALARM CORRUPT"}',
  ]);
});

test("gateway: /health?serializable=true reads without a leader round (HT-02)", async () => {
  const { get } = await setUp();
  assert.equal((await get("/health?serializable=true")).status, 200);
});

test("gateway: a stopped member is not healthy (HT-01)", async () => {
  const { get, service } = await setUp();
  service.disk.failNext("writeDurable", "EIO");
  const put = service.put({ key: "k" });
  await put;
  const [status, body] = answer(await get("/health"));
  assert.equal(status, 503);
  assert.match(String(body), /RAFT NO LEADER/);
  assert.equal(service.fatal.length, 1, "a failed write is fatal and never tried again");
});

test("gateway: /livez and /readyz, alone, verbose and with exclusions (HT-04, HT-05)", async () => {
  const { get, alarm } = await setUp();
  assert.deepEqual(answer(await get("/livez")), [200, "ok\n"]);
  assert.deepEqual(answer(await get("/readyz")), [200, "ok\n"]);
  assert.deepEqual(answer(await get("/livez?verbose")), [200, "[+]serializable_read ok\nok\n"]);
  const names = ["data_corruption", "serializable_read", "linearizable_read", "non_learner"];
  const all = names.map((name) => `[+]${name} ok\n`).join("");
  assert.deepEqual(answer(await get("/readyz?verbose=true")), [200, `${all}ok\n`]);
  for (const name of names) assert.equal((await get(`/readyz/${name}`)).status, 200);
  assert.equal((await get("/readyz/nothing")).status, 404);
  await alarm(1, 2);
  const [status, body] = answer(await get("/readyz"));
  assert.equal(status, 503);
  assert.match(String(body), /\[-\]data_corruption failed: alarm activated: CORRUPT/);
  assert.equal((await get("/readyz?exclude=data_corruption")).status, 200);
  assert.equal((await get("/livez")).status, 200);
});

test("gateway: a read meets a damaged record → DataLoss, a CORRUPT alarm, once, and /health tells (HT-01, MA-02)", async () => {
  const { get, alarm, service } = await setUp();
  await service.put({ key: "bad" });
  await service.put({ key: "good" });
  await service.until(service.backend.commit());
  assert.equal((await get("/health")).status, 200);
  const record = Buffer.from("00000000000000025f0000000000000000", "hex");
  service.medium.damage("key", record);
  const refused = { code: Code.DATA_LOSS, message: "etcdserver: corrupt cluster" };
  const before = service.member.status().raftIndex;
  for (let time = 0; time < 3; time += 1) {
    assert.deepEqual(await service.range({ key: "bad" }), refused);
    await service.untilTrue(() => service.member.alarms().length === 1);
  }
  assert.equal(service.member.status().raftIndex, before + 1);
  const sick = [503, '{"health":"false","reason":"ALARM CORRUPT"}'];
  assert.deepEqual(answer(await get("/health")), sick);
  assert.equal((await get("/readyz")).status, 503);
  assert.equal((await service.range({ key: "good" })).code, Code.OK);
  assert.deepEqual(await service.put({ key: "good" }), refused);
  assert.equal(service.fatal.length, 0);
  // Whoever disarms it without a repair is told again.
  await alarm(2, 2);
  assert.deepEqual(answer(await get("/health"))[0], 200);
  assert.deepEqual(await service.range({ key: "bad" }), refused);
  await service.untilTrue(() => service.member.alarms().length === 1);
});

test("gateway: /version has etcd's compatible version and our own (HT-07)", async () => {
  const { get } = await setUp();
  const { incarnation, ...versions } = JSON.parse(String((await get("/version")).body)) as Record<
    string,
    string
  >;
  assert.deepEqual(versions, {
    etcdserver: "3.7.1",
    etcdcluster: "3.7.0",
    storage: "3.7.0",
    holdfast: "0.1.0",
  });
  assert.match(incarnation ?? "", /^[0-9a-f]{16}$/);
  const older = await setUp(5);
  const body = JSON.parse(String((await older.get("/version")).body)) as object;
  assert.deepEqual(Object.keys(body), ["etcdserver", "etcdcluster", "holdfast", "incarnation"]);
});

test("gateway: /metrics has what tools and dashboards look for (HT-06)", async () => {
  const { get, service } = await setUp();
  await service.put({ key: "a" });
  await service.put({ key: "b" });
  await service.deleteRange({ key: "a" });
  const page = await get("/metrics");
  assert.match(page.headers["content-type"] ?? "", /^text\/plain; version=0\.0\.4/);
  const text = String(page.body);
  for (const line of [
    'etcd_server_version{server_version="3.7.1"} 1',
    'etcd_cluster_version{cluster_version="3.7"} 1',
    "etcd_mvcc_put_total 2",
    "etcd_mvcc_delete_total 1",
    "etcd_debugging_mvcc_keys_total 1",
    "etcd_server_has_leader 1",
    "etcd_server_is_leader 1",
    "process_open_fds 12",
    "# TYPE etcd_disk_wal_fsync_duration_seconds histogram",
  ]) {
    assert.ok(text.split("\n").includes(line), `${line} is missing in:\n${text}`);
  }
  assert.match(text, /^etcd_disk_wal_fsync_duration_seconds_bucket\{le="\+Inf"\} [1-9]/m);
});

test("gateway: the exposition escapes labels and leaves out what has no sample (HT-06)", async () => {
  const { exposition } = await import("../../src/gateway/exposition.ts");
  const text = exposition([
    {
      name: "b",
      help: "B.",
      type: "gauge",
      samples: () => [{ labels: { k: 'a"\\\n' }, value: 1 }],
    },
    { name: "c", help: "C.", type: "gauge", samples: () => [] },
    counter("a", "A.", () => 2),
  ]);
  assert.equal(
    text,
    '# HELP a A.\n# TYPE a counter\na 2\n# HELP b B.\n# TYPE b gauge\nb{k="a\\"\\\\\\n"} 1\n',
  );
});

test("gateway: /debug/vars shows the raft state as JSON (HT-08)", async () => {
  const { get, service } = await setUp();
  const body = JSON.parse(String((await get("/debug/vars")).body)) as Record<string, unknown>;
  assert.deepEqual(body["cmdline"], ["holdfast"]);
  const status = body["raft.status"] as Record<string, unknown>;
  assert.equal(status["id"], service.member.id.toString(16));
  assert.equal(status["raftState"], "StateLeader");
});

test("gateway: the metrics port has the health pages and no more (HT-11)", async () => {
  const { getMetrics } = await setUp();
  for (const path of ["/metrics", "/health", "/livez", "/readyz"]) {
    assert.equal((await getMetrics(path)).status, 200);
  }
  assert.equal((await getMetrics("/version")).status, 404);
});

test("gateway: what is not there and what is not asked for with GET (HT-01)", async () => {
  const { get } = await setUp();
  assert.equal((await get("/nothing")).status, 404);
  const refused = await get("/health", "POST");
  assert.deepEqual([refused.status, refused.headers["allow"]], [405, "GET"]);
});
