/**
 * What is measured: the cases, the figures that each yields, and what Holdfast must reach.
 * bench/README.md says in words what each case does.
 */

export type OperationName =
  | "put"
  | "range"
  | "serializable-range"
  | "range-1000-keys"
  | "mixed"
  | "compare-and-put"
  | "lease-keepalive";

interface CaseBase {
  readonly name: string;
  readonly title: string;
  /** Runs only when it is named: "all" leaves it out. */
  readonly isExtra?: boolean;
  /** Of the cluster; 1 if left out. */
  readonly members?: number;
}

/** `clients` callers, each with one request under way, spread evenly over `connections`. */
export interface RequestCase extends CaseBase {
  readonly kind: "requests";
  readonly operation: OperationName;
  readonly clients: number;
  readonly connections: number;
  /** Keys stored before the warm-up. */
  readonly preloadKeys: number;
  /** With several members: clients on all of them, the leader first, or on one alone. */
  readonly spread?: "all" | "leader" | "follower";
}

/** One writer; `watchers` on one key, spread over `connections`, one stream each. */
export interface WatchCase extends CaseBase {
  readonly kind: "watch";
  readonly watchers: number;
  readonly connections: number;
  /** How many puts the writer may be ahead of the slowest watcher. */
  readonly aheadMax: number;
}

export interface RestartCase extends CaseBase {
  readonly kind: "restart";
  readonly keys: number;
}

/**
 * A put's latency alone, and while another process reads `keys` keys in one Range after another.
 */
export interface LargeReadCase extends CaseBase {
  readonly kind: "large-read";
  readonly keys: number;
  readonly valueBytes: number;
}

/** A member goes, again and again, under puts at a steady rate by clients that try again. */
export interface FailoverCase extends CaseBase {
  readonly kind: "failover";
  /** Of the leader: SIGKILL, SIGTERM; or SIGTERM of each member in turn, which starts again. */
  readonly way: "kill" | "stop" | "rolling";
  readonly times: number;
}

/** A member with an empty disk joins a cluster that holds `keys` keys, under puts. */
export interface CatchUpCase extends CaseBase {
  readonly kind: "catch-up";
  readonly keys: number;
  readonly valueBytes: number;
}

export type CaseSpec =
  | RequestCase
  | WatchCase
  | RestartCase
  | LargeReadCase
  | FailoverCase
  | CatchUpCase;

export const VALUE_BYTES = 256;
/** Values in the watch cases, as in etcd's own watch benchmark. */
export const WATCH_VALUE_BYTES = 32;
/** Keys that point reads choose from. */
export const READ_KEYS = 100_000;
export const LARGE_RANGE_KEYS = 1_000;
/** Beyond any case; the same for both servers. */
export const QUOTA_BYTES = 8 * 1024 * 1024 * 1024;
/** The generator alone must reach this many times the rate of the faster server. */
export const HEADROOM_WANTED = 3;

/**
 * As in etcd's published runs (1 000 clients on 100 connections). With a connection for each client
 * the kernel's socket calls are most of the work on both sides: `--connections 100` shows that.
 */
const CLIENTS_PER_CONNECTION = 10;

function requests(
  name: string,
  title: string,
  operation: OperationName,
  clients: number,
  preloadKeys = 0,
): RequestCase {
  const connections = Math.ceil(clients / CLIENTS_PER_CONNECTION);
  return { kind: "requests", name, title, operation, clients, connections, preloadKeys };
}

/** The same with three members. */
function clusterRequests(
  name: string,
  title: string,
  operation: OperationName,
  clients: number,
  options: { preloadKeys?: number; spread?: "all" | "leader" | "follower" } = {},
): RequestCase {
  const spread = options.spread ?? "all";
  const where = spread === "all" ? "3 members" : `3 members, ${spread} only`;
  const one = requests(name, `${where}: ${title}`, operation, clients, options.preloadKeys);
  // As many connections to each member as there are members with clients.
  const least = Math.min(clients, spread === "all" ? 3 : 1);
  return { ...one, members: 3, spread, connections: Math.max(one.connections, least) };
}

