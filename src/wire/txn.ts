/**
 * Transactions: the only messages that nest in themselves.
 *
 * A client decides how deep and how many, so both are bounded while decoding: TXN_DEPTH_MAX levels
 * keep the stack small, TXN_ITEMS_MAX compares and operations in one message keep its objects in
 * proportion to a request's size. Both lie far beyond what any limit on operations (TX-02) lets
 * pass, so what such a limit refuses is still refused with its own error.
 */
import { ByteReader, type ByteWriter, MalformedError, sizeOfUint } from "../base/index.ts";
import { fieldBool, fieldInt, fieldLatin1, sizeFieldInt } from "./fields.ts";
import {
  encodeHeaderField,
  encodeInnerHeaderField,
  readHeaderRevision,
  sizeInnerHeaderField,
} from "./header.ts";
import {
  emptyDeleteRangeRequest,
  emptyPutRequest,
  emptyRangeRequest,
  encodeDeleteRangeRequest,
  encodePairField,
  encodePutRequest,
  encodeRangeRequest,
  readDeleteRangeRequest,
  readDeleteRangeResponse,
  readPutRequest,
  readPutResponse,
  readRangeRequest,
  sizePutRequest,
} from "./kv.ts";
import type {
  Compare,
  RequestOp,
  ResponseHeader,
  ResponseOp,
  TxnRequest,
  TxnResponse,
} from "./messages.ts";
import {
  encodeInnerRangeResponse,
  readRangeResponse,
  sizeFramedPair,
  sizeInnerRangeResponse,
} from "./range-response.ts";

const TXN_DEPTH_MAX = 256;
const TXN_ITEMS_MAX = 262_144;

interface Budget {
  items: number;
}

/** Values are views into `bytes`. */
export function decodeTxnRequest(bytes: Buffer, lo = 0, hi = bytes.length): TxnRequest {
  const request = emptyTxnRequest();
  readTxnRequest(new ByteReader(bytes, lo, hi), request);
  return request;
}

export function emptyTxnRequest(): TxnRequest {
  return { compare: [], success: [], failure: [] };
}

export function readTxnRequest(reader: ByteReader, request: TxnRequest): void {
  readTxnLevel(reader, request, { items: TXN_ITEMS_MAX }, 1);
}

function readTxnLevel(
  reader: ByteReader,
  request: TxnRequest,
  budget: Budget,
  depth: number,
): void {
  if (depth > TXN_DEPTH_MAX) throw new MalformedError("transactions nest too deep", reader.pos);
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag !== 10 && tag !== 18 && tag !== 26) {
      reader.skip(tag);
      continue;
    }
    budget.items -= 1;
    if (budget.items < 0) throw new MalformedError("transaction of too many parts", reader.pos);
    const outer = reader.enter();
    if (tag === 10)
      request.compare.push(readCompare(reader)); // 1
    else if (tag === 18)
      request.success.push(readRequestOp(reader, budget, depth)); // 2
    else request.failure.push(readRequestOp(reader, budget, depth)); // 3
    reader.leave(outer);
  }
}

function readCompare(reader: ByteReader): Compare {
  const compare: Compare = { result: 0, target: 0, key: "", rangeEnd: "", operand: undefined };
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8: // 1 result
        compare.result = reader.int32();
        break;
      case 16: // 2 target
        compare.target = reader.int32();
        break;
      case 26: // 3 key
        compare.key = reader.latin1();
        break;
      case 32: // 4 version
        compare.operand = { kind: "version", value: reader.int() };
        break;
      case 40: // 5 create_revision
        compare.operand = { kind: "createRevision", value: reader.int() };
        break;
      case 48: // 6 mod_revision
        compare.operand = { kind: "modRevision", value: reader.int() };
        break;
      case 58: // 7 value
        compare.operand = { kind: "value", value: reader.bytes() };
        break;
      case 64: // 8 lease
        compare.operand = { kind: "lease", value: reader.bigInt() };
        break;
      case 514: // 64 range_end
        compare.rangeEnd = reader.latin1();
        break;
      default:
        reader.skip(tag);
    }
  }
  return compare;
}

