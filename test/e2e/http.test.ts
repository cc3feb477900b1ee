/** What a running member answers over plain HTTP on its client port. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { METHODS, TestClient } from "../harness/client.ts";
import { http, type Server, start } from "../harness/process.ts";

describe("http", () => {
  let server: Server;
  before(async () => {
    server = await start("holdfast");
    const client = new TestClient(server.address);
    await client.must(METHODS.put, { key: Buffer.from("k") });
    client.close();
  });
  after(async () => await server.dispose());

  test("http: /health → true, other methods refused (HT-01 HT-02)", async () => {
    const health = await http(`${server.url}/health`);
    assert.deepEqual([health.status, health.body.trim()], [200, '{"health":"true","reason":""}']);
    assert.equal((await http(`${server.url}/health?serializable=true`)).status, 200);
    const posted = await http(`${server.url}/health`, "POST");
    assert.deepEqual([posted.status, posted.headers.allow], [405, "GET"]);
  });

  test("http: /livez and /readyz → ok, each check by name, all with verbose (HT-04 HT-05)", async () => {
    for (const path of [
      "/livez",
      "/readyz",
      "/livez/serializable_read",
      "/readyz/linearizable_read",
    ]) {
      const answer = await http(`${server.url}${path}`);
      assert.deepEqual([answer.status, answer.body], [200, "ok\n"], path);
    }
    const verbose = await http(`${server.url}/readyz?verbose`);
    for (const check of ["data_corruption", "serializable_read", "linearizable_read"]) {
      assert.ok(verbose.body.includes(`[+]${check} ok`), verbose.body);
    }
    const without = await http(`${server.url}/readyz?verbose&exclude=linearizable_read`);
    assert.ok(!without.body.includes("[+]linearizable_read ok"));
    assert.equal((await http(`${server.url}/readyz/unknown`)).status, 404);
  });

  test("http: /version → server, cluster and storage version (HT-07 PV-01 SV-01)", async () => {
    const answer = await http(`${server.url}/version`);
    const version = JSON.parse(answer.body) as Record<string, string>;
    assert.match(version.etcdserver ?? "", /^3\.7\.\d+$/);
    assert.equal(version.etcdcluster, "3.7.0");
    assert.equal(version.storage, "3.7.0");
  });

  test("http: /metrics → what dashboards read, in the text format (HT-06)", async () => {
    const { status, body } = await http(`${server.url}/metrics`);
    assert.equal(status, 200);
    const names = [
      "etcd_server_has_leader",
      "etcd_server_is_leader",
      "etcd_server_leader_changes_seen_total",
      "etcd_server_proposals_committed_total",
      "etcd_server_proposals_applied_total",
      "etcd_server_proposals_pending",
      "etcd_server_proposals_failed_total",
      "etcd_server_quota_backend_bytes",
      "etcd_mvcc_db_total_size_in_bytes",
      "etcd_mvcc_db_total_size_in_use_in_bytes",
      "etcd_disk_wal_fsync_duration_seconds_bucket",
      "etcd_disk_backend_commit_duration_seconds_bucket",
      "etcd_network_client_grpc_sent_bytes_total",
      "etcd_network_client_grpc_received_bytes_total",
      "grpc_server_started_total",
      "grpc_server_handled_total",
      "process_resident_memory_bytes",
      "process_open_fds",
      "process_max_fds",
      "process_start_time_seconds",
      "process_cpu_seconds_total",
      "etcd_debugging_mvcc_watcher_total",
      "etcd_debugging_mvcc_keys_total",
      "etcd_mvcc_put_total",
      "etcd_cluster_version",
      "etcd_server_version",
    ];
    const missing = names.filter((name) => !new RegExp(`^${name}[ {]`, "m").test(body));
    assert.deepEqual(missing, []);
    assert.match(body, /^etcd_server_has_leader 1$/m);
    assert.match(body, /^etcd_mvcc_put_total [1-9]/m);
    assert.match(body, /^grpc_server_handled_total\{[^}]*grpc_method="Put"[^}]*\} [1-9]/m);
  });

  test("http: an unknown path → 404 (HT-01)", async () => {
    assert.equal((await http(`${server.url}/nothing`)).status, 404);
  });
});
