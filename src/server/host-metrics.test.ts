import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type MetricSource, openGateway, peerMetrics } from "../gateway/index.ts";
import { MethodStats, ServerStats } from "../grpc/index.ts";
import type { Member } from "../member/index.ts";
import { Counter, Histogram } from "../base/index.ts";
import { ManualTime } from "../testing/index.ts";
import type { BackupMeasures } from "../backup/index.ts";
import { backupMetrics } from "./backup-metrics.ts";
import {
  connectionMetrics,
  debugVariables,
  hostMetrics,
  requestMetrics,
  tlsMetrics,
  transportMetrics,
} from "./host-metrics.ts";

const stats = new ServerStats(
  new Map([["/etcdserverpb.KV/Put", new MethodStats("/etcdserverpb.KV/Put", "unary")]]),
);

/** A member at rest: every metric has a value. */
function memberAtRest(): Member {
  const histogram = new Histogram([1]);
  return {
    id: 1n,
    clusterId: 2n,
    clusterVersion: "3.7.0",
    currentRevision: 1,
    alarms: () => [{ memberId: 1n, alarm: 1 }],
    status: () => ({
      leader: 1n,
      raftTerm: 2,
      raftIndex: 3,
      raftAppliedIndex: 3,
      isLearner: false,
      dbSizeBytes: 4,
      dbSizeInUseBytes: 4,
      quotaBytes: 5,
    }),
    measures: {
      fsyncSeconds: histogram,
      commitSeconds: histogram,
      walWriteBytes: { value: 0 },
      watch: { streams: 0, watchers: 0, slowWatchers: 0, eventsSent: 0, pendingChanges: 0 },
      leases: { count: 0, expired: 0, renewed: 0 },
      operations: { puts: 0, deletes: 0, txns: 0, ranges: 0, leasesGranted: 0, leasesRevoked: 0 },
      proposalsPending: 0,
      proposalsFailed: 0,
      keys: 0,
      compactRevision: -1,
      care: { events: new Map([["damage", 1]]), mismatches: 0, verifiedBytes: 0, verifyPasses: 0 },
      cluster: {
        leaderChanges: 3,
        heartbeatSendFailures: 0,
        slowReadIndexes: 0,
        readIndexesFailed: 0,
        learnerPromotions: 0,
        learnerPromotionFailures: new Map([["MemberLearnerNotReady", 2]]),
        snapshotsBeingApplied: 0,
      },
    },
  } as unknown as Member;
}

function peerAtRest() {
  const counter = new Counter();
  const histogram = new Histogram([0.1, 0.2]);
  return {
    id: 0xabcn,
    streams: 4,
    isActive: true,
    sentBytes: Object.assign(new Counter(), { value: 17 }),
    receivedBytes: counter,
    sentFailures: counter,
    receivedFailures: counter,
    disconnects: counter,
    roundTripSeconds: histogram,
    clockDifferenceSeconds: 0.5,
    snapshotsSent: counter,
    snapshotSendFailures: counter,
    snapshotSendSeconds: histogram,
    snapshotsBeingSent: 0,
    snapshotsReceived: counter,
    snapshotReceiveFailures: counter,
    snapshotReceiveSeconds: histogram,
    snapshotsBeingReceived: 0,
  };
}

function backupsAtRest(): BackupMeasures {
  return {
    images: 3,
    imageFailures: 0,
    imageMismatches: 0,
    pieces: 0,
    pieceFailures: 0,
    gaps: 0,
    bytesWritten: 0,
    lastImage: { timeMs: 1_800_000_000_000, revision: 7 },
    lastImageSeconds: 0,
    lastImageBytes: 0,
    archivedIndex: 0,
    archivedTimeMs: 0,
  };
}

