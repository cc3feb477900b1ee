import assert from "node:assert/strict";
import { test } from "node:test";
import { type Settings } from "./command-line.ts";
import type { ServerConfig } from "./config.ts";
import { ConfigError, UsageError } from "./config-error.ts";
import { FLAGS } from "./flag-table.ts";
import { resolveConfig } from "./server-config.ts";

function resolve(flags: Record<string, string>): ServerConfig {
  return resolveConfig(new Map(Object.entries(flags))).config;
}

function refusal(flags: Record<string, string>): string {
  try {
    resolve(flags);
  } catch (error) {
    assert.ok(error instanceof ConfigError || error instanceof UsageError, String(error));
    return error.message;
  }
  return "";
}

test("config: no option at all → etcd's defaults", () => {
  const config = resolve({});
  assert.equal(config.name, "default");
  assert.equal(config.dataDirectory, "default.etcd");
  assert.deepEqual(config.listenClientUrls, ["http://localhost:2379"]);
  assert.deepEqual(config.advertiseClientUrls, ["http://localhost:2379"]);
  assert.deepEqual(config.initialCluster, [
    { name: "default", peerUrls: ["http://localhost:2380"] },
  ]);
  assert.equal(config.clusterToken, "etcd-cluster");
  assert.equal(config.minorVersion, 7);
  assert.equal(config.requestBytesMax, 1_572_864);
  assert.equal(config.concurrentStreamsMax, 4_294_967_295);
  assert.deepEqual(
    [config.keepaliveMinTimeMs, config.keepaliveIntervalMs, config.keepaliveTimeoutMs],
    [5000, 7_200_000, 20_000],
  );
  assert.deepEqual([config.heartbeatMs, config.electionTimeoutMs], [100, 1000]);
  assert.deepEqual(config.retention, { mode: "off" });
  assert.equal(config.watchProgressIntervalMs, 600_000);
  assert.equal(config.clientTls.files, undefined);
  assert.deepEqual(config.logOutputs, ["default"]);
});

test("config: the name makes the data directory and the cluster", () => {
  const config = resolve({ name: "m1", "initial-advertise-peer-urls": "http://10.0.0.1:2380" });
  assert.equal(config.dataDirectory, "m1.etcd");
  assert.deepEqual(config.initialCluster, [{ name: "m1", peerUrls: ["http://10.0.0.1:2380"] }]);
});

test("config: what is said of the cluster, typed, with etcd's defaults (section 12.1)", () => {
  const config = resolve({});
  assert.deepEqual(config.listenPeerUrls, ["http://localhost:2380"]);
  assert.deepEqual(config.advertisePeerUrls, ["http://localhost:2380"]);
  assert.equal(config.initialClusterState, "new");
  assert.deepEqual(
    [config.preVote, config.strictReconfigCheck, config.forceNewCluster],
    [true, true, false],
  );
  assert.deepEqual([config.learnersMax, config.snapshotCatchUpEntries], [1, 5000]);
  assert.deepEqual([config.peerReadTimeoutMs, config.peerWriteTimeoutMs], [5000, 5000]);
  assert.equal(config.electionTickAdvance, true);
  const other = resolve({
    "initial-cluster": "b=http://b:1,a=http://a:2,a=http://a:1",
    "initial-cluster-state": "existing",
    "pre-vote": "false",
    "strict-reconfig-check": "false",
    "max-learners": "3",
    "force-new-cluster": "true",
    "initial-election-tick-advance": "false",
    "raft-read-timeout": "2s",
  });
  assert.deepEqual(other.initialCluster, [
    { name: "a", peerUrls: ["http://a:1", "http://a:2"] },
    { name: "b", peerUrls: ["http://b:1"] },
  ]);
  assert.deepEqual(
    [other.preVote, other.strictReconfigCheck, other.forceNewCluster, other.electionTickAdvance],
    [false, false, true, false],
  );
  assert.deepEqual([other.learnersMax, other.peerReadTimeoutMs], [3, 2000]);
  assert.match(refusal({ "initial-cluster-state": "old" }), /unexpected clusterState "old"/);
  assert.match(refusal({ "raft-read-timeout": "0s" }), /--raft-read-timeout must be >0/);
});

