/** etcd's messages as the tests use them; names and numbers are those of etcd's .proto files. */
import { field, schema } from "./proto.ts";
import type { Schema } from "./proto.ts";

const repeated = { repeated: true } as const;
const optional = { optional: true } as const;

export interface Header {
  clusterId: bigint;
  memberId: bigint;
  revision: bigint;
  raftTerm: bigint;
}
export const Header = schema<Header>([
  field("clusterId", 1, "uint64"),
  field("memberId", 2, "uint64"),
  field("revision", 3, "int64"),
  field("raftTerm", 4, "uint64"),
]);
const header = field("header", 1, () => Header);

export interface KeyValue {
  key: Buffer;
  createRevision: bigint;
  modRevision: bigint;
  version: bigint;
  value: Buffer;
  lease: bigint;
}
export const KeyValue = schema<KeyValue>([
  field("key", 1, "bytes"),
  field("createRevision", 2, "int64"),
  field("modRevision", 3, "int64"),
  field("version", 4, "int64"),
  field("value", 5, "bytes"),
  field("lease", 6, "int64"),
]);

export interface RangeRequest {
  key: Buffer;
  rangeEnd: Buffer;
  limit: bigint;
  revision: bigint;
  sortOrder: number;
  sortTarget: number;
  serializable: boolean;
  keysOnly: boolean;
  countOnly: boolean;
  minModRevision: bigint;
  maxModRevision: bigint;
  minCreateRevision: bigint;
  maxCreateRevision: bigint;
}
export const RangeRequest = schema<RangeRequest>([
  field("key", 1, "bytes"),
  field("rangeEnd", 2, "bytes"),
  field("limit", 3, "int64"),
  field("revision", 4, "int64"),
  field("sortOrder", 5, "int32"),
  field("sortTarget", 6, "int32"),
  field("serializable", 7, "bool"),
  field("keysOnly", 8, "bool"),
  field("countOnly", 9, "bool"),
  field("minModRevision", 10, "int64"),
  field("maxModRevision", 11, "int64"),
  field("minCreateRevision", 12, "int64"),
  field("maxCreateRevision", 13, "int64"),
]);

export interface RangeResponse {
  header: Header | undefined;
  kvs: KeyValue[];
  more: boolean;
  count: bigint;
}
export const RangeResponse = schema<RangeResponse>([
  header,
  field("kvs", 2, () => KeyValue, repeated),
  field("more", 3, "bool"),
  field("count", 4, "int64"),
]);

export interface RangeStreamResponse {
  rangeResponse: RangeResponse | undefined;
}
export const RangeStreamResponse = schema<RangeStreamResponse>([
  field("rangeResponse", 1, () => RangeResponse),
]);

export interface PutRequest {
  key: Buffer;
  value: Buffer;
  lease: bigint;
  prevKv: boolean;
  ignoreValue: boolean;
  ignoreLease: boolean;
}
export const PutRequest = schema<PutRequest>([
  field("key", 1, "bytes"),
  field("value", 2, "bytes"),
  field("lease", 3, "int64"),
  field("prevKv", 4, "bool"),
  field("ignoreValue", 5, "bool"),
  field("ignoreLease", 6, "bool"),
]);

export interface PutResponse {
  header: Header | undefined;
  prevKv: KeyValue | undefined;
}
export const PutResponse = schema<PutResponse>([header, field("prevKv", 2, () => KeyValue)]);

export interface DeleteRangeRequest {
  key: Buffer;
  rangeEnd: Buffer;
  prevKv: boolean;
}
export const DeleteRangeRequest = schema<DeleteRangeRequest>([
  field("key", 1, "bytes"),
  field("rangeEnd", 2, "bytes"),
  field("prevKv", 3, "bool"),
]);

export interface DeleteRangeResponse {
  header: Header | undefined;
  deleted: bigint;
  prevKvs: KeyValue[];
}
export const DeleteRangeResponse = schema<DeleteRangeResponse>([
  header,
  field("deleted", 2, "int64"),
  field("prevKvs", 3, () => KeyValue, repeated),
]);

