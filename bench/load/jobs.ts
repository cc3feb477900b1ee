/** What the bench asks of a generator process, one job at a time. All of it can be sent as JSON. */
import type { Figures, OperationName } from "../cases.ts";

interface JobBase {
  readonly port: number;
}

/**
 * Waits for the first linearizable range that succeeds; figure `restartMs`, from `startedNs` on.
 */
export interface AwaitReadyJob extends JobBase {
  readonly kind: "await-ready";
  /** `process.hrtime.bigint()` of any process on this machine, in decimal. */
  readonly startedNs: string;
  readonly timeoutSeconds: number;
}

/** Stores `keys` keys by transactions of many puts; figure `loadSeconds`. */
export interface PreloadJob extends JobBase {
  readonly kind: "preload";
  readonly keys: number;
  readonly valueBytes: number;
  readonly order: "ordered" | "scattered";
  readonly putsPerTxn?: number;
}

/** `port` is the first of `ports`; connections are spread evenly over all of them. */
export interface RequestsJob extends JobBase {
  readonly kind: "requests";
  readonly ports: readonly number[];
  readonly operation: OperationName;
  readonly clients: number;
  readonly connections: number;
  readonly preloadKeys: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
  readonly rate: number;
  readonly serverPids: readonly number[];
  readonly seed: number;
}

/** The writer puts at `port`, which is the first of `ports`. */
export interface WatchJob extends JobBase {
  readonly kind: "watch";
  readonly ports: readonly number[];
  readonly watchers: number;
  readonly connections: number;
  readonly aheadMax: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
  readonly serverPids: readonly number[];
}

/** Reads all of the ordered keys in one Range after another until the time is over. */
export interface LargeReadJob extends JobBase {
  readonly kind: "large-read";
  readonly keys: number;
  readonly seconds: number;
}

export type Job = AwaitReadyJob | PreloadJob | RequestsJob | WatchJob | LargeReadJob;

export type JobAnswer =
  | { readonly kind: "done"; readonly figures: Figures }
  | { readonly kind: "failed"; readonly message: string };
