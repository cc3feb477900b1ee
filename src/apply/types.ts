/**
 * Committed entry -> effects and result. Pure: no clock, randomness, flag, file size or leadership
 * may change the result (decision 7).
 */
import type { EtcdError } from "../errors/index.ts";
import type { RevisionChanges } from "../mvcc/index.ts";
import type {
  AlarmMember,
  ConfState,
  DeleteRangeResponse,
  PutResponse,
  RaftRequest,
  RangeResponse,
  TxnResponse,
} from "../wire/index.ts";

export type ApplyResponse =
  | { readonly kind: "put"; readonly put: PutResponse }
  | { readonly kind: "deleteRange"; readonly deleteRange: DeleteRangeResponse }
  | { readonly kind: "txn"; readonly txn: TxnResponse }
  | { readonly kind: "range"; readonly range: RangeResponse }
  | { readonly kind: "compaction"; readonly revision: number }
  | {
      readonly kind: "leaseGrant";
      readonly id: bigint;
      readonly ttlSeconds: number;
      readonly revision: number;
    }
  | { readonly kind: "leaseRevoke"; readonly revision: number }
  | { readonly kind: "leaseCheckpoint" }
  | { readonly kind: "alarm"; readonly alarms: AlarmMember[]; readonly revision: number }
  | { readonly kind: "clusterVersionSet" }
  | { readonly kind: "memberAttributesSet" }
  | { readonly kind: "downgradeInfoSet" };

/** An EtcdError is a refusal: the entry had no effect, on every member alike. */
export type ApplyOutcome = ApplyResponse | EtcdError;

/** Whether the cluster is being taken to the minor version before (MA-09). */
export interface DowngradeInfo {
  readonly enabled: boolean;
  /** "3.6.0"; empty when not enabled. */
  readonly targetVersion: string;
}

/** A row of the table `members` (surface 15.5). */
export interface MemberRecord {
  readonly id: bigint;
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
  /** Empty until the member has published its attributes. */
  readonly name: string;
  readonly clientUrls: readonly string[];
}

export interface Machine {
  /**
   * Applies one normal entry. Changes go to the watch hub by `onChanges` before this returns.
   * `isWaited` false = nobody here reads the result, so what only the result needs may be left out
   * (TX-16). An entry at or below the applied index has no effect and answers ALREADY_APPLIED
   * (AP-01).
   */
  apply(index: number, term: number, request: RaftRequest, isWaited: boolean): ApplyOutcome;
  /** Of the last entry that had its effects. */
  readonly appliedIndex: number;
  /** Passes over an entry without a request: an empty one, or a change of the configuration. */
  advance(index: number, term: number): void;
  onChanges: (changes: RevisionChanges) => void;
  /** "3.7.0"; undefined until the cluster has decided. */
  readonly clusterVersion: string | undefined;
  readonly downgrade: DowngradeInfo;
  /**
   * Random, 16 hex digits: tells one life of a cluster from the next, when ids and revisions are
   * the same. Another one after a restore (docs/operating/restore.md); undefined until decided.
   */
  readonly incarnation: string | undefined;
  /** Members by id, as the entries so far made them. */
  members(): readonly MemberRecord[];
  /** The effects of a configuration change, for member/ to call while it applies one. */
  putMember(member: MemberRecord): void;
  removeMember(id: bigint): void;
  /** The configuration as of the applied index; undefined in stores that never had one. */
  confState(): ConfState | undefined;
  putConfState(state: ConfState): void;
  isRemovedMember(id: bigint): boolean;
}
