/**
 * The hot messages as plain objects. Field names follow etcd's .proto files in camelCase.
 *
 * Units and shapes: keys are one-byte strings (base/latin1), values are Buffers, revisions, indexes
 * and terms are numbers, lease, member and cluster ids are bigint (0n = none). A number that a
 * client sends beyond 2^53 is rounded; it only ever compares, and compares right.
 *
 * An `EncodedKeyValue` is a marshalled mvccpb.KeyValue. The store encodes a pair once, when it is
 * written; reads, watch events and snapshots pass the bytes on as they are.
 */
import type { Key } from "../base/index.ts";
import type { StateDigest } from "./state-digest.ts";

export type EncodedKeyValue = Buffer;

export interface KeyValue {
  key: Key;
  createRevision: number;
  modRevision: number;
  version: number;
  value: Buffer;
  lease: bigint;
}

export interface ResponseHeader {
  clusterId: bigint;
  memberId: bigint;
  revision: number;
  raftTerm: number;
}

export const SortOrder = { NONE: 0, ASCEND: 1, DESCEND: 2 } as const;
export const SortTarget = { KEY: 0, VERSION: 1, CREATE: 2, MOD: 3, VALUE: 4 } as const;

export interface RangeRequest {
  key: Key;
  /** "" = only `key`; "\0" = from `key` on; else [key, rangeEnd). */
  rangeEnd: Key;
  limit: number;
  revision: number;
  sortOrder: number;
  sortTarget: number;
  serializable: boolean;
  keysOnly: boolean;
  countOnly: boolean;
  minModRevision: number;
  maxModRevision: number;
  minCreateRevision: number;
  maxCreateRevision: number;
}

export interface RangeResponse {
  /** Missing header fields are filled by rpc/; inside a txn only `revision` is sent. */
  revision: number;
  kvs: EncodedKeyValue[];
  more: boolean;
  count: number;
}

export interface PutRequest {
  key: Key;
  value: Buffer;
  lease: bigint;
  prevKv: boolean;
  ignoreValue: boolean;
  ignoreLease: boolean;
}

export interface PutResponse {
  revision: number;
  prevKv: EncodedKeyValue | undefined;
}

export interface DeleteRangeRequest {
  key: Key;
  rangeEnd: Key;
  prevKv: boolean;
}

export interface DeleteRangeResponse {
  revision: number;
  deleted: number;
  prevKvs: EncodedKeyValue[];
}

export const CompareResult = { EQUAL: 0, GREATER: 1, LESS: 2, NOT_EQUAL: 3 } as const;
export const CompareTarget = { VERSION: 0, CREATE: 1, MOD: 2, VALUE: 3, LEASE: 4 } as const;

export interface Compare {
  result: number;
  target: number;
  key: Key;
  rangeEnd: Key;
  /**
   * The operand as sent; `undefined` when the oneof is unset. One that does not fit `target` reads
   * as zero (TX-08).
   */
  operand:
    | { kind: "version" | "createRevision" | "modRevision"; value: number }
    | { kind: "value"; value: Buffer }
    | { kind: "lease"; value: bigint }
    | undefined;
}

export type RequestOp =
  | { kind: "range"; range: RangeRequest }
  | { kind: "put"; put: PutRequest }
  | { kind: "deleteRange"; deleteRange: DeleteRangeRequest }
  | { kind: "txn"; txn: TxnRequest }
  /** The oneof was not set (TX-03 refuses it). */
  | { kind: "none" };

export interface TxnRequest {
  compare: Compare[];
  success: RequestOp[];
  failure: RequestOp[];
}

export type ResponseOp =
  | { kind: "range"; range: RangeResponse }
  | { kind: "put"; put: PutResponse }
  | { kind: "deleteRange"; deleteRange: DeleteRangeResponse }
  | { kind: "txn"; txn: TxnResponse };

export interface TxnResponse {
  /** 0 in a nested one: etcd sends an empty header there. */
  revision: number;
  succeeded: boolean;
  responses: ResponseOp[];
}

export interface CompactionRequest {
  revision: number;
  physical: boolean;
}

export interface LeaseGrantRequest {
  ttlSeconds: number;
  id: bigint;
}

export interface LeaseRevokeRequest {
  id: bigint;
}

export interface LeaseGrantResponse {
  id: bigint;
  ttlSeconds: number;
}

export interface LeaseKeepAliveRequest {
  id: bigint;
}

/** `ttlSeconds` 0 = the lease is unknown or expired (LE-04). */
export interface LeaseKeepAliveResponse {
  id: bigint;
  ttlSeconds: number;
}

/** leasepb.Lease, as stored (surface 19). */
export interface LeaseRecord {
  id: bigint;
  ttlSeconds: number;
  remainingTtlSeconds: number;
}

/** etcdserverpb.LeaseCheckpoint. */
export interface LeaseCheckpoint {
  id: bigint;
  remainingTtlSeconds: number;
}

export const AlarmAction = { GET: 0, ACTIVATE: 1, DEACTIVATE: 2 } as const;
/** TIME_TRAVEL is ours alone: the member lost what it had promised. */
export const AlarmType = { NONE: 0, NOSPACE: 1, CORRUPT: 2, TIME_TRAVEL: 2002 } as const;

export interface AlarmRequest {
  action: number;
  memberId: bigint;
  alarm: number;
  /** As AlarmMember's. */
  isScoped?: boolean;
}

export interface AlarmMember {
  memberId: bigint;
  alarm: number;
  /** It concerns this member alone: the others go on. etcd passes the mark over. */
  isScoped?: boolean;
}

export interface MemberAttributes {
  name: string;
  clientUrls: string[];
}