test("config: peer TLS has its own files, its own pair for calls, and one kind of names (TL-04, TL-06)", () => {
  const https = { "listen-peer-urls": "https://127.0.0.1:1" };
  const pair = { "peer-cert-file": "c", "peer-key-file": "k" };
  assert.match(refusal(https), /--peer-cert-file, --peer-key-file\) must be provided for peer url/);
  assert.match(
    refusal({ "peer-cert-file": "c" }),
    /--peer-cert-file and --peer-key-file must both/,
  );
  assert.match(
    refusal({ ...https, ...pair, "peer-client-cert-file": "x" }),
    /--peer-client-cert-file and --peer-client-key-file must both be present/,
  );
  assert.match(
    refusal({ ...https, ...pair, "peer-cert-allowed-cn": "a", "peer-cert-allowed-hostname": "b" }),
    /mutually exclusive/,
  );
  const { peerTls } = resolve({
    ...https,
    ...pair,
    "peer-trusted-ca-file": "ca",
    "peer-client-cert-auth": "true",
    "peer-client-cert-file": "cc",
    "peer-client-key-file": "ck",
    "peer-cert-allowed-cn": "a,b",
    "peer-crl-file": "crl",
  });
  assert.deepEqual(
    [peerTls.files?.certFile, peerTls.dialling?.certFile, peerTls.dialling?.keyFile],
    ["c", "cc", "ck"],
  );
  assert.deepEqual(peerTls.files?.allowedCommonNames, ["a", "b"]);
  assert.deepEqual([peerTls.files?.trustedCaFile, peerTls.files?.crlFile], ["ca", "crl"]);
  assert.equal(resolve({ ...https, "peer-auto-tls": "true" }).peerTls.isAuto, true);
});

test("config: times and URLs are checked as etcd does", () => {
  assert.match(
    refusal({ "heartbeat-interval": "900" }),
    /--election-timeout\[1000ms\] should be at least as 5 times as --heartbeat-interval\[900ms\]/,
  );
  assert.match(refusal({ "election-timeout": "60000" }), /is too long/);
  assert.match(refusal({ "heartbeat-interval": "0" }), /--heartbeat-interval must be >0/);
  assert.match(
    refusal({ "listen-client-urls": "http://127.0.0.1:1" }),
    /^--advertise-client-urls is required when --listen-client-urls is set explicitly$/,
  );
  const advertise = { "advertise-client-urls": "http://h:1" };
  assert.match(
    refusal({ ...advertise, "listen-client-urls": "http://example.com:1" }),
    /expected IP/,
  );
  assert.match(refusal({ ...advertise, "listen-client-urls": "127.0.0.1:1" }), /must begin with/);
  assert.match(refusal({ "advertise-client-urls": "http://:2379" }), /must name a host/);
  const several = "http://0.0.0.0:0,unix://name:1,https://[::1]:5";
  const config = resolve({ ...advertise, "listen-client-urls": several, "auto-tls": "true" });
  assert.deepEqual(config.listenClientUrls, several.split(","));
});

test("config: https without a certificate is refused, half of one too (TL-06)", () => {
  const https = {
    "listen-client-urls": "https://127.0.0.1:1",
    "advertise-client-urls": "https://127.0.0.1:1",
  };
  assert.match(refusal(https), /TLS key\/cert .* must be provided for client url https:/);
  assert.match(refusal({ ...https, "cert-file": "c" }), /must both be present/);
  const config = resolve({ ...https, "cert-file": "c", "key-file": "k", "cipher-suites": "A,B" });
  assert.deepEqual(config.clientTls.files?.cipherSuites, ["A", "B"]);
  assert.equal(resolve({ ...https, "auto-tls": "true" }).clientTls.isAuto, true);
  assert.match(
    refusal({ ...https, "auto-tls": "true", "trusted-ca-file": "x" }),
    /--auto-tls cannot/,
  );
  const mixed = resolveConfig(
    new Map([
      ["cert-file", "c"],
      ["key-file", "k"],
    ]),
  );
  assert.match(mixed.warnings.join(), /the scheme of http:\/\/localhost:2379 is http/);
});

test("config: backups are on with a location, and their times have defaults (EQ-c5)", () => {
  assert.equal(resolve({}).backup, undefined);
  assert.deepEqual(resolve({ "backup-location": "/b" }).backup, {
    location: "/b",
    periodMs: 900_000,
    retentionMs: 86_400_000,
    logPeriodMs: 10_000,
  });
  const other = resolve({ "backup-location": "/b", "backup-period": "1h30m" });
  assert.equal(other.backup?.periodMs, 5_400_000);
  for (const name of ["backup-period", "backup-retention", "backup-log-period"]) {
    assert.match(refusal({ "backup-location": "/b", [name]: "0s" }), new RegExp(name));
  }
});

