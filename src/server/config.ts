/** What a member is told at its start, checked and typed: flags, environment or file made this. */
import type { Retention } from "../member/index.ts";
import type { LogLevel } from "../seam/index.ts";
import type { TlsOptions } from "../host/index.ts";

export interface ServerConfig {
  readonly name: string;
  readonly dataDirectory: string;
  readonly walDirectory: string | undefined;

  readonly listenClientUrls: readonly string[];
  /** HTTP pages on ports of their own; the client URLs are left to gRPC then. */
  readonly listenClientHttpUrls: readonly string[];
  readonly listenMetricsUrls: readonly string[];
  /** Undefined: what is listened on, with the real ports. */
  readonly advertiseClientUrls: readonly string[] | undefined;
  /** initial-cluster's URLs for this name; with the token they fix the ids. */
  readonly peerUrls: readonly string[];
  readonly clusterToken: string;

  /** Undefined: https URLs cannot be listened on. */
  readonly clientTls: TlsOptions | undefined;
  /** Makes a certificate under `<data>/fixtures/client` when `clientTls` is missing (TL-05). */
  readonly clientAutoTls: boolean;
  readonly selfSignedValidityYears: number;

  /** 0 = the default, negative = none. */
  readonly quotaBytes: number;
  readonly requestBytesMax: number;
  readonly txnOpsMax: number;
  readonly concurrentStreamsMax: number;
  readonly keepaliveMinTimeMs: number;
  readonly keepaliveIntervalMs: number;
  readonly keepaliveTimeoutMs: number;

  readonly heartbeatMs: number;
  readonly electionTimeoutMs: number;
  readonly snapshotCount: number;
  readonly walsMax: number;
  readonly retention: Retention;
  readonly compactionBatchLimit: number;
  readonly compactionSleepMs: number;
  readonly watchProgressIntervalMs: number;

  /** Minor version that we answer as: 4 to 7. */
  readonly minorVersion: number;
  readonly logLevel: LogLevel;
  readonly logFormat: "json" | "console";
  readonly logOutputs: readonly string[];
  readonly reusePort: boolean;
  /** Acknowledge what a crash may lose; for tests of clients. */
  readonly unsafeNoFsync: boolean;
}
