/**
 * Every hand-written codec beside the schema of its message: how to make a value, to encode and to
 * decode it by hand, and what the generated message says in the hand-written one's terms.
 */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import {
  ByteWriter,
  type Key,
  latin1FromBytes,
  MalformedError,
  type Prng,
} from "../../src/base/index.ts";
import {
  AlarmMemberSchema,
  AlarmRequestSchema,
  AlarmResponseSchema,
} from "./gen/etcdserverpb/maintenance_pb.ts";
import type { ResponseHeader as PbHeader } from "./gen/etcdserverpb/header_pb.ts";
import { ResponseHeaderSchema } from "./gen/etcdserverpb/header_pb.ts";
import * as kvpb from "./gen/etcdserverpb/kv_pb.ts";
import * as leasepb from "./gen/etcdserverpb/lease_pb.ts";
import {
  type InternalRaftRequest,
  InternalRaftRequestSchema,
} from "./gen/etcdserverpb/raft_internal_pb.ts";
import * as watchpb from "./gen/etcdserverpb/watch_pb.ts";
import { LeaseSchema } from "./gen/leasepb/lease_pb.ts";
import { type KeyValue as PbKeyValue, KeyValueSchema } from "./gen/mvccpb/kv_pb.ts";
import * as raftpb from "./gen/raftpb/raft_pb.ts";
import * as wire from "../../src/wire/index.ts";
import type { Omits } from "./reference-decoder.ts";
import * as make from "./wire-values.ts";

export interface Row {
  readonly name: string;
  readonly schema: DescMessage;
  readonly make: (prng: Prng) => unknown;
  /** Bytes by hand. */
  readonly encode: (value: unknown) => Buffer;
  /** Value by hand, with the pairs in it decoded, so that it compares by meaning. */
  readonly decode: (bytes: Buffer) => unknown;
  /** A made value in the form that `decode` gives. */
  readonly view: (value: unknown) => unknown;
  /** The generated (or the reference's) message in that form. */
  readonly from: (message: unknown) => unknown;
  /** Fields that the hand-written codec passes over, content and all. */
  readonly omits: Omits;
}

function row<Schema extends DescMessage, T>(
  schema: Schema,
  codec: {
    make: (prng: Prng) => T;
    encode: (writer: ByteWriter, value: T) => void;
    decode: (bytes: Buffer) => T;
    from: (message: MessageShape<Schema>) => unknown;
    view?: (value: T) => unknown;
    omits?: Omits;
  },
): Row {
  const view = codec.view ?? ((value: T) => value);
  return {
    name: schema.typeName,
    schema,
    make: codec.make,
    encode: (value) => {
      const writer = new ByteWriter(16);
      codec.encode(writer, value as T);
      return writer.take();
    },
    decode: (bytes) => view(codec.decode(bytes)),
    view: (value) => view(value as T),
    from: (message) => codec.from(message as MessageShape<Schema>),
    omits: codec.omits ?? (() => false),
  };
}

const key = (bytes: Uint8Array): Key => latin1FromBytes(bytes);
const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
const number = (value: bigint): number => Number(value);

const headerFrom = (header: PbHeader | undefined): wire.ResponseHeader => ({
  clusterId: header?.clusterId ?? 0n,
  memberId: header?.memberId ?? 0n,
  revision: number(header?.revision ?? 0n),
  raftTerm: number(header?.raftTerm ?? 0n),
});
const revisionFrom = (header: PbHeader | undefined): number => number(header?.revision ?? 0n);

const pairFrom = (pair: PbKeyValue): wire.KeyValue => ({
  key: key(pair.key),
  createRevision: number(pair.createRevision),
  modRevision: number(pair.modRevision),
  version: number(pair.version),
  value: buffer(pair.value),
  lease: pair.lease,
});
const pair = (bytes: Buffer): wire.KeyValue => wire.decodeKeyValue(bytes);
const maybe = <T, U>(value: T | undefined, map: (value: T) => U): U | undefined =>
  value === undefined ? undefined : map(value);

