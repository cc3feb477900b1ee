/** From texts to one checked, typed configuration. Messages follow etcd's where it has one. */
import { LOG_LEVELS } from "../host/index.ts";
import type { Retention } from "../member/index.ts";
import type { LogLevel } from "../seam/index.ts";
import type { Settings } from "./command-line.ts";
import type { BackupSettings } from "../backup/index.ts";
import type { ServerConfig } from "./config.ts";
import { ConfigError, UsageError } from "./config-error.ts";
import { FEATURE_GATES, FLAG_BY_NAME, type Flag, GATE_BY_EXPERIMENTAL } from "./flag-table.ts";
import { readBool, readDurationMs, readInteger, readList } from "./flag-value.ts";
import { readInitialCluster } from "./initial-cluster.ts";
import { Options } from "./options.ts";
import { checkTls, tlsOf } from "./tls-config.ts";
import { MINOR_VERSION_DEFAULT, MINOR_VERSIONS } from "./versions.ts";

export interface Resolved {
  readonly config: ServerConfig;
  /** To be logged once there is a log. */
  readonly warnings: readonly string[];
}

const ELECTION_MS_MAX = 50_000;
const REQUEST_BYTES_WARNED = 10 * 1024 * 1024;

/**
 * What describes a new cluster is judged later, and only if there is no member in the data
 * directory (founding.ts). Throws ConfigError or UsageError.
 */
export function resolveConfig(given: Settings): Resolved {
  const warnings: string[] = [];
  const minorVersion = minorVersionOf(given.get("compat"));
  const settings = new Options(accepted(given, minorVersion, warnings));
  const name = settings.text("name");
  const dataDirectory = settings.given("data-dir") ?? `${name}.etcd`;
  const urls = urlsOf(settings);
  const config: ServerConfig = {
    name,
    dataDirectory,
    walDirectory: settings.given("wal-dir"),
    ...urls,
    ...clusterOf(settings, name),
    ...tlsOf(settings),
    ...limitsOf(settings, warnings),
    ...timesOf(settings),
    retention: retentionOf(settings),
    backup: backupOf(settings, warnings),
    initialRestoreFrom: settings.given("initial-restore-from"),
    minorVersion,
    ...logOf(settings, minorVersion),
    reusePort: settings.flag("socket-reuse-port"),
    unsafeNoFsync: settings.flag("unsafe-no-fsync"),
    rollbackProtection: protectionOf(settings.text("rollback-protection")),
    witnessDirectory: settings.given("witness-dir"),
    acceptsRollback: settings.flag("accept-rollback"),
  };
  if (config.acceptsRollback) {
    warnings.push(
      "--accept-rollback: take it away once the member runs, or a rollback is not seen",
    );
  }
  if (config.unsafeNoFsync) {
    warnings.push("--unsafe-no-fsync: what was acknowledged last is lost when the machine stops");
  }
  checkGates(settings.text("feature-gates"));
  checkTls(config, warnings);
  return { config, warnings };
}

function protectionOf(text: string): "detect" | "strict" {
  if (text === "detect" || text === "strict") return text;
  throw new ConfigError(`--rollback-protection "${text}" is not known: choose detect or strict`);
}

function minorVersionOf(name: string | undefined): number {
  if (name === undefined) return MINOR_VERSION_DEFAULT;
  const minor = /^3\.(\d)$/.exec(name)?.[1];
  if (minor === undefined || !MINOR_VERSIONS.includes(Number(minor))) {
    const known = MINOR_VERSIONS.map((known) => `3.${known}`).join(", ");
    throw new ConfigError(`--compat "${name}" is not known: choose one of ${known}`);
  }
  return Number(minor);
}

/** Drops what has no effect, renames what has another name now, refuses what is not here. */
function accepted(given: Settings, minorVersion: number, warnings: string[]): Settings {
  const settings: Settings = new Map();
  for (const [name, value] of given) {
    const flag = FLAG_BY_NAME.get(name) as Flag;
    if (minorVersion > (flag.untilMinor ?? minorVersion)) refuseRemoved(flag, minorVersion);
    if (flag.mark === "obsolete") {
      warnings.push(`--${name} has no effect: ${flag.help}`);
    } else if (flag.replacedBy !== undefined) {
      if (given.has(flag.replacedBy)) {
        throw new ConfigError(
          `both --${name} and --${flag.replacedBy} flags are set; use the latter`,
        );
      }
      warnings.push(`--${name} is deprecated: use --${flag.replacedBy}`);
      const current = FLAG_BY_NAME.get(flag.replacedBy) as Flag;
      refuseAbsent(current, name, value);
      settings.set(flag.replacedBy, value);
    } else {
      refuseAbsent(flag, name, value);
      settings.set(name, value);
    }
    const gate = GATE_BY_EXPERIMENTAL[name];
    if (gate !== undefined)
      warnings.push(`--${name} is deprecated: use --feature-gates=${gate}=true`);
  }
  return settings;
}

