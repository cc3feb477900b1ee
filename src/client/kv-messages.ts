/** KV and Watch: from what users hand in to wire messages, and from wire bytes to what they get. */
import { latin1FromBytes, latin1FromText, type Key } from "../base/index.ts";
import {
  decodeDeleteRangeResponse,
  decodeHeaderOf,
  decodeKeyValue,
  decodePutResponse,
  decodeRangeResponse,
  decodeTxnResponse,
  type DeleteRangeRequest,
  type DeleteRangeResponse as WireDeleteResponse,
  type EncodedKeyValue,
  type PutRequest as WirePutRequest,
  type PutResponse as WirePutResponse,
  type RangeRequest,
  type RangeResponse as WireRangeResponse,
  type ResponseHeader,
  SortOrder,
  SortTarget,
  type TxnResponse as WireTxnResponse,
} from "../wire/index.ts";
import type {
  Bytes,
  DeleteRequest,
  DeleteResponse,
  GetRequest,
  HeaderResponse,
  KeySpan,
  KeyValue,
  PutRequest,
  PutResponse,
  RangeResponse,
  TxnResponse,
  TxnResult,
} from "./types.ts";

/** A key as rooms below hold it. */
export function keyOf(bytes: Bytes): Key {
  return typeof bytes === "string" ? latin1FromText(bytes) : latin1FromBytes(bytes);
}