const rangeFrom = (m: kvpb.RangeRequest): wire.RangeRequest => ({
  key: key(m.key),
  rangeEnd: key(m.rangeEnd),
  limit: number(m.limit),
  revision: number(m.revision),
  sortOrder: m.sortOrder,
  sortTarget: m.sortTarget,
  serializable: m.serializable,
  keysOnly: m.keysOnly,
  countOnly: m.countOnly,
  minModRevision: number(m.minModRevision),
  maxModRevision: number(m.maxModRevision),
  minCreateRevision: number(m.minCreateRevision),
  maxCreateRevision: number(m.maxCreateRevision),
});
const putFrom = (m: kvpb.PutRequest): wire.PutRequest => ({
  key: key(m.key),
  value: buffer(m.value),
  lease: m.lease,
  prevKv: m.prevKv,
  ignoreValue: m.ignoreValue,
  ignoreLease: m.ignoreLease,
});
const deleteFrom = (m: kvpb.DeleteRangeRequest): wire.DeleteRangeRequest => ({
  key: key(m.key),
  rangeEnd: key(m.rangeEnd),
  prevKv: m.prevKv,
});

function operandFrom(union: kvpb.Compare["targetUnion"]): wire.Compare["operand"] {
  switch (union.case) {
    case undefined:
      return undefined;
    case "value":
      return { kind: "value", value: buffer(union.value) };
    case "lease":
      return { kind: "lease", value: union.value };
    default:
      return { kind: union.case, value: number(union.value) };
  }
}

function requestOpFrom(op: kvpb.RequestOp): wire.RequestOp {
  switch (op.request.case) {
    case "requestRange":
      return { kind: "range", range: rangeFrom(op.request.value) };
    case "requestPut":
      return { kind: "put", put: putFrom(op.request.value) };
    case "requestDeleteRange":
      return { kind: "deleteRange", deleteRange: deleteFrom(op.request.value) };
    case "requestTxn":
      return { kind: "txn", txn: txnFrom(op.request.value) };
    default:
      return { kind: "none" };
  }
}

const txnFrom = (m: kvpb.TxnRequest): wire.TxnRequest => ({
  compare: m.compare.map((compare) => ({
    result: compare.result,
    target: compare.target,
    key: key(compare.key),
    rangeEnd: key(compare.rangeEnd),
    operand: operandFrom(compare.targetUnion),
  })),
  success: m.success.map(requestOpFrom),
  failure: m.failure.map(requestOpFrom),
});

/* Responses: compared with their pairs decoded. */

const rangeView = (r: wire.RangeResponse): object => ({ ...r, kvs: r.kvs.map(pair) });
const rangeResponseFrom = (m: kvpb.RangeResponse): object => ({
  revision: revisionFrom(m.header),
  kvs: m.kvs.map(pairFrom),
  more: m.more,
  count: number(m.count),
});
const putView = (r: wire.PutResponse): object => ({ ...r, prevKv: maybe(r.prevKv, pair) });
const putResponseFrom = (m: kvpb.PutResponse): object => ({
  revision: revisionFrom(m.header),
  prevKv: maybe(m.prevKv, pairFrom),
});
const deleteView = (r: wire.DeleteRangeResponse): object => ({
  ...r,
  prevKvs: r.prevKvs.map(pair),
});
const deleteResponseFrom = (m: kvpb.DeleteRangeResponse): object => ({
  revision: revisionFrom(m.header),
  deleted: number(m.deleted),
  prevKvs: m.prevKvs.map(pairFrom),
});

function responseOpView(op: wire.ResponseOp): object {
  switch (op.kind) {
    case "range":
      return { kind: op.kind, body: rangeView(op.range) };
    case "put":
      return { kind: op.kind, body: putView(op.put) };
    case "deleteRange":
      return { kind: op.kind, body: deleteView(op.deleteRange) };
    case "txn":
      return { kind: op.kind, body: txnView(op.txn) };
  }
}
const txnView = (r: wire.TxnResponse): object => ({
  ...r,
  responses: r.responses.map(responseOpView),
});

function responseOpFrom(op: kvpb.ResponseOp): object {
  switch (op.response.case) {
    case "responseRange":
      return { kind: "range", body: rangeResponseFrom(op.response.value) };
    case "responsePut":
      return { kind: "put", body: putResponseFrom(op.response.value) };
    case "responseDeleteRange":
      return { kind: "deleteRange", body: deleteResponseFrom(op.response.value) };
    case "responseTxn":
      return { kind: "txn", body: txnResponseFrom(op.response.value) };
    default:
      throw new MalformedError("response without an operation", 0);
  }
}
const txnResponseFrom = (m: kvpb.TxnResponse): object => ({
  revision: revisionFrom(m.header),
  succeeded: m.succeeded,
  responses: m.responses.map(responseOpFrom),
});