const CLUSTER_CASES: readonly CaseSpec[] = [
  clusterRequests("c3-put-1", "put, 1 client", "put", 1),
  clusterRequests("c3-put-100", "put, 100 clients", "put", 100),
  clusterRequests("c3-put-1000", "put, 1000 clients", "put", 1000),
  clusterRequests("c3-put-1-follower", "put, 1 client", "put", 1, { spread: "follower" }),
  clusterRequests("c3-put-100-leader", "put, 100 clients", "put", 100, { spread: "leader" }),
  clusterRequests("c3-put-1000-leader", "put, 1000 clients", "put", 1000, { spread: "leader" }),
  clusterRequests("c3-range-1000", "linearizable point range, 1000 clients", "range", 1000, {
    preloadKeys: READ_KEYS,
  }),
  clusterRequests(
    "c3-serializable-1000",
    "serializable point range, 1000 clients",
    "serializable-range",
    1000,
    { preloadKeys: READ_KEYS },
  ),
  clusterRequests("c3-mixed-1000", "90 % point range, 10 % put, 1000 clients", "mixed", 1000, {
    preloadKeys: READ_KEYS,
  }),
  clusterRequests("c3-txn-100", "txn compare-and-put, 100 clients", "compare-and-put", 100),
  clusterRequests("c3-lease-100", "lease keepalive, 100 clients", "lease-keepalive", 100),
  {
    kind: "watch",
    name: "c3-watch-1000",
    title: "3 members: 1 writer, 1000 watchers on 99 connections",
    members: 3,
    watchers: 1_000,
    connections: 99,
    aheadMax: 1,
  },
  {
    kind: "failover",
    name: "c3-kill-leader",
    title: "3 members: kill -9 of the leader",
    members: 3,
    way: "kill",
    times: 5,
  },
  {
    kind: "failover",
    name: "c3-stop-leader",
    title: "3 members: SIGTERM of the leader",
    members: 3,
    way: "stop",
    times: 5,
  },
  {
    kind: "failover",
    name: "c3-rolling",
    title: "3 members: rolling restart",
    members: 3,
    way: "rolling",
    times: 1,
  },
  {
    kind: "catch-up",
    name: "c3-catch-up",
    title: "3 members: a fresh one catches up 100 MB",
    members: 3,
    keys: 100_000,
    valueBytes: 1_024,
  },
  {
    kind: "catch-up",
    name: "c3-catch-up-1g",
    title: "3 members: a fresh one catches up 1 GB",
    members: 3,
    keys: 1_000_000,
    valueBytes: 1_024,
    isExtra: true,
  },
];