async function metricsPage(): Promise<string> {
  const rpc = {
    methods: new Map(),
    clientRequests: new Map([["unary 3.7", { value: 1 }]]),
    drain: () => undefined,
  };
  const metrics: MetricSource[] = [
    ...hostMetrics(),
    ...transportMetrics(stats),
    ...requestMetrics(rpc),
    ...connectionMetrics({ refused: 3 }),
    ...peerMetrics(1n, () => [peerAtRest()]),
    ...tlsMetrics({ expiresAtMs: 1_800_000_000_000 }),
    ...backupMetrics(backupsAtRest()),
  ];
  const gateway = openGateway({
    member: memberAtRest(),
    timers: new ManualTime(),
    serverVersion: "3.7.1",
    minorVersion: 7,
    holdfastVersion: "0",
    metrics,
    variables: debugVariables,
  });
  const request = {
    method: "GET",
    query: new URLSearchParams(),
    headers: {},
    body: Buffer.alloc(0),
    peer: { address: "", isTls: false },
  };
  await gateway.handler({ ...request, path: "/livez" });
  return String((await gateway.handler({ ...request, path: "/metrics" })).body);
}

test("metrics: docs/reference/metrics.md lists what the page shows, name, type and help (HT-06)", async () => {
  const page = await metricsPage();
  const types = new Map(
    [...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]),
  );
  const shown = [...page.matchAll(/^# HELP (\S+) (.*)$/gm)].map(
    ([, name = "", help = ""]) => `| ${name} | ${types.get(name)} | ${help} |`,
  );
  const document = readFileSync(
    new URL("../../docs/reference/metrics.md", import.meta.url),
    "utf8",
  );
  const listed = document.split("\n").filter((line) => /^\| [a-z]+_/.test(line));
  assert.deepEqual(listed, shown);
});

test("metrics: calls are shown by method and code under the names of Go's library (HT-06)", async () => {
  stats.methods.get("/etcdserverpb.KV/Put")?.handled.set([3, 2, 1]);
  const page = await metricsPage();
  const labels = 'grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"';
  assert.ok(page.includes(`grpc_server_handled_total{grpc_code="OK",${labels}} 3\n`));
  assert.ok(page.includes(`grpc_server_handled_total{grpc_code="Canceled",${labels}} 2\n`));
});

test("metrics: the process tells of its own memory, files and time (HT-06)", async () => {
  const page = await metricsPage();
  for (const name of ["process_resident_memory_bytes", "process_open_fds", "os_fd_limit"]) {
    const value = Number(new RegExp(`^${name} (.*)$`, "m").exec(page)?.[1]);
    assert.ok(value > 0, `${name} is ${value}`);
  }
});

test("metrics: connections that were refused are counted (FR-07)", async () => {
  assert.ok((await metricsPage()).includes("\nholdfast_connections_refused_total 3\n"));
});

test("metrics: backups tell of the newest, and are not shown where none are made (EQ-c5)", async () => {
  const page = await metricsPage();
  assert.ok(page.includes("\nholdfast_backup_images_total 3\n"));
  assert.ok(page.includes("\nholdfast_backup_last_image_timestamp_seconds 1800000000\n"));
  assert.deepEqual(backupMetrics(undefined), []);
});

test("metrics: the end of the certificate in seconds, and none without TLS (TL-01)", async () => {
  assert.ok(
    (await metricsPage()).includes("\nholdfast_tls_certificate_expiry_seconds 1800000000\n"),
  );
  assert.deepEqual(tlsMetrics(undefined), []);
});

test("metrics: peers have rows by their ids, histograms too (HT-06)", async () => {
  const page = await metricsPage();
  for (const line of [
    'etcd_network_peer_sent_bytes_total{To="abc"} 17',
    'etcd_network_active_peers{Local="1",Remote="abc"} 1',
    'etcd_network_peer_round_trip_time_seconds_bucket{To="abc",le="0.1"} 0',
    'etcd_network_peer_round_trip_time_seconds_bucket{To="abc",le="+Inf"} 0',
    'etcd_network_peer_round_trip_time_seconds_sum{To="abc"} 0',
    'etcd_network_peer_round_trip_time_seconds_count{To="abc"} 0',
    'holdfast_peer_clock_difference_seconds{To="abc"} 0.5',
  ]) {
    assert.ok(page.includes(`\n${line}\n`), line);
  }
});

test("metrics: what a cluster tells, refused promotions by their reason (HT-06, CL-08)", async () => {
  const page = await metricsPage();
  const reason = "etcdserver: can only promote a learner member which is in sync with leader";
  assert.ok(page.includes(`\netcd_server_learner_promote_failures{Reason="${reason}"} 2\n`));
  assert.ok(page.includes("\netcd_server_leader_changes_seen_total 3\n"));
});
