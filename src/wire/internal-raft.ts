/**
 * InternalRaftRequest: a proposal, as the data of a normal log entry (surface 16.1).
 *
 * etcd writes the fields in order of their numbers, so an operation below 100 stands before the
 * header and one above it behind. A request has one operation; where a hostile log holds several,
 * the last one counts. What this version does not know is named, and never lost from sight: it
 * is the same refusal on every member. Fields beside a known operation are room for additions and
 * are passed over.
 */
import { ByteReader, type ByteWriter, MalformedError } from "../base/index.ts";
import { encodeAlarmRequest, readAlarmRequest } from "./alarm.ts";
import { fieldBig, fieldBool, fieldUint, fieldUtf8 } from "./fields.ts";
import {
  emptyDeleteRangeRequest,
  emptyPutRequest,
  emptyRangeRequest,
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodePutRequest,
  encodeRangeRequest,
  readCompactionRequest,
  readDeleteRangeRequest,
  readPutRequest,
  readRangeRequest,
  sizePutRequest,
} from "./kv.ts";
import {
  encodeLeaseCheckpoints,
  encodeLeaseGrantRequest,
  encodeLeaseRevokeRequest,
  readLeaseCheckpoints,
  readLeaseGrantRequest,
  readLeaseId,
} from "./lease.ts";
import { marshal } from "./marshal.ts";
import type {
  MemberAttributes,
  PutRequest,
  RaftOperation,
  RaftRequest,
  RaftRequestHeader,
} from "./messages.ts";
import { emptyTxnRequest, encodeTxnRequest, readTxnRequest } from "./txn.ts";

const TWO_32 = 0x1_0000_0000;
const INCARNATION_TAG = 100 * 8 + 2;
const HEADER_FIELD = 100;

/** Field numbers of the operations. */
const FIELD_OF = {
  range: 3,
  put: 4,
  deleteRange: 5,
  txn: 6,
  compaction: 7,
  leaseGrant: 8,
  leaseRevoke: 9,
  alarm: 10,
  leaseCheckpoint: 11,
  clusterVersionSet: 1300,
  memberAttributesSet: 1301,
  downgradeInfoSet: 1302,
} as const;

/**
 * One of these as anything but a message is malformed, as it is to etcd: that is how a request of
 * the v2 store, in a log of etcd 3.4, is known to be none of these (RA-14).
 */
const OPERATION_FIELDS: ReadonlySet<number> = new Set(Object.values(FIELD_OF));

/** The bytes of an entry's data; owned by the caller. */
export function marshalRaftRequest(request: RaftRequest): Buffer {
  return marshal(encodeRaftRequest, request);
}

export function encodeRaftRequest(writer: ByteWriter, request: RaftRequest): void {
  const operation = request.operation;
  if (operation.kind === "put") {
    encodePutOperation(writer, operation.put);
    encodeHeaderField(writer, request.header);
    return;
  }
  const field = operation.kind === "unknown" ? operation.tag : FIELD_OF[operation.kind];
  if (field > HEADER_FIELD) encodeHeaderField(writer, request.header);
  if (field > 0) {
    writer.uint(field * 8 + 2);
    const mark = writer.beginMessage();
    encodeOperation(writer, operation);
    writer.endMessage(mark);
  }
  if (field <= HEADER_FIELD) encodeHeaderField(writer, request.header);
}

function encodePutOperation(writer: ByteWriter, put: PutRequest): void {
  const size = sizePutRequest(put);
  writer.byte(34); // 4
  writer.uint(size);
  encodePutRequest(writer, put);
}

function encodeOperation(writer: ByteWriter, operation: RaftOperation): void {
  switch (operation.kind) {
    case "put":
      encodePutRequest(writer, operation.put);
      return;
    case "range":
      encodeRangeRequest(writer, operation.range);
      return;
    case "deleteRange":
      encodeDeleteRangeRequest(writer, operation.deleteRange);
      return;
    case "txn":
      encodeTxnRequest(writer, operation.txn);
      return;
    case "compaction":
      encodeCompactionRequest(writer, operation.compaction);
      return;
    case "leaseGrant":
      encodeLeaseGrantRequest(writer, operation.leaseGrant);
      return;
    case "leaseRevoke":
      encodeLeaseRevokeRequest(writer, operation.leaseRevoke);
      return;
    case "alarm":
      encodeAlarmRequest(writer, operation.alarm);
      return;
    case "leaseCheckpoint":
      encodeLeaseCheckpoints(writer, operation.checkpoints);
      return;
    case "clusterVersionSet":
      fieldUtf8(writer, 10, operation.version); // 1 ver
      if (operation.incarnation === undefined) return;
      writer.uint(INCARNATION_TAG); // 100, not etcd's
      writer.utf8(operation.incarnation);
      return;
    case "memberAttributesSet":
      encodeMemberAttributesSet(writer, operation.memberId, operation.attributes);
      return;
    case "downgradeInfoSet":
      fieldBool(writer, 8, operation.enabled); // 1 enabled
      fieldUtf8(writer, 18, operation.version); // 2 ver
      return;
    case "unknown":
      return;
  }
}

