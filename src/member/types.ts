/**
 * A member as the edges (rpc/, gateway/, peer/) see it: a small interface of callbacks, so that
 * connections may one day live on other threads (decision 2).
 */
import type { ApplyResponse } from "../apply/index.ts";
import type { EtcdError } from "../errors/index.ts";
import type { AlarmMember, RaftOperation } from "../wire/index.ts";

/** Exactly one of the two is called, once, never before `propose` or `readIndex` returned. */
export interface Waiter<T> {
  done(result: T): void;
  refused(error: EtcdError): void;
}

export interface ClusterMember {
  readonly id: bigint;
  /** Empty until the member has published its attributes. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

export interface MemberStatus {
  readonly leader: bigint;
  readonly raftTerm: number;
  /** Last committed. */
  readonly raftIndex: number;
  readonly raftAppliedIndex: number;
  readonly isLearner: boolean;
  readonly dbSizeBytes: number;
  readonly dbSizeInUseBytes: number;
  readonly quotaBytes: number;
}

export interface Member {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly raftTerm: number;
  status(): MemberStatus;
  members(): readonly ClusterMember[];
  alarms(): readonly AlarmMember[];
  /** "3.7.0"; undefined until decided. */
  readonly clusterVersion: string | undefined;
  /** Refusals are those of the apply, of the quota, of back-pressure, and of a lost leader. */
  propose(operation: RaftOperation, waiter: Waiter<ApplyResponse>): void;
  /** Answers once a read of the local store is linearizable (KV-10). */
  readIndex(waiter: Waiter<void>): void;
}