export interface Compare {
  result: number;
  target: number;
  key: Buffer;
  /** A oneof: at most one of these five. */
  version: bigint | undefined;
  createRevision: bigint | undefined;
  modRevision: bigint | undefined;
  value: Buffer | undefined;
  lease: bigint | undefined;
  rangeEnd: Buffer;
}
export const Compare = schema<Compare>([
  field("result", 1, "int32"),
  field("target", 2, "int32"),
  field("key", 3, "bytes"),
  field("version", 4, "int64", optional),
  field("createRevision", 5, "int64", optional),
  field("modRevision", 6, "int64", optional),
  field("value", 7, "bytes", optional),
  field("lease", 8, "int64", optional),
  field("rangeEnd", 64, "bytes"),
]);

/** A oneof: at most one; none at all is what TX-03 speaks of. */
export interface RequestOp {
  range: RangeRequest | undefined;
  put: PutRequest | undefined;
  deleteRange: DeleteRangeRequest | undefined;
  txn: TxnRequest | undefined;
}
export const RequestOp: Schema<RequestOp> = schema<RequestOp>([
  field("range", 1, () => RangeRequest),
  field("put", 2, () => PutRequest),
  field("deleteRange", 3, () => DeleteRangeRequest),
  field("txn", 4, () => TxnRequest),
]);

export interface TxnRequest {
  compare: Compare[];
  success: RequestOp[];
  failure: RequestOp[];
}
export const TxnRequest: Schema<TxnRequest> = schema<TxnRequest>([
  field("compare", 1, () => Compare, repeated),
  field("success", 2, () => RequestOp, repeated),
  field("failure", 3, () => RequestOp, repeated),
]);

export interface ResponseOp {
  range: RangeResponse | undefined;
  put: PutResponse | undefined;
  deleteRange: DeleteRangeResponse | undefined;
  txn: TxnResponse | undefined;
}
export const ResponseOp: Schema<ResponseOp> = schema<ResponseOp>([
  field("range", 1, () => RangeResponse),
  field("put", 2, () => PutResponse),
  field("deleteRange", 3, () => DeleteRangeResponse),
  field("txn", 4, () => TxnResponse),
]);

export interface TxnResponse {
  header: Header | undefined;
  succeeded: boolean;
  responses: ResponseOp[];
}
export const TxnResponse: Schema<TxnResponse> = schema<TxnResponse>([
  header,
  field("succeeded", 2, "bool"),
  field("responses", 3, () => ResponseOp, repeated),
]);

export interface CompactionRequest {
  revision: bigint;
  physical: boolean;
}
export const CompactionRequest = schema<CompactionRequest>([
  field("revision", 1, "int64"),
  field("physical", 2, "bool"),
]);

/** CompactionResponse, DefragmentResponse, LeaseRevokeResponse: a header alone. */
export interface HeaderResponse {
  header: Header | undefined;
}
export const HeaderResponse = schema<HeaderResponse>([header]);

export interface Event {
  type: number;
  kv: KeyValue | undefined;
  prevKv: KeyValue | undefined;
}
export const Event = schema<Event>([
  field("type", 1, "int32"),
  field("kv", 2, () => KeyValue),
  field("prevKv", 3, () => KeyValue),
]);

export interface WatchCreateRequest {
  key: Buffer;
  rangeEnd: Buffer;
  startRevision: bigint;
  progressNotify: boolean;
  filters: number[];
  prevKv: boolean;
  watchId: bigint;
  fragment: boolean;
}
export const WatchCreateRequest = schema<WatchCreateRequest>([
  field("key", 1, "bytes"),
  field("rangeEnd", 2, "bytes"),
  field("startRevision", 3, "int64"),
  field("progressNotify", 4, "bool"),
  field("filters", 5, "int32", repeated),
  field("prevKv", 6, "bool"),
  field("watchId", 7, "int64"),
  field("fragment", 8, "bool"),
]);

export interface WatchCancelRequest {
  watchId: bigint;
}
const WatchCancelRequest = schema<WatchCancelRequest>([field("watchId", 1, "int64")]);

