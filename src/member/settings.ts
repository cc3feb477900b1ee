import type { CommitRhythm } from "../backend/index.ts";
import type { RollbackProtection } from "../care/index.ts";
import type { Retention } from "./auto-compactor.ts";

/** What the operator may set; every field has etcd's default in server/. */
export interface MemberSettings {
  readonly quotaBytes: number;
  readonly requestBytesMax: number;
  /** When the store takes over what was applied; 0 = its own. */
  readonly commitRhythm: CommitRhythm;
  readonly snapshotCount: number;
  /** Entries kept for members that lag, before they need a snapshot (RA-05). */
  readonly snapshotCatchUpEntries: number;
  readonly walsMax: number;
  /** Size at which a segment of the log is cut; the log's own when missing. */
  readonly logSegmentBytes?: number;
  /** Bytes of the log's newest entries kept in memory; RaftStorage's own limit when missing. */
  readonly logCacheBytes?: number;
  /** From the start to the first pass over store and log; the verifier's own when missing. */
  readonly verifyAfterMs?: number;
  readonly electionTimeoutMs: number;
  /** A tick of the consensus (RA-01). */
  readonly heartbeatMs: number;
  /** Once a quorum is connected, the first election need not wait its whole timeout. */
  readonly electionTickAdvance: boolean;
  readonly preVote: boolean;
  readonly strictReconfig: boolean;
  readonly learnersMax: number;
  readonly compactStepRecords: number;
  readonly compactRestMs: number;
  readonly retention: Retention;
  /** Answers to keys_only hold the lease, as before 3.7 (KV-06). */
  readonly keysOnlyWithLease: boolean;
  /** Whether a start waits for peers that do not answer before it votes (decision 0029). */
  readonly rollbackProtection: RollbackProtection;
}
