/**
 * A member as the edges (rpc/, gateway/, peer/) see it: a small interface of callbacks, so that
 * connections may one day live on other threads (decision 2).
 */
import type { ApplyResponse, DowngradeInfo } from "../apply/index.ts";
import type { Counter, Histogram } from "../base/index.ts";
import type { CareKind, CareRow } from "../care/index.ts";
import type { EtcdError } from "../errors/index.ts";
import type { HashOutcome, RangeCursor, RangeQuery } from "../mvcc/index.ts";
import type { LeaseAnswer } from "../seam/index.ts";
import type { WatchSink, WatchStats, WatchStream } from "../watch/index.ts";
import type {
  AlarmMember,
  RangeRequest,
  RangeResponse,
  RaftOperation,
  StateDigest,
  TxnRequest,
  TxnResponse,
} from "../wire/index.ts";

/** Exactly one of the two is called, once. */
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
  /** 0n = none known. */
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

/** The outcome of a change of the membership. */
export interface MembershipChange {
  /** Whom it was about; undefined after a removal. */
  readonly member: ClusterMember | undefined;
  /** All members after it. */
  readonly members: readonly ClusterMember[];
}

/** The store as one bbolt file, made while it is read, with its SHA-256 as last chunk (MA-07). */
export interface SnapshotStream {
  /** Storage version, such as "3.7.0". */
  readonly version: string;
  /** In order; giving the iteration up releases the view of the store. */
  readonly chunks: AsyncIterable<{ readonly remainingBytes: number; readonly blob: Buffer }>;
}

/** Counts and durations since the start, read when the metrics page is. */
export interface MemberMeasures {
  readonly fsyncSeconds: Histogram;
  readonly walWriteBytes: Counter;
  readonly commitSeconds: Histogram;
  readonly watch: WatchStats;
  readonly leases: { readonly count: number; readonly expired: number; readonly renewed: number };
  readonly operations: {
    readonly puts: number;
    readonly deletes: number;
    readonly txns: number;
    readonly ranges: number;
    readonly leasesGranted: number;
    readonly leasesRevoked: number;
  };
  readonly proposalsPending: number;
  readonly proposalsFailed: number;
  readonly keys: number;
  readonly compactRevision: number;
  readonly care?: CareMeasures;
  /** What only a cluster has to tell; the driver fills it. Absent = one member by itself. */
  readonly cluster?: ClusterMeasures;
}

/** See care/. */
export interface CareMeasures {
  /** What was found and done since the start, by kind. */
  readonly events: ReadonlyMap<CareKind, number>;
  /** Times that a state was found to differ. */
  readonly mismatches: number;
  /** Of store and log, read again in the background, and how often all of both. */
  readonly verifiedBytes: number;
  readonly verifyPasses: number;
}

export interface ClusterMeasures {
  /** Times that another leader, or one again, was seen. */
  readonly leaderChanges: number;
  /** Heartbeats that went out late: the loop had been held up. */
  readonly heartbeatSendFailures: number;
  /** Read rounds that took longer than a heartbeat should, and those that were given up. */
  readonly slowReadIndexes: number;
  readonly readIndexesFailed: number;
  readonly learnerPromotions: number;
  /** Refusals by the id of their error: "MemberLearnerNotReady" -> count. */
  readonly learnerPromotionFailures: ReadonlyMap<string, number>;
  /** Snapshots of the leader being taken over now: 0 or 1. */
  readonly snapshotsBeingApplied: number;
}

export interface Member {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly raftTerm: number;
  /** 0n = none known. */
  readonly leader: bigint;
  readonly isLearner: boolean;
  /** Its state is not that of the majority: it answers no client until it has another one. */
  readonly isQuarantined: boolean;
  /** Why its disk is known to have gone back in time; undefined = it is not. */
  readonly timeTravel: string | undefined;
  readonly currentRevision: number;
  /** "3.7.0"; undefined until decided. */
  readonly clusterVersion: string | undefined;
  /** As the machine has it: tells a restored cluster from the one before it. */
  readonly incarnation: string | undefined;
  /** As the machine has it (MA-09). */
  readonly downgrade: DowngradeInfo;
  status(): MemberStatus;
  members(): readonly ClusterMember[];
  alarms(): readonly AlarmMember[];

  /** Refused as CL-01 to CL-04 say; the ids of the URLs are derived here (ID-01). */
  addMember(
    peerUrls: readonly string[],
    isLearner: boolean,
    waiter: Waiter<MembershipChange>,
  ): void;
  removeMember(id: bigint, waiter: Waiter<MembershipChange>): void;
  updateMember(id: bigint, peerUrls: readonly string[], waiter: Waiter<MembershipChange>): void;
  /** On any member: the leader judges whether the learner is in sync (CL-08). */
  promoteMember(id: bigint, waiter: Waiter<MembershipChange>): void;
  /** Refused with NotLeader anywhere but on the leader (MA-08). */
  moveLeader(target: bigint, waiter: Waiter<void>): void;
  /**
   * Calls `run` whenever this member begins to know of no leader, and whenever it learns of one.
   * The answer ends that.
   */
  onLeaderChange(run: (leader: bigint) => void): () => void;

  /**
   * Refusals are those of the apply, of the quota, of back-pressure, and of a lost leader. Never
   * answers before it returned.
   */
  propose(operation: RaftOperation, waiter: Waiter<ApplyResponse>): void;
  /** Answers, perhaps at once, when a read of the local store is linearizable (KV-10). */
  readIndex(waiter: Waiter<void>): void;

  /** Reads of the local store: linearizable only after `readIndex`. */
  range(request: RangeRequest): RangeResponse | EtcdError;
  openRange(query: RangeQuery): RangeCursor | EtcdError;
  /** A transaction of ranges only (TX-12). */
  readTxn(request: TxnRequest): TxnResponse | EtcdError;

  openWatchStream(sink: WatchSink): WatchStream;

  /** A lease id for a grant that names none (LE-01). */
  newLeaseId(): bigint;
  /** The TTL that a grant really gets (LE-02). */
  effectiveTtlSeconds(ttlSeconds: number): number;
  /** Answers the renewed TTL in seconds; 0 for an unknown or expired lease (LE-04). */
  keepAlive(leaseId: bigint, waiter: Waiter<number>): void;
  /** Asked of the leader, wherever it is (LE-05). */
  leaseTimes(leaseId: bigint, withKeys: boolean, waiter: Waiter<LeaseAnswer>): void;
  /** Sorted by expiry (LE-06). */
  leases(): bigint[];

  hash(): Promise<number>;
  hashKv(revision: number): Promise<HashOutcome | EtcdError>;
  defragment(): Promise<void>;
  snapshot(): Promise<SnapshotStream>;
  /** Settles when the scrub of a compaction up to `revision` is on disk (CP-02). */
  compactionFinished(): Promise<void>;
  /** A read has met damage: raises this member's CORRUPT alarm, once, through the log. */
  reportCorruption(error: Error): void;
  readonly measures: MemberMeasures;
  /** What care has found and done, oldest first, restarts included. */
  readonly careLog: readonly CareRow[];
  /** What this member's state comes to (care/); undefined while it is not known. */
  readonly stateDigest: StateDigest | undefined;
}