export interface WatchRequest {
  create: WatchCreateRequest | undefined;
  cancel: WatchCancelRequest | undefined;
  progress: object | undefined;
}
export const WatchRequest = schema<WatchRequest>([
  field("create", 1, () => WatchCreateRequest),
  field("cancel", 2, () => WatchCancelRequest),
  field("progress", 3, () => schema<object>([])),
]);

export interface WatchResponse {
  header: Header | undefined;
  watchId: bigint;
  created: boolean;
  canceled: boolean;
  compactRevision: bigint;
  cancelReason: string;
  fragment: boolean;
  events: Event[];
}
export const WatchResponse = schema<WatchResponse>([
  header,
  field("watchId", 2, "int64"),
  field("created", 3, "bool"),
  field("canceled", 4, "bool"),
  field("compactRevision", 5, "int64"),
  field("cancelReason", 6, "string"),
  field("fragment", 7, "bool"),
  field("events", 11, () => Event, repeated),
]);

export interface LeaseGrantRequest {
  ttl: bigint;
  id: bigint;
}
export const LeaseGrantRequest = schema<LeaseGrantRequest>([
  field("ttl", 1, "int64"),
  field("id", 2, "int64"),
]);

export interface LeaseGrantResponse {
  header: Header | undefined;
  id: bigint;
  ttl: bigint;
  error: string;
}
export const LeaseGrantResponse = schema<LeaseGrantResponse>([
  header,
  field("id", 2, "int64"),
  field("ttl", 3, "int64"),
  field("error", 4, "string"),
]);

/** LeaseRevokeRequest and LeaseKeepAliveRequest. */
export interface LeaseIdRequest {
  id: bigint;
}
export const LeaseIdRequest = schema<LeaseIdRequest>([field("id", 1, "int64")]);

export interface LeaseKeepAliveResponse {
  header: Header | undefined;
  id: bigint;
  ttl: bigint;
}
export const LeaseKeepAliveResponse = schema<LeaseKeepAliveResponse>([
  header,
  field("id", 2, "int64"),
  field("ttl", 3, "int64"),
]);

export interface LeaseTimeToLiveRequest {
  id: bigint;
  keys: boolean;
}
export const LeaseTimeToLiveRequest = schema<LeaseTimeToLiveRequest>([
  field("id", 1, "int64"),
  field("keys", 2, "bool"),
]);

export interface LeaseTimeToLiveResponse {
  header: Header | undefined;
  id: bigint;
  ttl: bigint;
  grantedTtl: bigint;
  keys: Buffer[];
}
export const LeaseTimeToLiveResponse = schema<LeaseTimeToLiveResponse>([
  header,
  field("id", 2, "int64"),
  field("ttl", 3, "int64"),
  field("grantedTtl", 4, "int64"),
  field("keys", 5, "bytes", repeated),
]);

export interface LeaseLeasesResponse {
  header: Header | undefined;
  leases: LeaseIdRequest[];
}
export const LeaseLeasesResponse = schema<LeaseLeasesResponse>([
  header,
  field("leases", 2, () => LeaseIdRequest, repeated),
]);

export const Empty = schema<object>([]);

export interface Member {
  id: bigint;
  name: string;
  peerUrls: string[];
  clientUrls: string[];
  isLearner: boolean;
}
export const Member = schema<Member>([
  field("id", 1, "uint64"),
  field("name", 2, "string"),
  field("peerUrls", 3, "string", repeated),
  field("clientUrls", 4, "string", repeated),
  field("isLearner", 5, "bool"),
]);

export interface MemberListResponse {
  header: Header | undefined;
  members: Member[];
}
export const MemberListResponse = schema<MemberListResponse>([
  header,
  field("members", 2, () => Member, repeated),
]);

export interface MemberAddRequest {
  peerUrls: string[];
  isLearner: boolean;
}
export const MemberAddRequest = schema<MemberAddRequest>([
  field("peerUrls", 1, "string", repeated),
  field("isLearner", 2, "bool"),
]);

export interface MemberAddResponse {
  header: Header | undefined;
  member: Member | undefined;
  members: Member[];
}
export const MemberAddResponse = schema<MemberAddResponse>([
  header,
  field("member", 2, () => Member),
  field("members", 3, () => Member, repeated),
]);

