/** The calls of etcd's API that this library makes, and what a failed one allows (FR-34). */
import { ByteReader } from "../base/index.ts";
import {
  type AlarmRequest,
  AlarmType,
  AuthenticateRequestSchema,
  AuthenticateResponseSchema,
  type CompactionRequest,
  decodeAlarmResponse,
  decodeHeaderOf,
  decodeLeaseGrantResponse,
  decodeLeaseKeepAliveResponse,
  decodeMessage,
  decodeWatchResponse,
  DefragmentResponseSchema,
  type DeleteRangeRequest,
  DowngradeRequestSchema,
  DowngradeResponseSchema,
  encodeAlarmRequest,
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodeLeaseGrantRequest,
  encodeLeaseKeepAliveRequest,
  encodeLeaseRevokeRequest,
  encodeMessage,
  encodePutRequest,
  encodeRangeRequest,
  encodeTxnRequest,
  encodeWatchRequest,
  HashKVRequestSchema,
  HashKVResponseSchema,
  HashResponseSchema,
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  type LeaseGrantRequest,
  LeaseLeasesResponseSchema,
  type LeaseRevokeRequest,
  LeaseTimeToLiveRequestSchema,
  LeaseTimeToLiveResponseSchema,
  marshal,
  MemberAddRequestSchema,
  MemberAddResponseSchema,
  MemberListRequestSchema,
  MemberListResponseSchema,
  MemberPromoteRequestSchema,
  MemberRemoveRequestSchema,
  MemberUpdateRequestSchema,
  MoveLeaderRequestSchema,
  MoveLeaderResponseSchema,
  type PutRequest,
  type RangeRequest,
  SnapshotResponseSchema,
  StatusResponseSchema,
  type TxnRequest,
  type WatchRequest,
  type WatchResponse,
} from "../wire/index.ts";
import {
  decodeDelete,
  decodeHeaderAlone,
  decodePut,
  decodeRange,
  decodeTxn,
} from "./kv-messages.ts";
import type { Repeat, StreamMethod, UnaryMethod } from "./method.ts";
import type * as t from "./types.ts";

const NOTHING = Buffer.alloc(0);

function unary<Q, R>(
  path: string,
  repeat: Repeat,
  encode: (request: Q) => Buffer,
  decode: (bytes: Buffer) => R,
): UnaryMethod<Q, R> {
  return { path: `/etcdserverpb.${path}`, repeat, encode, decode };
}

interface GeneratedHeader {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly revision: bigint;
  readonly raftTerm: bigint;
}

function optionalHeader(header: GeneratedHeader | undefined): t.ResponseHeader | undefined {
  if (header === undefined) return undefined;
  const { clusterId, memberId, revision, raftTerm } = header;
  return { clusterId, memberId, revision: Number(revision), raftTerm: Number(raftTerm) };
}

