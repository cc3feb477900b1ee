/**
 * Committed entry -> effects and result. Pure: no clock, randomness, flag, file size or leadership
 * may change the result (decision 7).
 */
import type { EtcdError } from "../errors/index.ts";
import type { RevisionChanges } from "../mvcc/index.ts";
import type {
  AlarmMember,
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
  | { readonly kind: "memberAttributesSet" };

/** An EtcdError is a refusal: the entry had no effect, on every member alike. */
export type ApplyOutcome = ApplyResponse | EtcdError;

export interface Machine {
  /**
   * Applies one normal entry. Changes go to the watch hub by `onChanges` before this returns.
   * `isWaited` false = nobody here reads the result, so reads inside a txn may be left out (TX-16).
   */
  apply(index: number, term: number, request: RaftRequest, isWaited: boolean): ApplyOutcome;
  onChanges: (changes: RevisionChanges) => void;
}