/** A response with its whole header, as rpc/ sends it. */
interface Headed<T> {
  header: wire.ResponseHeader;
  body: T;
}
function headed<Schema extends DescMessage, T extends object>(
  schema: Schema,
  codec: {
    make: (prng: Prng, revision: number) => T;
    encode: (writer: ByteWriter, header: wire.ResponseHeader, body: T) => void;
    decode: (bytes: Buffer) => T;
    view?: (body: T) => unknown;
    from: (message: MessageShape<Schema>) => unknown;
  },
): Row {
  const view = codec.view ?? ((body: T) => body);
  return row<Schema, Headed<T>>(schema, {
    make: (prng) => {
      const header = make.header(prng);
      return { header, body: codec.make(prng, header.revision) };
    },
    encode: (writer, { header, body }) => codec.encode(writer, header, body),
    decode: (bytes) => ({ header: wire.decodeHeaderOf(bytes), body: codec.decode(bytes) }),
    view: ({ header, body }) => ({ header, body: view(body) }),
    from: (message) => ({
      header: headerFrom((message as { header?: PbHeader }).header),
      body: codec.from(message),
    }),
  });
}

const kvRows: Row[] = [
  row(KeyValueSchema, {
    make: make.keyValue,
    encode: wire.encodeKeyValue,
    decode: wire.decodeKeyValue,
    from: pairFrom,
  }),
  row(ResponseHeaderSchema, {
    make: make.header,
    encode: wire.encodeHeader,
    decode: wire.decodeHeader,
    from: headerFrom,
  }),
  row(kvpb.RangeRequestSchema, {
    make: make.rangeRequest,
    encode: wire.encodeRangeRequest,
    decode: wire.decodeRangeRequest,
    from: rangeFrom,
  }),
  headed(kvpb.RangeResponseSchema, {
    make: make.rangeResponse,
    encode: wire.encodeRangeResponse,
    decode: wire.decodeRangeResponse,
    view: rangeView,
    from: rangeResponseFrom,
  }),
  row(kvpb.RangeStreamResponseSchema, {
    make: (prng) => {
      const header = make.bool(prng) ? make.header(prng) : undefined;
      const response = make.rangeResponse(prng, header?.revision ?? 0);
      // Only the last message has more and count (RS-04).
      return header === undefined
        ? { header, response: { ...response, more: false, count: 0 } }
        : { header, response };
    },
    encode: (writer, { header, response }) =>
      wire.encodeRangeStreamResponse(writer, header, response),
    decode: (bytes) => ({ header: undefined, response: wire.decodeRangeStreamResponse(bytes) }),
    view: ({ response }) => rangeView(response),
    from: (m) =>
      m.rangeResponse === undefined
        ? { revision: 0, kvs: [], more: false, count: 0 }
        : rangeResponseFrom(m.rangeResponse),
  }),
  row(kvpb.PutRequestSchema, {
    make: make.putRequest,
    encode: wire.encodePutRequest,
    decode: wire.decodePutRequest,
    from: putFrom,
  }),
  headed(kvpb.PutResponseSchema, {
    make: (prng, revision) => ({ revision, prevKv: make.maybePair(prng) }),
    encode: wire.encodePutResponse,
    decode: wire.decodePutResponse,
    view: putView,
    from: putResponseFrom,
  }),
  row(kvpb.DeleteRangeRequestSchema, {
    make: make.deleteRangeRequest,
    encode: wire.encodeDeleteRangeRequest,
    decode: wire.decodeDeleteRangeRequest,
    from: deleteFrom,
  }),
  headed(kvpb.DeleteRangeResponseSchema, {
    make: (prng, revision) => ({
      revision,
      deleted: make.int(prng),
      prevKvs: make.list(prng, make.pair),
    }),
    encode: wire.encodeDeleteRangeResponse,
    decode: wire.decodeDeleteRangeResponse,
    view: deleteView,
    from: deleteResponseFrom,
  }),
  row(kvpb.TxnRequestSchema, {
    make: (prng) => make.txnRequest(prng),
    encode: wire.encodeTxnRequest,
    decode: wire.decodeTxnRequest,
    from: txnFrom,
  }),
  headed(kvpb.TxnResponseSchema, {
    make: (prng, revision) => make.txnResponse(prng, revision),
    encode: wire.encodeTxnResponse,
    decode: wire.decodeTxnResponse,
    view: txnView,
    from: txnResponseFrom,
  }),
  row(kvpb.CompactionRequestSchema, {
    make: (prng) => ({ revision: make.int(prng), physical: make.bool(prng) }),
    encode: wire.encodeCompactionRequest,
    decode: wire.decodeCompactionRequest,
    from: (m) => ({ revision: number(m.revision), physical: m.physical }),
  }),
  row(kvpb.CompactionResponseSchema, {
    make: make.header,
    encode: wire.encodeCompactionResponse,
    decode: wire.decodeHeaderOf,
    from: (m) => headerFrom(m.header),
  }),
];