export const CASES: readonly CaseSpec[] = [
  requests("put-1", "put, 1 client", "put", 1),
  requests("put-100", "put, 100 clients", "put", 100),
  requests("put-1000", "put, 1000 clients", "put", 1000),
  requests("mixed-100", "90 % point range, 10 % put, 100 clients", "mixed", 100, READ_KEYS),
  requests("mixed-1000", "90 % point range, 10 % put, 1000 clients", "mixed", 1000, READ_KEYS),
  requests("range-100", "linearizable point range, 100 clients", "range", 100, READ_KEYS),
  requests("range-1000", "linearizable point range, 1000 clients", "range", 1000, READ_KEYS),
  requests(
    "serializable-100",
    "serializable point range, 100 clients",
    "serializable-range",
    100,
    READ_KEYS,
  ),
  requests(
    "serializable-1000",
    "serializable point range, 1000 clients",
    "serializable-range",
    1000,
    READ_KEYS,
  ),
  requests("range-1000-keys", "range of 1 000 keys, 10 clients", "range-1000-keys", 10, READ_KEYS),
  requests("txn-100", "txn compare-and-put, 100 clients", "compare-and-put", 100),
  requests("lease-100", "lease keepalive, 100 clients", "lease-keepalive", 100),
  {
    kind: "watch",
    name: "watch-1",
    title: "1 writer, 1 watcher",
    watchers: 1,
    connections: 1,
    aheadMax: 1,
  },
  {
    kind: "watch",
    name: "watch-100",
    title: "1 writer, 100 watchers",
    watchers: 100,
    connections: 100,
    aheadMax: 1,
  },
  {
    kind: "watch",
    name: "watch-10000",
    title: "1 writer, 10 000 watchers on 100 connections",
    watchers: 10_000,
    connections: 100,
    aheadMax: 1,
  },
  {
    kind: "watch",
    name: "watch-10000-ahead",
    title: "1 writer up to 100 puts ahead, 10 000 watchers",
    watchers: 10_000,
    connections: 100,
    aheadMax: 100,
    isExtra: true,
  },
  { kind: "restart", name: "restart-1m", title: "restart with 1 M keys", keys: 1_000_000 },
  {
    kind: "large-read",
    name: "large-read",
    title: "put beside a Range of 100 000 keys of 1 KB",
    keys: 100_000,
    valueBytes: 1_024,
  },
  ...CLUSTER_CASES,
];

export interface MetricSpec {
  readonly id: MetricName;
  readonly title: string;
  readonly unit: "per second" | "ms" | "us" | "bytes" | "seconds" | "factor" | "share" | "count";
}

/** Figures of one case on one server in one round. Each case yields those that apply to it. */
export type MetricName =
  | "throughput"
  | "mean"
  | "p50"
  | "p99"
  | "p999"
  | "max"
  | "cpu"
  | "peakRss"
  | "generatorBusy"
  | "failed"
  | "loadSeconds"
  | "rssAfterLoad"
  | "rssAfterRestart"
  | "restartMs"
  | "idleMean"
  | "busyMean"
  | "slowdown"
  | "growth"
  | "growthWithFiles"
  | "rangeMs"
  | "rangeCount"
  | "gap"
  | "gapWorst"
  | "retried"
  | "lostWrites"
  | "rollSeconds"
  | "catchUpSeconds"
  | "putSlowdown";

export type Figures = { readonly [name in MetricName]?: number };

export const METRICS: readonly MetricSpec[] = [
  { id: "throughput", title: "throughput", unit: "per second" },
  { id: "mean", title: "mean", unit: "ms" },
  { id: "p50", title: "p50", unit: "ms" },
  { id: "p99", title: "p99", unit: "ms" },
  { id: "p999", title: "p99.9", unit: "ms" },
  { id: "max", title: "slowest", unit: "ms" },
  { id: "cpu", title: "server CPU per request", unit: "us" },
  { id: "peakRss", title: "peak RSS", unit: "bytes" },
  { id: "generatorBusy", title: "generator's CPU share of a core", unit: "share" },
  { id: "failed", title: "requests that failed", unit: "count" },
  { id: "loadSeconds", title: "load", unit: "seconds" },
  { id: "rssAfterLoad", title: "RSS after the load", unit: "bytes" },
  { id: "rssAfterRestart", title: "RSS after the restart", unit: "bytes" },
  { id: "restartMs", title: "process start to first linearizable range", unit: "ms" },
  { id: "idleMean", title: "put, mean, idle", unit: "ms" },
  { id: "busyMean", title: "put, mean, beside the large ranges", unit: "ms" },
  { id: "slowdown", title: "put's mean beside / idle", unit: "factor" },
  { id: "growth", title: "server's memory growth during the ranges", unit: "bytes" },
  { id: "growthWithFiles", title: "the same with pages of mapped files", unit: "bytes" },
  { id: "rangeMs", title: "one large range, mean", unit: "ms" },
  { id: "rangeCount", title: "large ranges read", unit: "count" },
  { id: "gap", title: "time without an acknowledged write", unit: "ms" },
  { id: "gapWorst", title: "the same, the worst of all", unit: "ms" },
  { id: "retried", title: "attempts that were made again", unit: "count" },
  { id: "lostWrites", title: "writes that failed for good", unit: "count" },
  { id: "rollSeconds", title: "all members started again", unit: "seconds" },
  { id: "catchUpSeconds", title: "start of the process to caught up", unit: "seconds" },
  { id: "putSlowdown", title: "put's mean meanwhile / before", unit: "factor" },
];

