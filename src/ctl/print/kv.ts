/** Answers of the KV service in every format. */
import type {
  DeleteResponse,
  KeyValue,
  PutResponse,
  RangeResponse,
  TxnResponse,
  TxnResult,
} from "../../client/index.ts";
import type { Printable } from "../context.ts";
import { headerFields, headerJson, keyValueFields, keyValueJson, keyValueLines } from "./header.ts";
import { type GoJson, goJson, omitEmpty } from "./json.ts";
import { deleteProto, putProto, rangeProto, txnProto } from "./kv-proto.ts";

/** How all of them are shown. */
export interface KvStyle {
  readonly isHex: boolean;
  /** Y of the etcdctl 3.Y whose output is wanted. */
  readonly minor: number;
  /** Only values, in the simple format. */
  readonly isValueOnly?: boolean;
}

export function printRange(answer: RangeResponse, style: KvStyle): Printable {
  return {
    simple: () => rangeLines(answer, style),
    json: () => `${goJson(rangeJson(answer))}\n`,
    fields: () => rangeFields(answer, style),
    protobuf: () => rangeProto(answer),
  };
}

export function printPut(answer: PutResponse, style: KvStyle): Printable {
  return {
    simple: () => putLines(answer, style),
    json: () => `${goJson(putJson(answer))}\n`,
    fields: () => putFields(answer, style),
    protobuf: () => putProto(answer),
  };
}

export function printDelete(answer: DeleteResponse, style: KvStyle): Printable {
  return {
    simple: () => deleteLines(answer, style),
    json: () => `${goJson(deleteJson(answer))}\n`,
    fields: () => deleteFields(answer, style),
    protobuf: () => deleteProto(answer),
  };
}

export function printTxn(answer: TxnResponse, style: KvStyle): Printable {
  return {
    simple: () => txnLines(answer, style),
    json: () => `${goJson(txnJson(answer, style.minor))}\n`,
    fields: () => txnFields(answer, style),
    protobuf: () => txnProto(answer),
  };
}

function pairs(kvs: readonly KeyValue[], style: KvStyle): Buffer[] {
  return kvs.map((kv) => keyValueLines(kv, style.isHex, style.isValueOnly));
}

function rangeLines(answer: RangeResponse, style: KvStyle): Buffer {
  return Buffer.concat(pairs(answer.kvs, style));
}

function putLines({ prevKv }: PutResponse, style: KvStyle): Buffer {
  return Buffer.concat([
    Buffer.from("OK\n"),
    ...pairs(prevKv === undefined ? [] : [prevKv], style),
  ]);
}

function deleteLines(answer: DeleteResponse, style: KvStyle): Buffer {
  return Buffer.concat([Buffer.from(`${answer.deleted}\n`), ...pairs(answer.prevKvs, style)]);
}

function txnLines(answer: TxnResponse, style: KvStyle): Buffer {
  const parts = answer.responses.flatMap((result) => [
    Buffer.from("\n"),
    resultLines(result, style),
  ]);
  return Buffer.concat([Buffer.from(answer.succeeded ? "SUCCESS\n" : "FAILURE\n"), ...parts]);
}

function resultLines(result: TxnResult, style: KvStyle): Buffer {
  switch (result.kind) {
    case "range":
      return rangeLines(result.range, style);
    case "put":
      return putLines(result.put, style);
    case "deleteRange":
      return deleteLines(result.deleteRange, style);
    case "txn":
      return txnLines(result.txn, style);
  }
}

function rangeJson(answer: RangeResponse): GoJson {
  return omitEmpty({
    header: headerJson(answer.header),
    kvs: answer.kvs.map(keyValueJson),
    more: answer.more,
    count: answer.count,
  });
}

function putJson({ header, prevKv }: PutResponse): GoJson {
  return omitEmpty({
    header: headerJson(header),
    prev_kv: prevKv === undefined ? undefined : keyValueJson(prevKv),
  });
}

function deleteJson(answer: DeleteResponse): GoJson {
  return omitEmpty({
    header: headerJson(answer.header),
    deleted: answer.deleted,
    prev_kvs: answer.prevKvs.map(keyValueJson),
  });
}

function txnJson(answer: TxnResponse, minor: number): GoJson {
  return omitEmpty({
    header: headerJson(answer.header),
    succeeded: answer.succeeded,
    responses: answer.responses.map((result) => ({ Response: resultJson(result, minor) })),
  });
}

/** Up to 3.4 the name is that of the Go struct's field. */
function resultJson(result: TxnResult, minor: number): GoJson {
  const isOld = minor <= 4;
  switch (result.kind) {
    case "range":
      return { [isOld ? "ResponseRange" : "response_range"]: rangeJson(result.range) };
    case "put":
      return { [isOld ? "ResponsePut" : "response_put"]: putJson(result.put) };
    case "deleteRange": {
      const name = isOld ? "ResponseDeleteRange" : "response_delete_range";
      return { [name]: deleteJson(result.deleteRange) };
    }
    case "txn":
      return { [isOld ? "ResponseTxn" : "response_txn"]: txnJson(result.txn, minor) };
  }
}

function rangeFields(answer: RangeResponse, style: KvStyle): string {
  const { isHex, minor } = style;
  const kvs = answer.kvs.map((kv) => keyValueFields("", kv, style)).join("");
  const end = `"More" : ${answer.more}\n"Count" : ${answer.count}\n`;
  return headerFields(answer.header, isHex, minor) + kvs + end;
}

function putFields({ header, prevKv }: PutResponse, style: KvStyle): string {
  const before = prevKv === undefined ? "" : keyValueFields("Prev", prevKv, style);
  return headerFields(header, style.isHex, style.minor) + before;
}

function deleteFields(answer: DeleteResponse, style: KvStyle): string {
  const kvs = answer.prevKvs.map((kv) => keyValueFields("Prev", kv, style)).join("");
  const head = headerFields(answer.header, style.isHex, style.minor);
  return `${head}"Deleted" : ${answer.deleted}
${kvs}`;
}

function txnFields(answer: TxnResponse, style: KvStyle): string {
  const parts = answer.responses.map((result) => resultFields(result, style)).join("");
  return `${headerFields(answer.header, style.isHex, style.minor)}"Succeeded" : ${answer.succeeded}\n${parts}`;
}

function resultFields(result: TxnResult, style: KvStyle): string {
  switch (result.kind) {
    case "range":
      return rangeFields(result.range, style);
    case "put":
      return putFields(result.put, style);
    case "deleteRange":
      return deleteFields(result.deleteRange, style);
    case "txn":
      return txnFields(result.txn, style);
  }
}