function headerOf(header: GeneratedHeader | undefined): t.ResponseHeader {
  return optionalHeader(header) ?? { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

interface GeneratedMember {
  readonly ID: bigint;
  readonly name: string;
  readonly peerURLs: readonly string[];
  readonly clientURLs: readonly string[];
  readonly isLearner: boolean;
}

function memberOf(member: GeneratedMember): t.ClusterMember {
  const { ID: id, name, peerURLs: peerUrls, clientURLs: clientUrls, isLearner } = member;
  return { id, name, peerUrls, clientUrls, isLearner };
}

const NO_MEMBER: GeneratedMember = {
  ID: 0n,
  name: "",
  peerURLs: [],
  clientURLs: [],
  isLearner: false,
};

/** The four responses that hold header and members alone have the same fields. */
function decodeMembers(bytes: Buffer): t.MemberListResponse {
  const response = decodeMessage(MemberListResponseSchema, bytes);
  return { header: headerOf(response.header), members: response.members.map(memberOf) };
}

export const ALARM_NUMBERS: Readonly<Record<t.AlarmKind, number>> = {
  none: AlarmType.NONE,
  nospace: AlarmType.NOSPACE,
  corrupt: AlarmType.CORRUPT,
  time_travel: AlarmType.TIME_TRAVEL,
};
const ALARM_KINDS = Object.keys(ALARM_NUMBERS) as t.AlarmKind[];

const HEALTH: readonly t.HealthStatus[] = ["unknown", "serving", "notServing", "serviceUnknown"];

function decodeHealth(bytes: Buffer): t.HealthStatus {
  return HEALTH[decodeMessage(HealthCheckResponseSchema, bytes).status] ?? "unknown";
}

function decodeStatus(bytes: Buffer): t.StatusResponse {
  const status = decodeMessage(StatusResponseSchema, bytes);
  return {
    header: headerOf(status.header),
    version: status.version,
    dbSizeBytes: Number(status.dbSize),
    dbSizeInUseBytes: Number(status.dbSizeInUse),
    dbSizeQuotaBytes: Number(status.dbSizeQuota),
    leader: status.leader,
    raftIndex: Number(status.raftIndex),
    raftTerm: Number(status.raftTerm),
    raftAppliedIndex: Number(status.raftAppliedIndex),
    errors: status.errors,
    isLearner: status.isLearner,
    storageVersion: status.storageVersion,
    downgradeEnabled: status.downgradeInfo?.enabled ?? false,
    downgradeTargetVersion: status.downgradeInfo?.targetVersion ?? "",
  };
}

function decodeTimeToLive(bytes: Buffer): t.LeaseTimeToLiveResponse {
  const response = decodeMessage(LeaseTimeToLiveResponseSchema, bytes);
  return {
    header: headerOf(response.header),
    id: response.ID,
    ttlSeconds: Number(response.TTL),
    grantedTtlSeconds: Number(response.grantedTTL),
    keys: response.keys.map(bufferOf),
  };
}

/** Unary calls by name. KV requests hold wire keys; kv.ts makes them from what users hand in. */
export const METHODS = {
  range: unary(
    "KV/Range",
    "read",
    (request: RangeRequest) => marshal(encodeRangeRequest, request),
    (bytes) => decodeRange(bytes, 0),
  ),
  put: unary(
    "KV/Put",
    "write",
    (request: PutRequest) => marshal(encodePutRequest, request),
    (bytes) => decodePut(bytes, 0),
  ),
  deleteRange: unary(
    "KV/DeleteRange",
    "write",
    (request: DeleteRangeRequest) => marshal(encodeDeleteRangeRequest, request),
    (bytes) => decodeDelete(bytes, 0),
  ),
  txn: unary(
    "KV/Txn",
    "write",
    (request: TxnRequest) => marshal(encodeTxnRequest, request),
    (bytes) => decodeTxn(bytes, 0),
  ),
  compact: unary(
    "KV/Compact",
    "write",
    (request: CompactionRequest) => marshal(encodeCompactionRequest, request),
    decodeHeaderAlone,
  ),

  leaseGrant: unary(
    "Lease/LeaseGrant",
    "write",
    (request: LeaseGrantRequest) => marshal(encodeLeaseGrantRequest, request),
    (bytes): t.LeaseGrantResponse => {
      return { header: decodeHeaderOf(bytes), ...decodeLeaseGrantResponse(bytes) };
    },
  ),
  leaseRevoke: unary(
    "Lease/LeaseRevoke",
    "write",
    (request: LeaseRevokeRequest) => marshal(encodeLeaseRevokeRequest, request),
    decodeHeaderAlone,
  ),
  leaseTimeToLive: unary(
    "Lease/LeaseTimeToLive",
    "read",
    ({ id, keys }: { id: bigint; keys: boolean }) =>
      encodeMessage(LeaseTimeToLiveRequestSchema, { ID: id, keys }),
    decodeTimeToLive,
  ),
  leaseLeases: unary(
    "Lease/LeaseLeases",
    "read",
    (_: Record<never, never>) => NOTHING,
    (bytes): t.LeaseLeasesResponse => {
      const response = decodeMessage(LeaseLeasesResponseSchema, bytes);
      return { header: headerOf(response.header), leases: response.leases.map(({ ID }) => ID) };
    },
  ),

  memberList: unary(
    "Cluster/MemberList",
    "read",
    (request: { linearizable: boolean }) => encodeMessage(MemberListRequestSchema, request),
    decodeMembers,
  ),
  memberAdd: unary(
    "Cluster/MemberAdd",
    "write",
    ({ peerUrls, isLearner }: { peerUrls: readonly string[]; isLearner: boolean }) =>
      encodeMessage(MemberAddRequestSchema, { peerURLs: [...peerUrls], isLearner }),
    (bytes): t.MemberAddResponse => {
      const { header, member, members } = decodeMessage(MemberAddResponseSchema, bytes);
      return {
        header: headerOf(header),
        member: memberOf(member ?? NO_MEMBER),
        members: members.map(memberOf),
      };
    },
  ),
  memberRemove: unary(
    "Cluster/MemberRemove",
    "write",
    ({ id }: { id: bigint }) => encodeMessage(MemberRemoveRequestSchema, { ID: id }),
    decodeMembers,
  ),
  memberUpdate: unary(
    "Cluster/MemberUpdate",
    "write",
    ({ id, peerUrls }: { id: bigint; peerUrls: readonly string[] }) =>
      encodeMessage(MemberUpdateRequestSchema, { ID: id, peerURLs: [...peerUrls] }),
    decodeMembers,
  ),
  memberPromote: unary(
    "Cluster/MemberPromote",
    "write",
    ({ id }: { id: bigint }) => encodeMessage(MemberPromoteRequestSchema, { ID: id }),
    decodeMembers,
  ),

  alarm: unary(
    "Maintenance/Alarm",
    // Setting or clearing an alarm twice does no more than once.
    "read",
    (request: AlarmRequest) => marshal(encodeAlarmRequest, request),
    (bytes): t.AlarmResponse => {
      const alarms = decodeAlarmResponse(bytes).map(({ memberId, alarm }) => {
        const kind = ALARM_KINDS.find((name) => ALARM_NUMBERS[name] === alarm);
        return { memberId, alarm: kind ?? "none" };
      });
      return { header: decodeHeaderOf(bytes), alarms };
    },
  ),
  status: unary("Maintenance/Status", "read", (_: Record<never, never>) => NOTHING, decodeStatus),
  defragment: unary(
    "Maintenance/Defragment",
    "write",
    (_: Record<never, never>) => NOTHING,
    (bytes): t.MaybeHeaderResponse => {
      return { header: optionalHeader(decodeMessage(DefragmentResponseSchema, bytes).header) };
    },
  ),
  hash: unary(
    "Maintenance/Hash",
    "read",
    (_: Record<never, never>) => NOTHING,
    (bytes): t.HashResponse => {
      const { header, hash } = decodeMessage(HashResponseSchema, bytes);
      return { header: headerOf(header), hash };
    },
  ),
  hashKv: unary(
    "Maintenance/HashKV",
    "read",
    ({ revision }: { revision: number }) =>
      encodeMessage(HashKVRequestSchema, { revision: BigInt(revision) }),
    (bytes): t.HashKvResponse => {
      const response = decodeMessage(HashKVResponseSchema, bytes);
      return {
        header: headerOf(response.header),
        hash: response.hash,
        compactRevision: Number(response.compactRevision),
        hashRevision: Number(response.hashRevision),
      };
    },
  ),
  moveLeader: unary(
    "Maintenance/MoveLeader",
    "write",
    ({ targetId }: { targetId: bigint }) =>
      encodeMessage(MoveLeaderRequestSchema, { targetID: targetId }),
    (bytes): t.MaybeHeaderResponse => {
      return { header: optionalHeader(decodeMessage(MoveLeaderResponseSchema, bytes).header) };
    },
  ),
  downgrade: unary(
    "Maintenance/Downgrade",
    "write",
    (request: { action: 0 | 1 | 2; version: string }) =>
      encodeMessage(DowngradeRequestSchema, request),
    (bytes): t.DowngradeResponse => {
      const { header, version } = decodeMessage(DowngradeResponseSchema, bytes);
      return { header: headerOf(header), version };
    },
  ),

  authenticate: unary(
    "Auth/Authenticate",
    "write",
    (request: { name: string; password: string }) =>
      encodeMessage(AuthenticateRequestSchema, request),
    (bytes) => decodeMessage(AuthenticateResponseSchema, bytes).token,
  ),
  health: {
    path: "/grpc.health.v1.Health/Check",
    repeat: "read",
    encode: (request: { service: string }) => encodeMessage(HealthCheckRequestSchema, request),
    decode: decodeHealth,
  },
} as const satisfies Record<string, UnaryMethod<never, unknown>>;

/** Streams by name. */
export const STREAMS = {
  /** Pieces of a RangeResponse: joined, they are the whole one (RS-04). */
  rangeStream: {
    path: "/etcdserverpb.KV/RangeStream",
    encode: (request: RangeRequest) => marshal(encodeRangeRequest, request),
    decode: (bytes: Buffer): Buffer => rangePiece(bytes),
  },
  watch: {
    path: "/etcdserverpb.Watch/Watch",
    encode: (request: WatchRequest) => marshal(encodeWatchRequest, request),
    decode: (bytes: Buffer): WatchResponse => decodeWatchResponse(bytes),
  },
  leaseKeepAlive: {
    path: "/etcdserverpb.Lease/LeaseKeepAlive",
    encode: (request: { id: bigint }) => marshal(encodeLeaseKeepAliveRequest, request),
    decode: (bytes: Buffer): t.LeaseKeepAliveResponse => {
      return { header: decodeHeaderOf(bytes), ...decodeLeaseKeepAliveResponse(bytes) };
    },
  },
  snapshot: {
    path: "/etcdserverpb.Maintenance/Snapshot",
    encode: (_: Record<never, never>) => NOTHING,
    decode: (bytes: Buffer): t.SnapshotChunk => {
      const chunk = decodeMessage(SnapshotResponseSchema, bytes);
      return {
        header: optionalHeader(chunk.header),
        remainingBytes: Number(chunk.remainingBytes),
        blob: bufferOf(chunk.blob),
        version: chunk.version,
      };
    },
  },
} as const satisfies Record<string, StreamMethod<never, unknown>>;

/** Field 1 of a RangeStreamResponse, as it came. */
function rangePiece(bytes: Buffer): Buffer {
  const reader = new ByteReader(bytes);
  const pieces: Buffer[] = [];
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 10) pieces.push(reader.bytes());
    else reader.skip(tag);
  }
  return Buffer.concat(pieces);
}