/** One line of what must be reached: `of` a ratio to etcd, or of Holdfast's own figure. */
export interface Goal {
  readonly caseName: string;
  readonly metric: MetricName;
  readonly of: "ratio" | "holdfast";
  readonly least?: number;
  readonly most?: number;
}

export const GOALS: readonly Goal[] = [
  { caseName: "put-100", metric: "throughput", of: "ratio", least: 3 },
  { caseName: "put-1000", metric: "throughput", of: "ratio", least: 3 },
  { caseName: "put-1", metric: "mean", of: "ratio", most: 0.8 },
  { caseName: "range-100", metric: "throughput", of: "ratio", least: 4 },
  { caseName: "range-1000", metric: "throughput", of: "ratio", least: 4 },
  { caseName: "put-100", metric: "cpu", of: "ratio", most: 0.35 },
  { caseName: "put-1000", metric: "cpu", of: "ratio", most: 0.35 },
  { caseName: "range-100", metric: "cpu", of: "ratio", most: 0.3 },
  { caseName: "range-1000", metric: "cpu", of: "ratio", most: 0.3 },
  { caseName: "put-1000", metric: "p99", of: "ratio", most: 0.4 },
  { caseName: "watch-10000", metric: "throughput", of: "ratio", least: 4 },
  { caseName: "restart-1m", metric: "rssAfterLoad", of: "ratio", most: 1 },
  { caseName: "restart-1m", metric: "rssAfterRestart", of: "ratio", most: 1 },
  { caseName: "restart-1m", metric: "restartMs", of: "ratio", most: 1 },
  { caseName: "large-read", metric: "slowdown", of: "holdfast", most: 3 },
  { caseName: "large-read", metric: "growth", of: "holdfast", most: 64 * 1024 * 1024 },
  { caseName: "c3-put-100", metric: "throughput", of: "ratio", least: 3.5 },
  { caseName: "c3-put-1000", metric: "throughput", of: "ratio", least: 3.5 },
  { caseName: "c3-put-1", metric: "mean", of: "ratio", most: 0.6 },
  { caseName: "c3-range-1000", metric: "throughput", of: "ratio", least: 4 },
  { caseName: "c3-put-100", metric: "cpu", of: "ratio", most: 0.3 },
  { caseName: "c3-put-1000", metric: "cpu", of: "ratio", most: 0.3 },
  { caseName: "c3-put-1000", metric: "p99", of: "ratio", most: 0.35 },
  { caseName: "c3-put-1000", metric: "peakRss", of: "ratio", most: 1 },
  { caseName: "c3-kill-leader", metric: "gap", of: "ratio", most: 1 },
  { caseName: "c3-stop-leader", metric: "gap", of: "holdfast", most: 50 },
  { caseName: "c3-stop-leader", metric: "lostWrites", of: "holdfast", most: 0 },
  { caseName: "c3-catch-up", metric: "catchUpSeconds", of: "ratio", most: 1 },
  { caseName: "c3-catch-up", metric: "putSlowdown", of: "holdfast", most: 1.5 },
  { caseName: "c3-catch-up-1g", metric: "catchUpSeconds", of: "ratio", most: 1 },
  { caseName: "c3-catch-up-1g", metric: "putSlowdown", of: "holdfast", most: 1.5 },
];
