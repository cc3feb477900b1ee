/** Tables for `encodeMessage` and `decodeMessage`; names and numbers are those of proto/. */
import { ResponseHeaderSchema } from "./header-schema.ts";
import { message } from "./schema.ts";

export * from "./auth-schemas.ts";

/** grpc.health.v1.HealthCheckResponse.ServingStatus. */
export const ServingStatus = {
  UNKNOWN: 0,
  SERVING: 1,
  NOT_SERVING: 2,
  SERVICE_UNKNOWN: 3,
} as const;
export type ServingStatus = (typeof ServingStatus)[keyof typeof ServingStatus];

const AlarmMemberSchema = message("etcdserverpb.AlarmMember", {
  memberID: [1, "uint64"],
  alarm: [2, "enum"],
});

export const AlarmResponseSchema = message("etcdserverpb.AlarmResponse", {
  header: [1, ResponseHeaderSchema],
  alarms: [2, AlarmMemberSchema, "list"],
});

export const DefragmentRequestSchema = message("etcdserverpb.DefragmentRequest", {});

export const DefragmentResponseSchema = message("etcdserverpb.DefragmentResponse", {
  header: [1, ResponseHeaderSchema],
});

export const DowngradeRequestSchema = message("etcdserverpb.DowngradeRequest", {
  action: [1, "enum"],
  version: [2, "string"],
});

export const DowngradeResponseSchema = message("etcdserverpb.DowngradeResponse", {
  header: [1, ResponseHeaderSchema],
  version: [2, "string"],
});

export const HashKVRequestSchema = message("etcdserverpb.HashKVRequest", {
  revision: [1, "int64"],
});

export const HashKVResponseSchema = message("etcdserverpb.HashKVResponse", {
  header: [1, ResponseHeaderSchema],
  hash: [2, "uint32"],
  compactRevision: [3, "int64"],
  hashRevision: [4, "int64"],
});

export const HashRequestSchema = message("etcdserverpb.HashRequest", {});

export const HashResponseSchema = message("etcdserverpb.HashResponse", {
  header: [1, ResponseHeaderSchema],
  hash: [2, "uint32"],
});

export const HealthCheckRequestSchema = message("grpc.health.v1.HealthCheckRequest", {
  service: [1, "string"],
});

export const HealthCheckResponseSchema = message("grpc.health.v1.HealthCheckResponse", {
  status: [1, "enum"],
});

export const HealthListRequestSchema = message("grpc.health.v1.HealthListRequest", {});

export const HealthListResponseSchema = message("grpc.health.v1.HealthListResponse", {
  statuses: [1, HealthCheckResponseSchema, "map"],
});

export const LeaseTimeToLiveRequestSchema = message("etcdserverpb.LeaseTimeToLiveRequest", {
  ID: [1, "int64"],
  keys: [2, "bool"],
});

export const LeaseInternalRequestSchema = message("leasepb.LeaseInternalRequest", {
  LeaseTimeToLiveRequest: [1, LeaseTimeToLiveRequestSchema],
});

export const LeaseTimeToLiveResponseSchema = message("etcdserverpb.LeaseTimeToLiveResponse", {
  header: [1, ResponseHeaderSchema],
  ID: [2, "int64"],
  TTL: [3, "int64"],
  grantedTTL: [4, "int64"],
  keys: [5, "bytes", "list"],
});

export const LeaseInternalResponseSchema = message("leasepb.LeaseInternalResponse", {
  LeaseTimeToLiveResponse: [1, LeaseTimeToLiveResponseSchema],
});

export const LeaseKeepAliveResponseSchema = message("etcdserverpb.LeaseKeepAliveResponse", {
  header: [1, ResponseHeaderSchema],
  ID: [2, "int64"],
  TTL: [3, "int64"],
});

export const LeaseLeasesRequestSchema = message("etcdserverpb.LeaseLeasesRequest", {});

const LeaseStatusSchema = message("etcdserverpb.LeaseStatus", {
  ID: [1, "int64"],
});

export const LeaseLeasesResponseSchema = message("etcdserverpb.LeaseLeasesResponse", {
  header: [1, ResponseHeaderSchema],
  leases: [2, LeaseStatusSchema, "list"],
});

export const MemberAddRequestSchema = message("etcdserverpb.MemberAddRequest", {
  peerURLs: [1, "string", "list"],
  isLearner: [2, "bool"],
});

const MemberSchema = message("etcdserverpb.Member", {
  ID: [1, "uint64"],
  name: [2, "string"],
  peerURLs: [3, "string", "list"],
  clientURLs: [4, "string", "list"],
  isLearner: [5, "bool"],
});

export const MemberAddResponseSchema = message("etcdserverpb.MemberAddResponse", {
  header: [1, ResponseHeaderSchema],
  member: [2, MemberSchema],
  members: [3, MemberSchema, "list"],
});

export const MemberListRequestSchema = message("etcdserverpb.MemberListRequest", {
  linearizable: [1, "bool"],
});

export const MemberListResponseSchema = message("etcdserverpb.MemberListResponse", {
  header: [1, ResponseHeaderSchema],
  members: [2, MemberSchema, "list"],
});

export const MemberPromoteRequestSchema = message("etcdserverpb.MemberPromoteRequest", {
  ID: [1, "uint64"],
});

export const MemberPromoteResponseSchema = message("etcdserverpb.MemberPromoteResponse", {
  header: [1, ResponseHeaderSchema],
  members: [2, MemberSchema, "list"],
});

export const MemberRemoveRequestSchema = message("etcdserverpb.MemberRemoveRequest", {
  ID: [1, "uint64"],
});

export const MemberRemoveResponseSchema = message("etcdserverpb.MemberRemoveResponse", {
  header: [1, ResponseHeaderSchema],
  members: [2, MemberSchema, "list"],
});

export const MemberUpdateRequestSchema = message("etcdserverpb.MemberUpdateRequest", {
  ID: [1, "uint64"],
  peerURLs: [2, "string", "list"],
});

export const MemberUpdateResponseSchema = message("etcdserverpb.MemberUpdateResponse", {
  header: [1, ResponseHeaderSchema],
  members: [2, MemberSchema, "list"],
});

export const MoveLeaderRequestSchema = message("etcdserverpb.MoveLeaderRequest", {
  targetID: [1, "uint64"],
});

export const MoveLeaderResponseSchema = message("etcdserverpb.MoveLeaderResponse", {
  header: [1, ResponseHeaderSchema],
});

export const SnapshotRequestSchema = message("etcdserverpb.SnapshotRequest", {});

export const SnapshotResponseSchema = message("etcdserverpb.SnapshotResponse", {
  header: [1, ResponseHeaderSchema],
  remainingBytes: [2, "uint64"],
  blob: [3, "bytes"],
  version: [4, "string"],
});

export const StatusRequestSchema = message("etcdserverpb.StatusRequest", {});

const DowngradeInfoSchema = message("etcdserverpb.DowngradeInfo", {
  enabled: [1, "bool"],
  targetVersion: [2, "string"],
});

export const StatusResponseSchema = message("etcdserverpb.StatusResponse", {
  header: [1, ResponseHeaderSchema],
  version: [2, "string"],
  dbSize: [3, "int64"],
  leader: [4, "uint64"],
  raftIndex: [5, "uint64"],
  raftTerm: [6, "uint64"],
  raftAppliedIndex: [7, "uint64"],
  errors: [8, "string", "list"],
  dbSizeInUse: [9, "int64"],
  isLearner: [10, "bool"],
  storageVersion: [11, "string"],
  dbSizeQuota: [12, "int64"],
  downgradeInfo: [13, DowngradeInfoSchema],
});