/* Watch */

function watchRequestFrom(m: watchpb.WatchRequest): wire.WatchRequest {
  const union = m.requestUnion;
  switch (union.case) {
    case "createRequest": {
      const known = union.value.filters.filter((filter) => filter === 0 || filter === 1);
      return {
        kind: "create",
        create: {
          key: key(union.value.key),
          rangeEnd: key(union.value.rangeEnd),
          startRevision: number(union.value.startRevision),
          progressNotify: union.value.progressNotify,
          filters: [...new Set<number>(known)],
          prevKv: union.value.prevKv,
          watchId: number(union.value.watchId),
          fragment: union.value.fragment,
        },
      };
    }
    case "cancelRequest":
      return { kind: "cancel", watchId: number(union.value.watchId) };
    case "progressRequest":
      return { kind: "progress" };
    default:
      return { kind: "none" };
  }
}

function makeWatchRequest(prng: Prng): wire.WatchRequest {
  switch (prng.below(5)) {
    case 0:
      return { kind: "cancel", watchId: make.int(prng) };
    case 1:
      return { kind: "progress" };
    case 2:
      return { kind: "none" };
    default:
      return {
        kind: "create",
        create: {
          key: make.key(prng),
          rangeEnd: make.key(prng),
          startRevision: make.int(prng),
          progressNotify: make.bool(prng),
          filters: prng.pick([[], [0], [1], [1, 0]]),
          prevKv: make.bool(prng),
          watchId: make.int(prng),
          fragment: make.bool(prng),
        },
      };
  }
}

function eventFrom(m: watchpb.WatchResponse["events"][number]): object {
  const type: number = m.type;
  if (type !== 0 && type !== 1) throw new MalformedError("event of an unknown type", 0);
  return {
    type: type === 0 ? "put" : "delete",
    kv: m.kv === undefined ? pair(Buffer.alloc(0)) : pairFrom(m.kv),
    prevKv: maybe(m.prevKv, pairFrom),
  };
}

const watchRows: Row[] = [
  row(watchpb.WatchRequestSchema, {
    make: makeWatchRequest,
    encode: wire.encodeWatchRequest,
    decode: wire.decodeWatchRequest,
    from: watchRequestFrom,
  }),
  row(watchpb.WatchResponseSchema, {
    make: (prng): wire.WatchResponse => ({
      header: make.header(prng),
      watchId: make.int(prng),
      created: make.bool(prng),
      canceled: make.bool(prng),
      compactRevision: make.int(prng),
      cancelReason: make.text(prng),
      fragment: make.bool(prng),
      events: make.list(prng, make.watchEvent),
    }),
    encode: wire.encodeWatchResponse,
    decode: wire.decodeWatchResponse,
    view: (r) => ({
      ...r,
      events: r.events.map((event) => ({
        type: event.type,
        kv: pair(event.kv),
        prevKv: maybe(event.prevKv, pair),
      })),
    }),
    from: (m) => ({
      header: headerFrom(m.header),
      watchId: number(m.watchId),
      created: m.created,
      canceled: m.canceled,
      compactRevision: number(m.compactRevision),
      cancelReason: m.cancelReason,
      fragment: m.fragment,
      events: m.events.map(eventFrom),
    }),
  }),
];

/* Lease and alarm */

const idOnly = (prng: Prng): { id: bigint } => ({ id: make.bigInt(prng) });
const idAndTtl = (prng: Prng): { id: bigint; ttlSeconds: number } => ({
  id: make.bigInt(prng),
  ttlSeconds: make.int(prng),
});

