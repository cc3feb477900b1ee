/** Generated schemas for `encodeMessage` and `decodeMessage`. */
export {
  MemberAddRequestSchema,
  MemberAddResponseSchema,
  MemberListRequestSchema,
  MemberListResponseSchema,
  MemberPromoteRequestSchema,
  MemberPromoteResponseSchema,
  MemberRemoveRequestSchema,
  MemberRemoveResponseSchema,
  MemberUpdateRequestSchema,
  MemberUpdateResponseSchema,
} from "./gen/etcdserverpb/cluster_pb.ts";
export {
  LeaseKeepAliveResponseSchema,
  LeaseLeasesRequestSchema,
  LeaseLeasesResponseSchema,
  LeaseTimeToLiveRequestSchema,
  LeaseTimeToLiveResponseSchema,
} from "./gen/etcdserverpb/lease_pb.ts";
export {
  AlarmResponseSchema,
  DefragmentRequestSchema,
  DefragmentResponseSchema,
  DowngradeRequestSchema,
  DowngradeResponseSchema,
  HashKVRequestSchema,
  HashKVResponseSchema,
  HashRequestSchema,
  HashResponseSchema,
  MoveLeaderRequestSchema,
  MoveLeaderResponseSchema,
  SnapshotRequestSchema,
  SnapshotResponseSchema,
  StatusRequestSchema,
  StatusResponseSchema,
} from "./gen/etcdserverpb/maintenance_pb.ts";
export {
  AuthenticateRequestSchema,
  AuthenticateResponseSchema,
  AuthStatusRequestSchema,
  AuthStatusResponseSchema,
} from "./gen/etcdserverpb/auth_pb.ts";
export {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
  HealthListRequestSchema,
  HealthListResponseSchema,
} from "./gen/grpc/health/v1/health_pb.ts";
export { LeaseInternalRequestSchema, LeaseInternalResponseSchema } from "./gen/leasepb/lease_pb.ts";