function encodeMemberAttributesSet(
  writer: ByteWriter,
  memberId: bigint,
  attributes: MemberAttributes,
): void {
  fieldBig(writer, 8, memberId); // 1 member_ID
  writer.byte(18); // 2 member_attributes
  const mark = writer.beginMessage();
  fieldUtf8(writer, 10, attributes.name); // 1 name
  for (const url of attributes.clientUrls) {
    writer.byte(18); // 2 client_urls
    writer.utf8(url);
  }
  writer.endMessage(mark);
}

/** Tag 100 with ID 1, username 2, auth_revision 3. */
function encodeHeaderField(writer: ByteWriter, header: RaftRequestHeader): void {
  writer.uint(HEADER_FIELD * 8 + 2);
  const mark = writer.beginMessage();
  const hi = (header.memberPrefix << 16) | ((header.sequence / TWO_32) & 0xffff);
  const lo = header.sequence | 0;
  if ((lo | hi) !== 0) {
    writer.byte(8);
    writer.varint64(lo, hi);
  }
  fieldUtf8(writer, 18, header.username);
  fieldUint(writer, 24, header.authRevision);
  writer.endMessage(mark);
}

/**
 * Values are views into `bytes`. Throws MalformedError and nothing else; what to do with an entry
 * that does is the same on every member, since all hold the same bytes.
 */
export function decodeRaftRequest(bytes: Buffer, lo = 0, hi = bytes.length): RaftRequest {
  const reader = new ByteReader(bytes, lo, hi);
  const header: RaftRequestHeader = {
    memberPrefix: 0,
    sequence: 0,
    username: "",
    authRevision: 0,
  };
  let operation: RaftOperation = { kind: "unknown", tag: 0 };
  let oldIdLo = 0;
  let oldIdHi = 0;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if ((tag & 7) === 2) {
      const outer = reader.enter();
      if (tag === HEADER_FIELD * 8 + 2) readHeader(reader, header);
      else operation = readOperation(reader, tag >>> 3, operation);
      reader.leave(outer);
    } else if (tag === 8) {
      // 1 ID: etcd before 3.0; it counts when it is not zero.
      reader.varint();
      oldIdLo = reader.lo;
      oldIdHi = reader.hi;
    } else if (OPERATION_FIELDS.has(tag >>> 3)) {
      throw new MalformedError("an operation that is no message", reader.pos);
    } else {
      reader.skip(tag);
    }
  }
  if ((oldIdLo | oldIdHi) !== 0) setId(header, oldIdLo, oldIdHi);
  return { header, operation };
}

/**
 * The header alone, into `header`: what stands before it is passed over undecoded. False when the
 * bytes are no request.
 */
export function readRaftRequestHeader(bytes: Buffer, header: RaftRequestHeader): boolean {
  const reader = new ByteReader(bytes, 0, bytes.length);
  header.memberPrefix = 0;
  header.sequence = 0;
  try {
    while (reader.pos < reader.end) {
      const tag = reader.tag();
      if (tag === HEADER_FIELD * 8 + 2) {
        reader.enter();
        readHeader(reader, header);
        return true;
      }
      reader.skip(tag);
    }
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
  }
  return false;
}

function readHeader(reader: ByteReader, header: RaftRequestHeader): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 8) {
      reader.varint();
      setId(header, reader.lo, reader.hi);
    } else if (tag === 18) header.username = reader.utf8();
    else if (tag === 24) header.authRevision = reader.uint();
    else reader.skip(tag);
  }
}

function setId(header: RaftRequestHeader, lo: number, hi: number): void {
  header.memberPrefix = hi >>> 16;
  header.sequence = (hi & 0xffff) * TWO_32 + (lo >>> 0);
}