const leaseRows: Row[] = [
  row(leasepb.LeaseGrantRequestSchema, {
    make: idAndTtl,
    encode: wire.encodeLeaseGrantRequest,
    decode: wire.decodeLeaseGrantRequest,
    from: (m) => ({ ttlSeconds: number(m.TTL), id: m.ID }),
  }),
  headed(leasepb.LeaseGrantResponseSchema, {
    make: idAndTtl,
    encode: wire.encodeLeaseGrantResponse,
    decode: wire.decodeLeaseGrantResponse,
    from: (m) => ({ id: m.ID, ttlSeconds: number(m.TTL) }),
  }),
  row(leasepb.LeaseRevokeRequestSchema, {
    make: idOnly,
    encode: wire.encodeLeaseRevokeRequest,
    decode: wire.decodeLeaseRevokeRequest,
    from: (m) => ({ id: m.ID }),
  }),
  row(leasepb.LeaseRevokeResponseSchema, {
    make: make.header,
    encode: wire.encodeLeaseRevokeResponse,
    decode: wire.decodeHeaderOf,
    from: (m) => headerFrom(m.header),
  }),
  row(leasepb.LeaseKeepAliveRequestSchema, {
    make: idOnly,
    encode: wire.encodeLeaseKeepAliveRequest,
    decode: wire.decodeLeaseKeepAliveRequest,
    from: (m) => ({ id: m.ID }),
  }),
  headed(leasepb.LeaseKeepAliveResponseSchema, {
    make: idAndTtl,
    encode: wire.encodeLeaseKeepAliveResponse,
    decode: wire.decodeLeaseKeepAliveResponse,
    from: (m) => ({ id: m.ID, ttlSeconds: number(m.TTL) }),
  }),
  row(LeaseSchema, {
    make: (prng) => ({ ...idAndTtl(prng), remainingTtlSeconds: make.int(prng) }),
    encode: wire.encodeLeaseRecord,
    decode: wire.decodeLeaseRecord,
    from: (m) => ({
      id: m.ID,
      ttlSeconds: number(m.TTL),
      remainingTtlSeconds: number(m.RemainingTTL),
    }),
  }),
];

const makeAlarm = (prng: Prng): wire.AlarmMember => ({
  memberId: make.bigUint(prng),
  alarm: make.enumValue(prng),
});

const alarmRows: Row[] = [
  row(AlarmRequestSchema, {
    make: (prng) => ({ action: make.enumValue(prng), ...makeAlarm(prng) }),
    encode: wire.encodeAlarmRequest,
    decode: wire.decodeAlarmRequest,
    from: (m) => ({ action: m.action, memberId: m.memberID, alarm: m.alarm }),
  }),
  row(AlarmMemberSchema, {
    make: makeAlarm,
    encode: wire.encodeAlarmMember,
    decode: wire.decodeAlarmMember,
    from: (m) => ({ memberId: m.memberID, alarm: m.alarm }),
  }),
  headed(AlarmResponseSchema, {
    make: (prng) => make.list(prng, makeAlarm),
    encode: wire.encodeAlarmResponse,
    decode: wire.decodeAlarmResponse,
    from: (m) => m.alarms.map((alarm) => ({ memberId: alarm.memberID, alarm: alarm.alarm })),
  }),
];

/* Raft */

const entryFrom = (m: raftpb.Entry): wire.Entry => ({
  type: m.Type,
  term: number(m.Term),
  index: number(m.Index),
  data: buffer(m.Data),
});
const confStateFrom = (m: raftpb.ConfState | undefined): wire.ConfState => ({
  voters: [...(m?.voters ?? [])],
  learners: [...(m?.learners ?? [])],
  votersOutgoing: [...(m?.votersOutgoing ?? [])],
  learnersNext: [...(m?.learnersNext ?? [])],
  autoLeave: m?.autoLeave ?? false,
});
const metadataFrom = (m: raftpb.SnapshotMetadata | undefined): wire.SnapshotMetadata => ({
  confState: confStateFrom(m?.confState),
  index: number(m?.index ?? 0n),
  term: number(m?.term ?? 0n),
});
const snapshotFrom = (m: raftpb.Snapshot): wire.Snapshot => ({
  data: buffer(m.data),
  metadata: metadataFrom(m.metadata),
});