function readRequestOp(reader: ByteReader, budget: Budget, depth: number): RequestOp {
  let op: RequestOp = { kind: "none" };
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag !== 10 && tag !== 18 && tag !== 26 && tag !== 34) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    if (tag === 10) {
      if (op.kind !== "range") op = { kind: "range", range: emptyRangeRequest() };
      readRangeRequest(reader, op.range);
    } else if (tag === 18) {
      if (op.kind !== "put") op = { kind: "put", put: emptyPutRequest() };
      readPutRequest(reader, op.put);
    } else if (tag === 26) {
      if (op.kind !== "deleteRange") {
        op = { kind: "deleteRange", deleteRange: emptyDeleteRangeRequest() };
      }
      readDeleteRangeRequest(reader, op.deleteRange);
    } else {
      if (op.kind !== "txn") op = { kind: "txn", txn: emptyTxnRequest() };
      readTxnLevel(reader, op.txn, budget, depth + 1);
    }
    reader.leave(outer);
  }
  return op;
}

export function encodeTxnRequest(writer: ByteWriter, request: TxnRequest): void {
  for (const compare of request.compare) {
    writer.byte(10); // 1
    const mark = writer.beginMessage();
    encodeCompare(writer, compare);
    writer.endMessage(mark);
  }
  for (const op of request.success) {
    writer.byte(18); // 2
    encodeRequestOp(writer, op);
  }
  for (const op of request.failure) {
    writer.byte(26); // 3
    encodeRequestOp(writer, op);
  }
}

function encodeCompare(writer: ByteWriter, compare: Compare): void {
  fieldInt(writer, 8, compare.result); // 1
  fieldInt(writer, 16, compare.target); // 2
  fieldLatin1(writer, 26, compare.key); // 3
  const operand = compare.operand;
  // A member of a oneof is written even when it is zero: that it is there says which it is.
  switch (operand?.kind) {
    case "version":
      writer.byte(32); // 4
      writer.int(operand.value);
      break;
    case "createRevision":
      writer.byte(40); // 5
      writer.int(operand.value);
      break;
    case "modRevision":
      writer.byte(48); // 6
      writer.int(operand.value);
      break;
    case "value":
      writer.byte(58); // 7
      writer.bytes(operand.value);
      break;
    case "lease":
      writer.byte(64); // 8
      writer.big(operand.value);
      break;
    case undefined:
      break;
  }
  fieldLatin1(writer, 514, compare.rangeEnd); // 64
}

/** Length and body of a RequestOp. */
function encodeRequestOp(writer: ByteWriter, op: RequestOp): void {
  if (op.kind === "put") {
    // The only one that is often large: sized, so that its value is written once.
    const size = sizePutRequest(op.put);
    writer.uint(1 + sizeOfUint(size) + size);
    writer.byte(18); // 2
    writer.uint(size);
    encodePutRequest(writer, op.put);
    return;
  }
  const mark = writer.beginMessage();
  if (op.kind !== "none") {
    writer.byte(op.kind === "range" ? 10 : op.kind === "deleteRange" ? 26 : 34);
    const body = writer.beginMessage();
    if (op.kind === "range")
      encodeRangeRequest(writer, op.range); // 1
    else if (op.kind === "deleteRange")
      encodeDeleteRangeRequest(writer, op.deleteRange); // 3
    else encodeTxnRequest(writer, op.txn); // 4
    writer.endMessage(body);
  }
  writer.endMessage(mark);
}

/* TxnResponse */

export function encodeTxnResponse(
  writer: ByteWriter,
  header: ResponseHeader,
  response: TxnResponse,
): void {
  encodeHeaderField(writer, header); // 1
  encodeTxnResponseBody(writer, response);
}

function encodeTxnResponseBody(writer: ByteWriter, response: TxnResponse): void {
  fieldBool(writer, 16, response.succeeded); // 2
  for (const op of response.responses) {
    const inner = sizeInner(op);
    writer.byte(26); // 3
    writer.uint(1 + sizeOfUint(inner) + inner);
    encodeResponseOp(writer, op, inner);
  }
}

