/** What a member is told at its start, checked and typed: flags, environment or file made this. */
import type { BackupSettings } from "../backup/index.ts";
import type { Founder, Retention } from "../member/index.ts";
import type { LogLevel } from "../seam/index.ts";
import type { TlsOptions } from "../host/index.ts";

/** What one kind of port shows and asks for; and what a member shows when it dials others. */
export interface TlsSide {
  /** Undefined: https URLs cannot be listened on, unless `isAuto`. */
  readonly files: TlsOptions | undefined;
  /** The peer side alone: with the client certificate, if one was given apart. */
  readonly dialling: TlsOptions | undefined;
  /** Makes a certificate under `<data>/fixtures` when `files` is missing (TL-05). */
  readonly isAuto: boolean;
}

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

  readonly listenPeerUrls: readonly string[];
  readonly advertisePeerUrls: readonly string[];
  /** Of a member that has no log yet: who the others are, by name. */
  readonly initialCluster: readonly Founder[];
  readonly initialClusterState: "new" | "existing";
  readonly clusterToken: string;
  readonly strictReconfigCheck: boolean;
  readonly preVote: boolean;
  readonly learnersMax: number;
  /** Keeps the data and drops all other members. */
  readonly forceNewCluster: boolean;
  readonly electionTickAdvance: boolean;
  readonly peerReadTimeoutMs: number;
  readonly peerWriteTimeoutMs: number;

  readonly clientTls: TlsSide;
  readonly peerTls: TlsSide;
  readonly selfSignedValidityYears: number;

  /** 0 = the default, negative = none. */
  readonly quotaBytes: number;
  readonly requestBytesMax: number;
  /** 0 = the store's own. */
  readonly commitIntervalMs: number;
  readonly commitOperations: number;
  readonly txnOpsMax: number;
  readonly concurrentStreamsMax: number;
  readonly keepaliveMinTimeMs: number;
  readonly keepaliveIntervalMs: number;
  readonly keepaliveTimeoutMs: number;

  readonly heartbeatMs: number;
  readonly electionTimeoutMs: number;
  readonly snapshotCount: number;
  readonly snapshotCatchUpEntries: number;
  readonly walsMax: number;
  readonly retention: Retention;
  readonly compactionBatchLimit: number;
  readonly compactionSleepMs: number;
  readonly watchProgressIntervalMs: number;

  /** Undefined = no scheduled backups. */
  readonly backup: BackupSettings | undefined;
  /** Where the state of a new cluster of one comes from. */
  readonly initialRestoreFrom: string | undefined;

  /** Minor version that we answer as: 4 to 7. */
  readonly minorVersion: number;
  readonly logLevel: LogLevel;
  readonly logFormat: "json" | "console";
  readonly logOutputs: readonly string[];
  readonly reusePort: boolean;
  /** Acknowledge what a crash may lose; for tests of clients. */
  readonly unsafeNoFsync: boolean;
  readonly rollbackProtection: "detect" | "strict";
  /** On another volume than the data. */
  readonly witnessDirectory: string | undefined;
  readonly acceptsRollback: boolean;
}