/**
 * The header of a proposal. The id is uint16(member id) << 48 | sequence; it is kept in two numbers
 * so that the hot path makes no bigint.
 */
export interface RaftRequestHeader {
  /** Low 16 bits of the proposing member's id. */
  memberPrefix: number;
  /** Below 2^48. */
  sequence: number;
  username: string;
  authRevision: number;
}

/** The oneof of InternalRaftRequest (surface 16.1), as far as it exists here. */
export type RaftOperation =
  | { kind: "put"; put: PutRequest }
  | { kind: "deleteRange"; deleteRange: DeleteRangeRequest }
  | { kind: "txn"; txn: TxnRequest }
  | { kind: "range"; range: RangeRequest }
  | { kind: "compaction"; compaction: CompactionRequest }
  | { kind: "leaseGrant"; leaseGrant: LeaseGrantRequest }
  | { kind: "leaseRevoke"; leaseRevoke: LeaseRevokeRequest }
  | { kind: "leaseCheckpoint"; checkpoints: LeaseCheckpoint[] }
  | { kind: "alarm"; alarm: AlarmRequest }
  /** The incarnation, 16 hex digits, is beside what etcd knows: it comes with the first version. */
  | { kind: "clusterVersionSet"; version: string; incarnation?: string }
  | { kind: "memberAttributesSet"; memberId: bigint; attributes: MemberAttributes }
  | { kind: "downgradeInfoSet"; enabled: boolean; version: string }
  /** An operation that this version does not know; applied as a refusal, the same everywhere. */
  | { kind: "unknown"; tag: number };

export interface RaftRequest {
  header: RaftRequestHeader;
  operation: RaftOperation;
}

export const EntryType = { NORMAL: 0, CONF_CHANGE: 1, CONF_CHANGE_V2: 2 } as const;

/** raftpb.Entry. */
export interface Entry {
  type: number;
  term: number;
  index: number;
  data: Buffer;
}

/** raftpb.HardState. */
export interface HardState {
  term: number;
  vote: bigint;
  commit: number;
}

/** raftpb.ConfState; member ids in the order they were sent. */
export interface ConfState {
  voters: bigint[];
  learners: bigint[];
  votersOutgoing: bigint[];
  learnersNext: bigint[];
  autoLeave: boolean;
}

export const ConfChangeType = {
  ADD_NODE: 0,
  REMOVE_NODE: 1,
  UPDATE_NODE: 2,
  ADD_LEARNER: 3,
} as const;

/** raftpb.ConfChange: data of a CONF_CHANGE entry; `context` is JSON (surface 16.2) or empty. */
export interface ConfChange {
  id: bigint;
  type: number;
  nodeId: bigint;
  context: Buffer;
}

/** raftpb.ConfChangeV2: the data of a CONF_CHANGE_V2 entry. */
export interface ConfChangeV2 {
  transition: number;
  changes: { type: number; nodeId: bigint }[];
  context: Buffer;
}

export interface SnapshotMetadata {
  confState: ConfState;
  index: number;
  term: number;
}

/** raftpb.Snapshot. */
export interface Snapshot {
  data: Buffer;
  metadata: SnapshotMetadata;
}

export const MessageType = {
  HUP: 0,
  BEAT: 1,
  PROP: 2,
  APP: 3,
  APP_RESP: 4,
  VOTE: 5,
  VOTE_RESP: 6,
  SNAP: 7,
  HEARTBEAT: 8,
  HEARTBEAT_RESP: 9,
  UNREACHABLE: 10,
  SNAP_STATUS: 11,
  CHECK_QUORUM: 12,
  TRANSFER_LEADER: 13,
  TIMEOUT_NOW: 14,
  READ_INDEX: 15,
  READ_INDEX_RESP: 16,
  PRE_VOTE: 17,
  PRE_VOTE_RESP: 18,
  STORAGE_APPEND: 19,
  STORAGE_APPEND_RESP: 20,
  STORAGE_APPLY: 21,
  STORAGE_APPLY_RESP: 22,
  FORGET_LEADER: 23,
  /** Ours alone: lives are compared (peer-note.ts). Of term 0, so that etcd passes it over. */
  HELLO: 2002,
  HELLO_RESP: 2003,
} as const;

/** raftpb.Message as it travels between members; `responses` (14) never does and is not here. */
export interface Message {
  type: number;
  to: bigint;
  from: bigint;
  term: number;
  logTerm: number;
  index: number;
  entries: Entry[];
  commit: number;
  snapshot: Snapshot | undefined;
  reject: boolean;
  rejectHint: number;
  context: Buffer;
  vote: bigint;
  /** Of the sender's state; beside what etcd knows of. */
  digest?: StateDigest;
  /** A peer note (peer-note.ts), encoded; likewise. */
  note?: Buffer;
}

/** mvccpb.Event; `kv` of a DELETE holds only key and modRevision. */
export interface WatchEvent {
  type: "put" | "delete";
  kv: EncodedKeyValue;
  prevKv: EncodedKeyValue | undefined;
}

export interface WatchCreateRequest {
  key: Key;
  rangeEnd: Key;
  startRevision: number;
  progressNotify: boolean;
  /** 0 = NOPUT, 1 = NODELETE; decoding leaves out others and repetitions. */
  filters: number[];
  prevKv: boolean;
  watchId: number;
  fragment: boolean;
}

export type WatchRequest =
  | { kind: "create"; create: WatchCreateRequest }
  | { kind: "cancel"; watchId: number }
  | { kind: "progress" }
  | { kind: "none" };

export interface WatchResponse {
  header: ResponseHeader;
  watchId: number;
  created: boolean;
  canceled: boolean;
  compactRevision: number;
  cancelReason: string;
  fragment: boolean;
  events: WatchEvent[];
}