/** Of a removal and of a promotion. */
export interface MemberIdRequest {
  id: bigint;
}
export const MemberIdRequest = schema<MemberIdRequest>([field("id", 1, "uint64")]);

export interface MemberUpdateRequest {
  id: bigint;
  peerUrls: string[];
}
export const MemberUpdateRequest = schema<MemberUpdateRequest>([
  field("id", 1, "uint64"),
  field("peerUrls", 2, "string", repeated),
]);

export interface MemberListRequest {
  linearizable: boolean;
}
export const MemberListRequest = schema<MemberListRequest>([field("linearizable", 1, "bool")]);

export interface MoveLeaderRequest {
  targetId: bigint;
}
export const MoveLeaderRequest = schema<MoveLeaderRequest>([field("targetId", 1, "uint64")]);

export interface DowngradeRequest {
  action: number;
  version: string;
}
export const DowngradeRequest = schema<DowngradeRequest>([
  field("action", 1, "int32"),
  field("version", 2, "string"),
]);

export interface DowngradeResponse {
  header: Header | undefined;
  version: string;
}
export const DowngradeResponse = schema<DowngradeResponse>([header, field("version", 2, "string")]);

export interface AlarmMember {
  memberId: bigint;
  alarm: number;
}
export const AlarmMember = schema<AlarmMember>([
  field("memberId", 1, "uint64"),
  field("alarm", 2, "int32"),
]);

export interface AlarmRequest {
  action: number;
  memberId: bigint;
  alarm: number;
}
export const AlarmRequest = schema<AlarmRequest>([
  field("action", 1, "int32"),
  field("memberId", 2, "uint64"),
  field("alarm", 3, "int32"),
]);

export interface AlarmResponse {
  header: Header | undefined;
  alarms: AlarmMember[];
}
export const AlarmResponse = schema<AlarmResponse>([
  header,
  field("alarms", 2, () => AlarmMember, repeated),
]);

export interface StatusResponse {
  header: Header | undefined;
  version: string;
  dbSize: bigint;
  leader: bigint;
  raftIndex: bigint;
  raftTerm: bigint;
  raftAppliedIndex: bigint;
  errors: string[];
  dbSizeInUse: bigint;
  isLearner: boolean;
  storageVersion: string;
  dbSizeQuota: bigint;
}
export const StatusResponse = schema<StatusResponse>([
  header,
  field("version", 2, "string"),
  field("dbSize", 3, "int64"),
  field("leader", 4, "uint64"),
  field("raftIndex", 5, "uint64"),
  field("raftTerm", 6, "uint64"),
  field("raftAppliedIndex", 7, "uint64"),
  field("errors", 8, "string", repeated),
  field("dbSizeInUse", 9, "int64"),
  field("isLearner", 10, "bool"),
  field("storageVersion", 11, "string"),
  field("dbSizeQuota", 12, "int64"),
]);

export interface HashKvRequest {
  revision: bigint;
}
export const HashKvRequest = schema<HashKvRequest>([field("revision", 1, "int64")]);

export interface HashKvResponse {
  header: Header | undefined;
  hash: bigint;
  compactRevision: bigint;
  hashRevision: bigint;
}
export const HashKvResponse = schema<HashKvResponse>([
  header,
  field("hash", 2, "uint64"),
  field("compactRevision", 3, "int64"),
  field("hashRevision", 4, "int64"),
]);

export interface SnapshotResponse {
  header: Header | undefined;
  remainingBytes: bigint;
  blob: Buffer;
  version: string;
}
export const SnapshotResponse = schema<SnapshotResponse>([
  header,
  field("remainingBytes", 2, "uint64"),
  field("blob", 3, "bytes"),
  field("version", 4, "string"),
]);

export interface HealthCheckRequest {
  service: string;
}
export const HealthCheckRequest = schema<HealthCheckRequest>([field("service", 1, "string")]);

export interface HealthCheckResponse {
  status: number;
}
export const HealthCheckResponse = schema<HealthCheckResponse>([field("status", 1, "int32")]);