const raftRows: Row[] = [
  row(raftpb.EntrySchema, {
    make: make.entry,
    encode: wire.encodeEntry,
    decode: wire.decodeEntry,
    from: entryFrom,
  }),
  row(raftpb.HardStateSchema, {
    make: (prng) => ({
      term: make.uint(prng),
      vote: make.bigUint(prng),
      commit: make.uint(prng),
    }),
    encode: wire.encodeHardState,
    decode: wire.decodeHardState,
    from: (m) => ({ term: number(m.term), vote: m.vote, commit: number(m.commit) }),
  }),
  row(raftpb.ConfStateSchema, {
    make: make.confState,
    encode: wire.encodeConfState,
    decode: wire.decodeConfState,
    from: confStateFrom,
  }),
  row(raftpb.ConfChangeSchema, {
    make: (prng): wire.ConfChange => ({
      id: make.bigUint(prng),
      type: prng.below(4),
      nodeId: make.bigUint(prng),
      context: make.bytes(prng),
    }),
    encode: wire.encodeConfChange,
    decode: wire.decodeConfChange,
    from: (m) => ({ id: m.id, type: m.type, nodeId: m.nodeId, context: buffer(m.context) }),
  }),
  row(raftpb.ConfChangeV2Schema, {
    make: (prng): wire.ConfChangeV2 => ({
      transition: prng.below(3),
      changes: make.list(prng, () => ({ type: prng.below(4), nodeId: make.bigUint(prng) })),
      context: make.bytes(prng),
    }),
    encode: wire.encodeConfChangeV2,
    decode: wire.decodeConfChangeV2,
    from: (m) => ({
      transition: m.transition,
      changes: m.changes.map((change) => ({ type: change.type, nodeId: change.nodeId })),
      context: buffer(m.context),
    }),
  }),
  row(raftpb.SnapshotMetadataSchema, {
    make: (prng) => make.snapshot(prng).metadata,
    encode: wire.encodeSnapshotMetadata,
    decode: wire.decodeSnapshotMetadata,
    from: metadataFrom,
  }),
  row(raftpb.SnapshotSchema, {
    make: make.snapshot,
    encode: wire.encodeSnapshot,
    decode: wire.decodeSnapshot,
    from: snapshotFrom,
  }),
  row(raftpb.MessageSchema, {
    make: (prng): wire.Message => ({
      type: prng.below(24),
      to: make.bigUint(prng),
      from: make.bigUint(prng),
      term: make.uint(prng),
      logTerm: make.uint(prng),
      index: make.uint(prng),
      entries: make.list(prng, make.entry),
      commit: make.uint(prng),
      snapshot: make.bool(prng) ? make.snapshot(prng) : undefined,
      reject: make.bool(prng),
      rejectHint: make.uint(prng),
      context: make.bytes(prng),
      vote: make.bigUint(prng),
    }),
    // Responses never leave a member.
    omits: (fieldNumber) => fieldNumber === 14,
    encode: wire.encodeRaftMessage,
    decode: wire.decodeRaftMessage,
    from: (m) => ({
      type: m.type,
      to: m.to,
      from: m.from,
      term: number(m.term),
      logTerm: number(m.logTerm),
      index: number(m.index),
      entries: m.entries.map(entryFrom),
      commit: number(m.commit),
      snapshot: maybe(m.snapshot, snapshotFrom),
      reject: m.reject,
      rejectHint: number(m.rejectHint),
      context: buffer(m.context),
      vote: m.vote,
    }),
  }),
];

/* Proposals */

function makeOperation(prng: Prng): wire.RaftOperation {
  const operations: (() => wire.RaftOperation)[] = [
    () => ({ kind: "put", put: make.putRequest(prng) }),
    () => ({ kind: "range", range: make.rangeRequest(prng) }),
    () => ({ kind: "deleteRange", deleteRange: make.deleteRangeRequest(prng) }),
    () => ({ kind: "txn", txn: make.txnRequest(prng) }),
    () => ({
      kind: "compaction",
      compaction: { revision: make.int(prng), physical: make.bool(prng) },
    }),
    () => ({ kind: "leaseGrant", leaseGrant: idAndTtl(prng) }),
    () => ({ kind: "leaseRevoke", leaseRevoke: idOnly(prng) }),
    () => ({
      kind: "leaseCheckpoint",
      checkpoints: make.list(prng, () => ({
        id: make.bigInt(prng),
        remainingTtlSeconds: make.int(prng),
      })),
    }),
    () => ({ kind: "alarm", alarm: { action: make.enumValue(prng), ...makeAlarm(prng) } }),
    () => ({ kind: "clusterVersionSet", version: make.text(prng) }),
    () => ({
      kind: "memberAttributesSet",
      memberId: make.bigUint(prng),
      attributes: { name: make.text(prng), clientUrls: make.list(prng, make.text) },
    }),
    () => ({
      kind: "downgradeInfoSet",
      enabled: prng.chance(0.5),
      version: make.text(prng),
    }),
    // auth_enable, auth_status: messages without fields, so an empty one is the whole of it.
    () => ({ kind: "unknown", tag: prng.pick([1000, 1013]) }),
  ];
  return prng.pick(operations)();
}