function refuseRemoved(flag: Flag, minorVersion: number): never {
  const instead = flag.replacedBy === undefined ? "" : `use --${flag.replacedBy}, or `;
  throw new UsageError(
    `flag provided but not defined: -${flag.name} (etcd 3.${minorVersion} has it no more: ${instead}` +
      `say --compat 3.${flag.untilMinor})`,
  );
}

function refuseAbsent(flag: Flag, name: string, value: string): void {
  if (flag.mark !== "absent") return;
  const harmless = [flag.fallback, ...(flag.off ?? [])].map((text) => canonical(flag, text));
  if (harmless.includes(canonical(flag, value))) return;
  throw new ConfigError(
    `flag --${name} of etcd is not available in this version of Holdfast ` +
      `(only ${[flag.fallback || '""', ...(flag.off ?? [])].join(" or ")} is taken)`,
  );
}

/** The same text for the same value. */
function canonical(flag: Flag, text: string): string {
  if (flag.kind === "bool") return String(readBool(text));
  if (flag.kind === "int" || flag.kind === "uint") return String(readInteger(text));
  return flag.kind === "duration" ? String(readDurationMs(text)) : text;
}

function urlsOf(settings: Options) {
  const listenClientUrls = settings.listenUrls("listen-client-urls");
  const isListenGiven = settings.given("listen-client-urls") !== undefined;
  if (isListenGiven && settings.given("advertise-client-urls") === undefined) {
    throw new ConfigError(
      "--advertise-client-urls is required when --listen-client-urls is set explicitly",
    );
  }
  return {
    listenClientUrls,
    listenClientHttpUrls: settings.listenUrls("listen-client-http-urls"),
    listenMetricsUrls: settings.listenUrls("listen-metrics-urls"),
    advertiseClientUrls: settings.hostUrls("advertise-client-urls"),
  };
}

function clusterOf(settings: Options, name: string) {
  const state = settings.text("initial-cluster-state") || "new";
  if (state !== "new" && state !== "existing") {
    throw new ConfigError(
      `--initial-cluster-state: unexpected clusterState "${state}" (new, existing)`,
    );
  }
  const advertisePeerUrls = settings.hostUrls("initial-advertise-peer-urls");
  const text = settings.given("initial-cluster");
  return {
    listenPeerUrls: settings.listenUrls("listen-peer-urls"),
    advertisePeerUrls,
    // Without it a new member is a cluster by itself, under the URLs that it advertises.
    initialCluster:
      text === undefined ? [{ name, peerUrls: advertisePeerUrls }] : readInitialCluster(text),
    initialClusterState: state as "new" | "existing",
    clusterToken: settings.text("initial-cluster-token"),
    strictReconfigCheck: settings.flag("strict-reconfig-check"),
    preVote: settings.flag("pre-vote"),
    learnersMax: settings.integer("max-learners"),
    forceNewCluster: settings.flag("force-new-cluster"),
    electionTickAdvance: settings.flag("initial-election-tick-advance"),
    snapshotCatchUpEntries: settings.positive("snapshot-catchup-entries"),
  };
}

function limitsOf(settings: Options, warnings: string[]) {
  const requestBytesMax = settings.positive("max-request-bytes");
  if (requestBytesMax > REQUEST_BYTES_WARNED) {
    warnings.push(
      `--max-request-bytes ${requestBytesMax} exceeds the recommended maximum of 10 MiB`,
    );
  }
  const concurrentStreamsMax = settings.positive("max-concurrent-streams");
  if (concurrentStreamsMax > 0xffff_ffff) {
    throw new ConfigError("--max-concurrent-streams must be below 2^32");
  }
  return {
    snapshotCount: settings.positive("snapshot-count"),
    walsMax: settings.integer("max-wals"),
    quotaBytes: settings.integer("quota-backend-bytes"),
    commitIntervalMs: Math.max(0, settings.durationMs("backend-batch-interval")),
    commitOperations: Math.max(0, settings.integer("backend-batch-limit")),
    txnOpsMax: settings.positive("max-txn-ops"),
    requestBytesMax,
    concurrentStreamsMax,
  };
}