/** A value as it is sent; text is copied, bytes are not. */
export function valueOf(bytes: Bytes): Buffer {
  if (typeof bytes === "string") return Buffer.from(bytes, "utf8");
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The smallest key that is above all keys with this prefix; "\0" (no end) when there is none. */
export function endOfPrefix(prefix: Key): Key {
  for (let at = prefix.length - 1; at >= 0; at -= 1) {
    const byte = prefix.charCodeAt(at);
    if (byte < 0xff) return prefix.slice(0, at) + String.fromCharCode(byte + 1);
  }
  return "\0";
}

/** `key` and `rangeEnd` on the wire, behind `namespace`. */
export interface WireSpan {
  readonly key: Key;
  readonly rangeEnd: Key;
}

export function spanOf(key: Bytes, span: KeySpan, namespace: Key): WireSpan {
  const chosen = [span.rangeEnd !== undefined, span.prefix === true, span.fromKey === true];
  if (chosen.filter(Boolean).length > 1) {
    throw new TypeError("rangeEnd, prefix and fromKey exclude each other: give one of them");
  }
  let start = keyOf(key);
  let end: Key = span.rangeEnd === undefined ? "" : keyOf(span.rangeEnd);
  if (span.prefix === true) end = start === "" ? "\0" : endOfPrefix(start);
  else if (span.fromKey === true) end = "\0";
  // An empty key with a range stands for the first key there is.
  if (start === "" && end !== "") start = namespace === "" ? "\0" : "";
  if (namespace === "") return { key: start, rangeEnd: end };
  if (end === "\0") end = endOfPrefix(namespace);
  else if (end !== "") end = namespace + end;
  return { key: namespace + start, rangeEnd: end };
}

const ORDERS = { none: SortOrder.NONE, ascend: SortOrder.ASCEND, descend: SortOrder.DESCEND };
const TARGETS = {
  key: SortTarget.KEY,
  version: SortTarget.VERSION,
  create: SortTarget.CREATE,
  mod: SortTarget.MOD,
  value: SortTarget.VALUE,
};

export function rangeRequestOf(key: Bytes, get: GetRequest, namespace: Key): RangeRequest {
  const span = spanOf(key, get, namespace);
  return {
    key: span.key,
    rangeEnd: span.rangeEnd,
    limit: get.limit ?? 0,
    revision: get.revision ?? 0,
    sortOrder: ORDERS[get.sortOrder ?? "none"],
    sortTarget: TARGETS[get.sortTarget ?? "key"],
    serializable: get.serializable ?? false,
    keysOnly: get.keysOnly ?? false,
    countOnly: get.countOnly ?? false,
    minModRevision: get.minModRevision ?? 0,
    maxModRevision: get.maxModRevision ?? 0,
    minCreateRevision: get.minCreateRevision ?? 0,
    maxCreateRevision: get.maxCreateRevision ?? 0,
  };
}

export function putRequestOf(
  key: Bytes,
  value: Bytes,
  put: PutRequest,
  namespace: Key,
): WirePutRequest {
  const inner = keyOf(key);
  return {
    // The server refuses an empty key; behind a namespace it would not.
    key: inner === "" ? "" : namespace + inner,
    value: valueOf(value),
    lease: put.lease ?? 0n,
    prevKv: put.prevKv ?? false,
    ignoreValue: put.ignoreValue ?? false,
    ignoreLease: put.ignoreLease ?? false,
  };
}

export function deleteRequestOf(
  key: Bytes,
  request: DeleteRequest,
  namespace: Key,
): DeleteRangeRequest {
  return { ...spanOf(key, request, namespace), prevKv: request.prevKv ?? false };
}

/* Responses */

/** `bytes` stays in use by the value. `strip` bytes of namespace are taken off the key. */
export function keyValueOf(bytes: EncodedKeyValue, strip = 0): KeyValue {
  const kv = decodeKeyValue(bytes);
  return {
    key: Buffer.from(strip === 0 ? kv.key : kv.key.slice(strip), "latin1"),
    createRevision: kv.createRevision,
    modRevision: kv.modRevision,
    version: kv.version,
    value: kv.value,
    lease: kv.lease,
  };
}

function optionalPair(bytes: EncodedKeyValue | undefined, strip: number): KeyValue | undefined {
  return bytes === undefined ? undefined : keyValueOf(bytes, strip);
}

function rangeOf(response: WireRangeResponse, header: ResponseHeader, strip: number) {
  const kvs = response.kvs.map((kv) => keyValueOf(kv, strip));
  return { header, kvs, more: response.more, count: response.count };
}

function putOf(response: WirePutResponse, header: ResponseHeader, strip: number): PutResponse {
  return { header, prevKv: optionalPair(response.prevKv, strip) };
}

function deleteOf(response: WireDeleteResponse, header: ResponseHeader, strip: number) {
  const prevKvs = response.prevKvs.map((kv) => keyValueOf(kv, strip));
  return { header, deleted: response.deleted, prevKvs };
}

/** What stands in a transaction's answers: the revision alone (FR-30). */
function innerHeader(revision: number): ResponseHeader {
  return { clusterId: 0n, memberId: 0n, revision, raftTerm: 0 };
}

function txnOf(response: WireTxnResponse, header: ResponseHeader, strip: number): TxnResponse {
  const responses = response.responses.map((op): TxnResult => {
    switch (op.kind) {
      case "range":
        return { kind: op.kind, range: rangeOf(op.range, innerHeader(op.range.revision), strip) };
      case "put":
        return { kind: op.kind, put: putOf(op.put, innerHeader(op.put.revision), strip) };
      case "deleteRange": {
        const inner = op.deleteRange;
        const deleteRange = deleteOf(inner, innerHeader(inner.revision), strip);
        return { kind: op.kind, deleteRange };
      }
      case "txn":
        return { kind: op.kind, txn: txnOf(op.txn, innerHeader(op.txn.revision), strip) };
    }
  });
  return { header, succeeded: response.succeeded, responses };
}

export function decodeRange(bytes: Buffer, strip: number): RangeResponse {
  return rangeOf(decodeRangeResponse(bytes), decodeHeaderOf(bytes), strip);
}

export function decodePut(bytes: Buffer, strip: number): PutResponse {
  return putOf(decodePutResponse(bytes), decodeHeaderOf(bytes), strip);
}

export function decodeDelete(bytes: Buffer, strip: number): DeleteResponse {
  return deleteOf(decodeDeleteRangeResponse(bytes), decodeHeaderOf(bytes), strip);
}

export function decodeTxn(bytes: Buffer, strip: number): TxnResponse {
  return txnOf(decodeTxnResponse(bytes), decodeHeaderOf(bytes), strip);
}

export function decodeHeaderAlone(bytes: Buffer): HeaderResponse {
  return { header: decodeHeaderOf(bytes) };
}