function encodeResponseOp(writer: ByteWriter, op: ResponseOp, size: number): void {
  switch (op.kind) {
    case "range":
      writer.byte(10); // 1
      writer.uint(size);
      encodeInnerRangeResponse(writer, op.range);
      break;
    case "put":
      writer.byte(18); // 2
      writer.uint(size);
      encodeInnerHeaderField(writer, op.put.revision);
      encodePairField(writer, 18, op.put.prevKv);
      break;
    case "deleteRange":
      writer.byte(26); // 3
      writer.uint(size);
      encodeInnerHeaderField(writer, op.deleteRange.revision);
      fieldInt(writer, 16, op.deleteRange.deleted);
      for (const kv of op.deleteRange.prevKvs) encodePairField(writer, 26, kv);
      break;
    case "txn":
      writer.byte(34); // 4
      writer.uint(size);
      encodeInnerHeaderField(writer, op.txn.revision);
      encodeTxnResponseBody(writer, op.txn);
      break;
  }
}

function sizeInner(op: ResponseOp): number {
  switch (op.kind) {
    case "range":
      return sizeInnerRangeResponse(op.range);
    case "put": {
      const pair = op.put.prevKv;
      const pairBytes = pair === undefined ? 0 : sizeFramedPair(pair.length);
      return sizeInnerHeaderField(op.put.revision) + pairBytes;
    }
    case "deleteRange": {
      let size =
        sizeInnerHeaderField(op.deleteRange.revision) + sizeFieldInt(op.deleteRange.deleted);
      for (const kv of op.deleteRange.prevKvs) size += sizeFramedPair(kv.length);
      return size;
    }
    case "txn": {
      let size = sizeInnerHeaderField(op.txn.revision) + (op.txn.succeeded ? 2 : 0);
      for (const response of op.txn.responses) {
        const inner = sizeInner(response);
        const framed = 1 + sizeOfUint(inner) + inner;
        size += 1 + sizeOfUint(framed) + framed;
      }
      return size;
    }
  }
}

/** Bytes that `encodeTxnResponse` writes behind the header. */
export function sizeTxnResponseBody(response: TxnResponse): number {
  return sizeInner({ kind: "txn", txn: response }) - sizeInnerHeaderField(response.revision);
}

/** `revision` is the header's; pairs are views into `bytes`. */
export function decodeTxnResponse(bytes: Buffer, lo = 0, hi = bytes.length): TxnResponse {
  const response = emptyTxnResponse();
  readTxnResponse(new ByteReader(bytes, lo, hi), response, 1);
  return response;
}

function emptyTxnResponse(): TxnResponse {
  return { revision: 0, succeeded: false, responses: [] };
}

function readTxnResponse(reader: ByteReader, response: TxnResponse, depth: number): void {
  if (depth > TXN_DEPTH_MAX) throw new MalformedError("transactions nest too deep", reader.pos);
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 10) response.revision = readHeaderRevision(reader, response.revision);
    else if (tag === 16) response.succeeded = reader.bool();
    else if (tag === 26) {
      const outer = reader.enter();
      response.responses.push(readResponseOp(reader, depth));
      reader.leave(outer);
    } else reader.skip(tag);
  }
}

function readResponseOp(reader: ByteReader, depth: number): ResponseOp {
  let op: ResponseOp | undefined;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag !== 10 && tag !== 18 && tag !== 26 && tag !== 34) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    if (tag === 10) {
      if (op?.kind !== "range") {
        op = { kind: "range", range: { revision: 0, kvs: [], more: false, count: 0 } };
      }
      readRangeResponse(reader, op.range);
    } else if (tag === 18) {
      if (op?.kind !== "put") op = { kind: "put", put: { revision: 0, prevKv: undefined } };
      readPutResponse(reader, op.put);
    } else if (tag === 26) {
      if (op?.kind !== "deleteRange") {
        op = { kind: "deleteRange", deleteRange: { revision: 0, deleted: 0, prevKvs: [] } };
      }
      readDeleteRangeResponse(reader, op.deleteRange);
    } else {
      if (op?.kind !== "txn") op = { kind: "txn", txn: emptyTxnResponse() };
      readTxnResponse(reader, op.txn, depth + 1);
    }
    reader.leave(outer);
  }
  // Leaving it out would pair the answers behind it with the wrong operations.
  if (op === undefined) throw new MalformedError("response without an operation", reader.pos);
  return op;
}