/**
 * Null when several operations are set: the last one on the wire counts, which is not seen here.
 */
function operationFrom(m: InternalRaftRequest): wire.RaftOperation | null {
  const found: wire.RaftOperation[] = [];
  if (m.range) found.push({ kind: "range", range: rangeFrom(m.range) });
  if (m.put) found.push({ kind: "put", put: putFrom(m.put) });
  if (m.deleteRange) found.push({ kind: "deleteRange", deleteRange: deleteFrom(m.deleteRange) });
  if (m.txn) found.push({ kind: "txn", txn: txnFrom(m.txn) });
  if (m.compaction) {
    const { revision, physical } = m.compaction;
    found.push({ kind: "compaction", compaction: { revision: number(revision), physical } });
  }
  if (m.leaseGrant) {
    const leaseGrant = { ttlSeconds: number(m.leaseGrant.TTL), id: m.leaseGrant.ID };
    found.push({ kind: "leaseGrant", leaseGrant });
  }
  if (m.leaseRevoke) found.push({ kind: "leaseRevoke", leaseRevoke: { id: m.leaseRevoke.ID } });
  if (m.leaseCheckpoint) {
    const checkpoints = m.leaseCheckpoint.checkpoints.map((checkpoint) => ({
      id: checkpoint.ID,
      remainingTtlSeconds: number(checkpoint.remainingTTL),
    }));
    found.push({ kind: "leaseCheckpoint", checkpoints });
  }
  if (m.alarm) {
    const { action, memberID: memberId, alarm } = m.alarm;
    found.push({ kind: "alarm", alarm: { action, memberId, alarm } });
  }
  if (m.clusterVersionSet) {
    found.push({ kind: "clusterVersionSet", version: m.clusterVersionSet.ver });
  }
  if (m.clusterMemberAttrSet) {
    const { memberID, memberAttributes } = m.clusterMemberAttrSet;
    const attributes = {
      name: memberAttributes?.name ?? "",
      clientUrls: [...(memberAttributes?.clientUrls ?? [])],
    };
    found.push({ kind: "memberAttributesSet", memberId: memberID, attributes });
  }
  if (m.downgradeInfoSet) {
    const { enabled, ver } = m.downgradeInfoSet;
    found.push({ kind: "downgradeInfoSet", enabled, version: ver });
  }
  return found.length > 1 ? null : (found[0] ?? { kind: "unknown", tag: 0 });
}

const requestRow = row(InternalRaftRequestSchema, {
  make: (prng): wire.RaftRequest => ({
    header: {
      memberPrefix: prng.pick([0, 1, 0x7fff, 0x8000, 0xffff]),
      sequence: prng.pick([0, 1, 2 ** 31, 2 ** 32, 2 ** 48 - 1]),
      username: make.text(prng),
      authRevision: make.uint(prng),
    },
    operation: makeOperation(prng),
  }),
  // Operations that are not here yet.
  omits: (fieldNumber) => fieldNumber >= 1000 && (fieldNumber < 1300 || fieldNumber > 1302),
  encode: wire.encodeRaftRequest,
  decode: wire.decodeRaftRequest,
  // Which operation is unknown is for the decoder alone to say.
  view: ({ header, operation }) => ({
    header,
    operation: operation.kind === "unknown" ? { kind: "unknown", tag: 0 } : operation,
  }),
  from: (m) => {
    const id = m.ID !== 0n ? m.ID : (m.header?.ID ?? 0n);
    const operation = operationFrom(m);
    if (operation === null) return null;
    return {
      header: {
        memberPrefix: number(id >> 48n),
        sequence: number(id & 0xffff_ffff_ffffn),
        username: m.header?.username ?? "",
        authRevision: number(m.header?.authRevision ?? 0n),
      },
      operation,
    };
  },
});

const groups = [kvRows, watchRows, leaseRows, alarmRows, raftRows, [requestRow]];
export const ROWS: readonly Row[] = groups.flat();
