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
}

/** `clients` callers, each with one request under way, spread evenly over `connections`. */
export interface RequestCase extends CaseBase {
  readonly kind: "requests";
  readonly operation: OperationName;
  readonly clients: number;
  readonly connections: number;
  /** Keys stored before the warm-up. */
  readonly preloadKeys: number;
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

export type CaseSpec = RequestCase | WatchCase | RestartCase | LargeReadCase;

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
  | "rangeCount";

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
];