function timesOf(settings: Options) {
  const heartbeatMs = settings.positive("heartbeat-interval");
  const electionTimeoutMs = settings.positive("election-timeout");
  if (5 * heartbeatMs > electionTimeoutMs) {
    throw new ConfigError(
      `--election-timeout[${electionTimeoutMs}ms] should be at least as 5 times as ` +
        `--heartbeat-interval[${heartbeatMs}ms]`,
    );
  }
  if (electionTimeoutMs > ELECTION_MS_MAX) {
    throw new ConfigError(
      `--election-timeout[${electionTimeoutMs}ms] is too long, and should be set less than ` +
        `${ELECTION_MS_MAX}ms`,
    );
  }
  return {
    heartbeatMs,
    electionTimeoutMs,
    keepaliveMinTimeMs: settings.notNegativeMs("grpc-keepalive-min-time"),
    keepaliveIntervalMs: settings.notNegativeMs("grpc-keepalive-interval"),
    keepaliveTimeoutMs: settings.notNegativeMs("grpc-keepalive-timeout"),
    compactionBatchLimit: settings.positive("compaction-batch-limit"),
    compactionSleepMs: settings.notNegativeMs("compaction-sleep-interval"),
    watchProgressIntervalMs: settings.notNegativeMs("watch-progress-notify-interval"),
    peerReadTimeoutMs: settings.positiveMs("raft-read-timeout"),
    peerWriteTimeoutMs: settings.positiveMs("raft-write-timeout"),
  };
}

function retentionOf(settings: Options): Retention {
  const mode = settings.text("auto-compaction-mode");
  const text = settings.given("auto-compaction-retention") ?? "0";
  if (mode !== "periodic" && mode !== "revision") {
    throw new ConfigError(`unknown auto-compaction-mode "${mode}"`);
  }
  const plain = /^\d+$/.test(text) ? readInteger(text) : undefined;
  if (plain === 0) return { mode: "off" };
  if (mode === "revision") {
    if (plain === undefined) {
      throw new ConfigError(`--auto-compaction-retention "${text}" is not a count of revisions`);
    }
    return { mode, revisions: plain };
  }
  const periodMs = plain === undefined ? readDurationMs(text) : plain * 3_600_000;
  if (periodMs === undefined || periodMs < 0) {
    throw new ConfigError(`--auto-compaction-retention "${text}" is not a duration, such as 1h`);
  }
  return periodMs === 0 ? { mode: "off" } : { mode, periodMs };
}

function backupOf(settings: Options, warnings: string[]): BackupSettings | undefined {
  const location = settings.given("backup-location");
  const times = {
    periodMs: settings.positiveMs("backup-period"),
    retentionMs: settings.positiveMs("backup-retention"),
    logPeriodMs: settings.positiveMs("backup-log-period"),
  };
  if (location !== undefined) return { location, ...times };
  for (const name of ["backup-period", "backup-retention", "backup-log-period"]) {
    if (settings.given(name) === undefined) continue;
    warnings.push(`--${name} has no effect without --backup-location`);
  }
  return undefined;
}

function logOf(settings: Options, minorVersion: number) {
  const logger = settings.text("logger");
  const isOld = logger === "capnslog" && minorVersion <= 4;
  if (logger !== "zap" && !isOld) throw new ConfigError(`unknown logger option "${logger}"`);
  const logLevel = settings.text("log-level") as LogLevel;
  if (!LOG_LEVELS.includes(logLevel)) {
    throw new ConfigError(
      `--log-level: unrecognized level "${logLevel}" (${LOG_LEVELS.join(", ")})`,
    );
  }
  const logFormat = settings.text("log-format");
  if (logFormat !== "json" && logFormat !== "console") {
    throw new ConfigError(`--log-format: unknown log format "${logFormat}" (json, console)`);
  }
  const logOutputs = settings.list("log-outputs");
  if (logOutputs.length > 1 && logOutputs.includes("default")) {
    throw new ConfigError(
      `multi logoutput for "default" is not supported: ${logOutputs.join(",")}`,
    );
  }
  return { logLevel, logFormat: logFormat as "json" | "console", logOutputs };
}

/** Names and values are checked; what a gate would change in etcd is not part of Holdfast. */
function checkGates(text: string): void {
  for (const part of readList(text)) {
    const [name = "", value] = part.split("=");
    if (value === undefined) {
      throw new ConfigError(`--feature-gates: missing bool value for ${name}`);
    }
    if (!Object.hasOwn(FEATURE_GATES, name)) {
      throw new ConfigError(`--feature-gates: unrecognized feature gate: ${name}`);
    }
    if (readBool(value) === undefined) {
      throw new ConfigError(
        `--feature-gates: invalid value of ${name}=${value}, use true or false`,
      );
    }
  }
}
