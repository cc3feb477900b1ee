/** Answers of the KV service as the messages that they came in. */
import type {
  DeleteResponse,
  KeyValue,
  PutResponse,
  RangeResponse,
  TxnResponse,
  TxnResult,
} from "../../client/index.ts";
import { ByteWriter, latin1FromBytes } from "../../base/index.ts";
import {
  type EncodedKeyValue,
  encodeDeleteRangeResponse,
  encodeKeyValue,
  encodePutResponse,
  encodeRangeResponse,
  encodeTxnResponse,
  marshal,
  type ResponseOp,
  type TxnResponse as WireTxnResponse,
} from "../../wire/index.ts";

export function keyValueProto(kv: KeyValue): EncodedKeyValue {
  return marshal(encodeKeyValue, { ...kv, key: latin1FromBytes(kv.key) });
}

export function rangeProto(answer: RangeResponse): Buffer {
  const writer = new ByteWriter();
  encodeRangeResponse(writer, answer.header, wireRange(answer));
  return writer.take();
}

export function putProto(answer: PutResponse): Buffer {
  const writer = new ByteWriter();
  encodePutResponse(writer, answer.header, wirePut(answer));
  return writer.take();
}

export function deleteProto(answer: DeleteResponse): Buffer {
  const writer = new ByteWriter();
  encodeDeleteRangeResponse(writer, answer.header, wireDelete(answer));
  return writer.take();
}

export function txnProto(answer: TxnResponse): Buffer {
  const writer = new ByteWriter();
  encodeTxnResponse(writer, answer.header, wireTxn(answer));
  return writer.take();
}

function wireRange(answer: RangeResponse) {
  return {
    revision: answer.header.revision,
    kvs: answer.kvs.map(keyValueProto),
    more: answer.more,
    count: answer.count,
  };
}

function wirePut({ header, prevKv }: PutResponse) {
  return {
    revision: header.revision,
    prevKv: prevKv === undefined ? undefined : keyValueProto(prevKv),
  };
}

function wireDelete(answer: DeleteResponse) {
  return {
    revision: answer.header.revision,
    deleted: answer.deleted,
    prevKvs: answer.prevKvs.map(keyValueProto),
  };
}

function wireTxn(answer: TxnResponse): WireTxnResponse {
  return {
    revision: answer.header.revision,
    succeeded: answer.succeeded,
    responses: answer.responses.map(wireResult),
  };
}

function wireResult(result: TxnResult): ResponseOp {
  switch (result.kind) {
    case "range":
      return { kind: "range", range: wireRange(result.range) };
    case "put":
      return { kind: "put", put: wirePut(result.put) };
    case "deleteRange":
      return { kind: "deleteRange", deleteRange: wireDelete(result.deleteRange) };
    case "txn":
      return { kind: "txn", txn: wireTxn(result.txn) };
  }
}