/** Reads one operation; into `before` when that is of the same kind (protobuf merges). */
function readOperation(reader: ByteReader, field: number, before: RaftOperation): RaftOperation {
  switch (field) {
    case FIELD_OF.put: {
      const put = before.kind === "put" ? before.put : emptyPutRequest();
      readPutRequest(reader, put);
      return { kind: "put", put };
    }
    case FIELD_OF.txn: {
      const txn = before.kind === "txn" ? before.txn : emptyTxnRequest();
      readTxnRequest(reader, txn);
      return { kind: "txn", txn };
    }
    case FIELD_OF.deleteRange: {
      const deleteRange =
        before.kind === "deleteRange" ? before.deleteRange : emptyDeleteRangeRequest();
      readDeleteRangeRequest(reader, deleteRange);
      return { kind: "deleteRange", deleteRange };
    }
    case FIELD_OF.range: {
      const range = before.kind === "range" ? before.range : emptyRangeRequest();
      readRangeRequest(reader, range);
      return { kind: "range", range };
    }
    default:
      return readRareOperation(reader, field, before);
  }
}

function readRareOperation(
  reader: ByteReader,
  field: number,
  before: RaftOperation,
): RaftOperation {
  switch (field) {
    case FIELD_OF.compaction: {
      const compaction =
        before.kind === "compaction" ? before.compaction : { revision: 0, physical: false };
      readCompactionRequest(reader, compaction);
      return { kind: "compaction", compaction };
    }
    case FIELD_OF.leaseGrant: {
      const leaseGrant =
        before.kind === "leaseGrant" ? before.leaseGrant : { ttlSeconds: 0, id: 0n };
      readLeaseGrantRequest(reader, leaseGrant);
      return { kind: "leaseGrant", leaseGrant };
    }
    case FIELD_OF.leaseRevoke: {
      const leaseRevoke = before.kind === "leaseRevoke" ? before.leaseRevoke : { id: 0n };
      readLeaseId(reader, leaseRevoke);
      return { kind: "leaseRevoke", leaseRevoke };
    }
    case FIELD_OF.alarm: {
      const alarm = before.kind === "alarm" ? before.alarm : { action: 0, memberId: 0n, alarm: 0 };
      readAlarmRequest(reader, alarm);
      return { kind: "alarm", alarm };
    }
    case FIELD_OF.leaseCheckpoint: {
      const checkpoints = before.kind === "leaseCheckpoint" ? before.checkpoints : [];
      readLeaseCheckpoints(reader, checkpoints);
      return { kind: "leaseCheckpoint", checkpoints };
    }
    case FIELD_OF.clusterVersionSet: {
      const set: RaftOperation & { kind: "clusterVersionSet" } =
        before.kind === "clusterVersionSet" ? before : { kind: "clusterVersionSet", version: "" };
      readClusterVersionSet(reader, set);
      return set;
    }
    case FIELD_OF.memberAttributesSet: {
      const set: RaftOperation & { kind: "memberAttributesSet" } =
        before.kind === "memberAttributesSet"
          ? before
          : {
              kind: "memberAttributesSet",
              memberId: 0n,
              attributes: { name: "", clientUrls: [] },
            };
      readMemberAttributesSet(reader, set);
      return set;
    }
    case FIELD_OF.downgradeInfoSet: {
      const set: RaftOperation & { kind: "downgradeInfoSet" } =
        before.kind === "downgradeInfoSet"
          ? before
          : { kind: "downgradeInfoSet", enabled: false, version: "" };
      readDowngradeInfoSet(reader, set);
      return set;
    }
    default:
      return before.kind === "unknown" ? { kind: "unknown", tag: field } : before;
  }
}

function readClusterVersionSet(
  reader: ByteReader,
  set: { version: string; incarnation?: string },
): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 10) set.version = reader.utf8();
    else if (tag === INCARNATION_TAG) set.incarnation = reader.utf8();
    else reader.skip(tag);
  }
}

function readDowngradeInfoSet(
  reader: ByteReader,
  set: { enabled: boolean; version: string },
): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 8) set.enabled = reader.bool();
    else if (tag === 18) set.version = reader.utf8();
    else reader.skip(tag);
  }
}

function readMemberAttributesSet(
  reader: ByteReader,
  set: { memberId: bigint; attributes: MemberAttributes },
): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 8) {
      set.memberId = reader.bigUint();
    } else if (tag === 18) {
      const outer = reader.enter();
      while (reader.pos < reader.end) {
        const inner = reader.tag();
        if (inner === 10) set.attributes.name = reader.utf8();
        else if (inner === 18) set.attributes.clientUrls.push(reader.utf8());
        else reader.skip(inner);
      }
      reader.leave(outer);
    } else {
      reader.skip(tag);
    }
  }
}