test("config: how often the store commits is the store's own choice, or as told", () => {
  const { commitIntervalMs, commitOperations } = resolve({});
  assert.deepEqual([commitIntervalMs, commitOperations], [0, 0]);
  const told = resolve({ "backend-batch-limit": "500", "backend-batch-interval": "0.1s" });
  assert.deepEqual([told.commitIntervalMs, told.commitOperations], [100, 500]);
});

test("config: retention in hours, durations or revisions", () => {
  const retention = (mode: string, text: string): unknown =>
    resolve({ "auto-compaction-mode": mode, "auto-compaction-retention": text }).retention;
  assert.deepEqual(retention("periodic", "2"), { mode: "periodic", periodMs: 7_200_000 });
  assert.deepEqual(retention("periodic", "30m"), { mode: "periodic", periodMs: 1_800_000 });
  assert.deepEqual(retention("revision", "1000"), { mode: "revision", revisions: 1000 });
  assert.deepEqual(retention("revision", "0"), { mode: "off" });
  assert.deepEqual(retention("periodic", "0s"), { mode: "off" });
  assert.match(
    refusal({ "auto-compaction-mode": "revision", "auto-compaction-retention": "1h" }),
    /not a count of revisions/,
  );
  assert.match(refusal({ "auto-compaction-mode": "x" }), /unknown auto-compaction-mode "x"/);
});

test("config: a flag of etcd that is not here yet is refused by name, unless it leaves it off", () => {
  for (const flag of FLAGS.filter(({ mark }) => mark === "absent")) {
    const settings: Settings = new Map([
      [flag.name, flag.fallback],
      ["compat", `3.${flag.untilMinor ?? 7}`],
    ]);
    resolveConfig(settings);
    const other = { bool: "true", duration: "7h", int: "77", uint: "77" } as Record<string, string>;
    let value = other[flag.kind] ?? "something";
    if (value === "true" && flag.fallback === "true") value = "false";
    if ((flag.off ?? []).includes(value)) continue;
    settings.set(flag.name, value);
    assert.throws(
      () => resolveConfig(settings),
      new RegExp(`flag --${flag.name} of etcd is not available`),
      flag.name,
    );
  }
});

test("config: experimental names work up to 3.6, and say what replaced them", () => {
  const old = { "experimental-watch-progress-notify-interval": "5s" };
  assert.equal(resolve({ ...old, compat: "3.6" }).watchProgressIntervalMs, 5000);
  assert.equal(resolve({ ...old, compat: "3.4" }).minorVersion, 4);
  assert.match(refusal(old), /3\.7 has it no more: use --watch-progress-notify-interval/);
  assert.match(
    refusal({ ...old, compat: "3.6", "watch-progress-notify-interval": "1s" }),
    /both --experimental-watch-progress-notify-interval and --watch-progress-notify-interval/,
  );
  const gate = { "experimental-initial-corrupt-check": "true", compat: "3.5" };
  const { warnings } = resolveConfig(new Map(Object.entries(gate)));
  assert.match(warnings.join(), /use --feature-gates=InitialCorruptCheck=true/);
  assert.match(refusal({ compat: "3.8" }), /choose one of 3\.4, 3\.5, 3\.6, 3\.7/);
});

test("config: feature gates and log options are checked by name", () => {
  assert.equal(refusal({ "feature-gates": "CompactHashCheck=true,LeaseCheckpoint=false" }), "");
  assert.match(refusal({ "feature-gates": "Bogus=true" }), /unrecognized feature gate: Bogus/);
  assert.match(refusal({ "feature-gates": "AllBeta" }), /missing bool value/);
  assert.match(refusal({ "feature-gates": "AllBeta=maybe" }), /invalid value/);
  assert.match(refusal({ "log-level": "loud" }), /unrecognized level "loud"/);
  assert.match(refusal({ "log-format": "xml" }), /unknown log format/);
  assert.match(refusal({ "log-outputs": "default,x" }), /multi logoutput/);
  assert.match(refusal({ logger: "capnslog" }), /unknown logger option "capnslog"/);
  assert.equal(refusal({ logger: "capnslog", compat: "3.4" }), "");
  assert.equal(refusal({ "v2-deprecation": "gone", force: "true" }), "");
});
