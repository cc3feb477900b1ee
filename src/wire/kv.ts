/**
 * The KV service's messages but transactions (txn.ts).
 *
 * `encodeXResponse` is for a response of its own, with the whole header; `encodeInnerX` for one
 * inside a transaction, with the revision alone (FR-30). Pairs are written as they are stored.
 */
import { ByteReader, type ByteWriter } from "../base/index.ts";
import {
  EMPTY,
  fieldBig,
  fieldBool,
  fieldBytes,
  fieldInt,
  fieldLatin1,
  sizeFieldBig,
  sizeFieldBool,
  sizeFieldBytes,
} from "./fields.ts";
import { encodeHeaderField, readHeaderRevision } from "./header.ts";
import { decodeKeyValue } from "./key-value.ts";
import type {
  CompactionRequest,
  DeleteRangeRequest,
  DeleteRangeResponse,
  EncodedKeyValue,
  PutRequest,
  PutResponse,
  RangeRequest,
  ResponseHeader,
} from "./messages.ts";

/* RangeRequest */

export function emptyRangeRequest(): RangeRequest {
  return {
    key: "",
    rangeEnd: "",
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
  };
}

export function decodeRangeRequest(bytes: Buffer, lo = 0, hi = bytes.length): RangeRequest {
  const request = emptyRangeRequest();
  readRangeRequest(new ByteReader(bytes, lo, hi), request);
  return request;
}

export function readRangeRequest(reader: ByteReader, request: RangeRequest): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: // 1 key
        request.key = reader.latin1();
        break;
      case 18: // 2 range_end
        request.rangeEnd = reader.latin1();
        break;
      case 24: // 3 limit
        request.limit = reader.int();
        break;
      case 32: // 4 revision
        request.revision = reader.int();
        break;
      case 40: // 5 sort_order
        request.sortOrder = reader.int32();
        break;
      case 48: // 6 sort_target
        request.sortTarget = reader.int32();
        break;
      case 56: // 7 serializable
        request.serializable = reader.bool();
        break;
      case 64: // 8 keys_only
        request.keysOnly = reader.bool();
        break;
      case 72: // 9 count_only
        request.countOnly = reader.bool();
        break;
      case 80: // 10 min_mod_revision
        request.minModRevision = reader.int();
        break;
      case 88: // 11 max_mod_revision
        request.maxModRevision = reader.int();
        break;
      case 96: // 12 min_create_revision
        request.minCreateRevision = reader.int();
        break;
      case 104: // 13 max_create_revision
        request.maxCreateRevision = reader.int();
        break;
      default:
        reader.skip(tag);
    }
  }
}

export function encodeRangeRequest(writer: ByteWriter, request: RangeRequest): void {
  fieldLatin1(writer, 10, request.key); // 1
  fieldLatin1(writer, 18, request.rangeEnd); // 2
  fieldInt(writer, 24, request.limit); // 3
  fieldInt(writer, 32, request.revision); // 4
  fieldInt(writer, 40, request.sortOrder); // 5
  fieldInt(writer, 48, request.sortTarget); // 6
  fieldBool(writer, 56, request.serializable); // 7
  fieldBool(writer, 64, request.keysOnly); // 8
  fieldBool(writer, 72, request.countOnly); // 9
  fieldInt(writer, 80, request.minModRevision); // 10
  fieldInt(writer, 88, request.maxModRevision); // 11
  fieldInt(writer, 96, request.minCreateRevision); // 12
  fieldInt(writer, 104, request.maxCreateRevision); // 13
}

/* PutRequest */

export function emptyPutRequest(): PutRequest {
  return {
    key: "",
    value: EMPTY,
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  };
}

/** `value` is a view into `bytes`. */
export function decodePutRequest(bytes: Buffer, lo = 0, hi = bytes.length): PutRequest {
  const request = emptyPutRequest();
  readPutRequest(new ByteReader(bytes, lo, hi), request);
  return request;
}

export function readPutRequest(reader: ByteReader, request: PutRequest): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: // 1 key
        request.key = reader.latin1();
        break;
      case 18: // 2 value
        request.value = reader.bytes();
        break;
      case 24: // 3 lease
        request.lease = reader.bigInt();
        break;
      case 32: // 4 prev_kv
        request.prevKv = reader.bool();
        break;
      case 40: // 5 ignore_value
        request.ignoreValue = reader.bool();
        break;
      case 48: // 6 ignore_lease
        request.ignoreLease = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
}

export function encodePutRequest(writer: ByteWriter, request: PutRequest): void {
  fieldLatin1(writer, 10, request.key); // 1
  fieldBytes(writer, 18, request.value); // 2
  fieldBig(writer, 24, request.lease); // 3
  fieldBool(writer, 32, request.prevKv); // 4
  fieldBool(writer, 40, request.ignoreValue); // 5
  fieldBool(writer, 48, request.ignoreLease); // 6
}

export function sizePutRequest(request: PutRequest): number {
  return (
    sizeFieldBytes(request.key.length) +
    sizeFieldBytes(request.value.length) +
    sizeFieldBig(request.lease) +
    sizeFieldBool(request.prevKv) +
    sizeFieldBool(request.ignoreValue) +
    sizeFieldBool(request.ignoreLease)
  );
}

/* PutResponse */

export function encodePutResponse(
  writer: ByteWriter,
  header: ResponseHeader,
  response: PutResponse,
): void {
  encodeHeaderField(writer, header); // 1
  encodePairField(writer, 18, response.prevKv); // 2
}

/** `revision` is the header's. */
export function decodePutResponse(bytes: Buffer, lo = 0, hi = bytes.length): PutResponse {
  const response: PutResponse = { revision: 0, prevKv: undefined };
  readPutResponse(new ByteReader(bytes, lo, hi), response);
  return response;
}

export function readPutResponse(reader: ByteReader, response: PutResponse): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 10) response.revision = readHeaderRevision(reader, response.revision);
    else if (tag === 18) response.prevKv = mergePair(response.prevKv, reader.bytes());
    else reader.skip(tag);
  }
}

/* DeleteRangeRequest */

export function emptyDeleteRangeRequest(): DeleteRangeRequest {
  return { key: "", rangeEnd: "", prevKv: false };
}

export function decodeDeleteRangeRequest(
  bytes: Buffer,
  lo = 0,
  hi = bytes.length,
): DeleteRangeRequest {
  const request = emptyDeleteRangeRequest();
  readDeleteRangeRequest(new ByteReader(bytes, lo, hi), request);
  return request;
}

export function readDeleteRangeRequest(reader: ByteReader, request: DeleteRangeRequest): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 10) request.key = reader.latin1();
    else if (tag === 18) request.rangeEnd = reader.latin1();
    else if (tag === 24) request.prevKv = reader.bool();
    else reader.skip(tag);
  }
}

export function encodeDeleteRangeRequest(writer: ByteWriter, request: DeleteRangeRequest): void {
  fieldLatin1(writer, 10, request.key); // 1
  fieldLatin1(writer, 18, request.rangeEnd); // 2
  fieldBool(writer, 24, request.prevKv); // 3
}

/* DeleteRangeResponse */

export function encodeDeleteRangeResponse(
  writer: ByteWriter,
  header: ResponseHeader,
  response: DeleteRangeResponse,
): void {
  encodeHeaderField(writer, header); // 1
  fieldInt(writer, 16, response.deleted); // 2
  for (const kv of response.prevKvs) encodePairField(writer, 26, kv); // 3
}

/** `revision` is the header's; the pairs are views into `bytes`. */
export function decodeDeleteRangeResponse(
  bytes: Buffer,
  lo = 0,
  hi = bytes.length,
): DeleteRangeResponse {
  const response: DeleteRangeResponse = { revision: 0, deleted: 0, prevKvs: [] };
  readDeleteRangeResponse(new ByteReader(bytes, lo, hi), response);
  return response;
}

export function readDeleteRangeResponse(reader: ByteReader, response: DeleteRangeResponse): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 10) response.revision = readHeaderRevision(reader, response.revision);
    else if (tag === 16) response.deleted = reader.int();
    else if (tag === 26) response.prevKvs.push(reader.bytes());
    else reader.skip(tag);
  }
}

/* Compaction */

export function decodeCompactionRequest(
  bytes: Buffer,
  lo = 0,
  hi = bytes.length,
): CompactionRequest {
  const request: CompactionRequest = { revision: 0, physical: false };
  readCompactionRequest(new ByteReader(bytes, lo, hi), request);
  return request;
}

export function readCompactionRequest(reader: ByteReader, request: CompactionRequest): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 8) request.revision = reader.int();
    else if (tag === 16) request.physical = reader.bool();
    else reader.skip(tag);
  }
}

export function encodeCompactionRequest(writer: ByteWriter, request: CompactionRequest): void {
  fieldInt(writer, 8, request.revision); // 1
  fieldBool(writer, 16, request.physical); // 2
}

export function encodeCompactionResponse(writer: ByteWriter, header: ResponseHeader): void {
  encodeHeaderField(writer, header); // 1
}

/* Shared with range.ts and txn.ts */

/** A pair as a field; nothing when there is none. An empty pair that is there keeps its tag. */
export function encodePairField(
  writer: ByteWriter,
  tag: number,
  kv: EncodedKeyValue | undefined,
): void {
  if (kv === undefined) return;
  writer.byte(tag);
  writer.bytes(kv);
}

/** A singular message that is sent twice is merged; of encoded messages that is their sequence. */
export function mergePair(before: EncodedKeyValue | undefined, next: Buffer): EncodedKeyValue {
  if (before === undefined) return next;
  // Each has to be whole by itself: the start of one must not complete the end of the other.
  decodeKeyValue(before);
  return Buffer.concat([before, next]);
}
