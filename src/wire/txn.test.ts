import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter, MalformedError } from "../base/index.ts";
import { decodeHeaderOf } from "./header.ts";
import { emptyPutRequest, emptyRangeRequest } from "./kv.ts";
import { marshal } from "./marshal.ts";
import type { TxnRequest, TxnResponse } from "./messages.ts";
import {
  decodeTxnRequest,
  decodeTxnResponse,
  emptyTxnRequest,
  encodeTxnRequest,
  encodeTxnResponse,
  sizeTxnResponseBody,
} from "./txn.ts";

const header = { clusterId: 1n, memberId: 2n, revision: 30, raftTerm: 4 };

function nested(levels: number): TxnRequest {
  let txn = emptyTxnRequest();
  for (let level = 1; level < levels; level += 1) {
    txn = { ...emptyTxnRequest(), success: [{ kind: "txn", txn }] };
  }
  return txn;
}

/** Frames `bytes` as the nested txn of a txn: success { request_txn }. */
function wrapped(bytes: Buffer): Buffer {
  const writer = new ByteWriter(bytes.length + 32);
  writer.byte(18);
  const mark = writer.beginMessage();
  writer.byte(34);
  writer.bytes(bytes);
  writer.endMessage(mark);
  return writer.take();
}

test("txn: 256 levels deep → read; one more, or a hundred thousand → refused (TX-02)", () => {
  const deepest = marshal(encodeTxnRequest, nested(256));
  assert.deepEqual(decodeTxnRequest(deepest), nested(256));
  assert.throws(() => decodeTxnRequest(wrapped(deepest)), /transactions nest too deep/);

  const levels = 100_000;
  const backwards: Buffer[] = [];
  let size = 0;
  for (let level = 0; level < levels; level += 1) {
    const writer = new ByteWriter(16);
    writer.byte(34);
    writer.uint(size);
    const inner = writer.length + size;
    const outer = new ByteWriter(16);
    outer.byte(18);
    outer.uint(inner);
    backwards.push(Buffer.concat([outer.view(), writer.view()]));
    size = outer.length + inner;
  }
  assert.throws(() => decodeTxnRequest(Buffer.concat(backwards.reverse())), {
    name: "MalformedError",
    message: "transactions nest too deep",
  });
});

test("txn: a million empty parts in two megabytes → refused, not built", () => {
  const bytes = Buffer.alloc(2_000_000);
  for (let at = 0; at < bytes.length; at += 2) bytes[at] = 10;
  assert.throws(() => decodeTxnRequest(bytes), /transaction of too many parts/);
});

test("txn: an operation sent twice in one → merged; another kind → the last one (TX-01)", () => {
  const put = (hex: string): string => `12${(hex.length / 2).toString(16).padStart(2, "0")}${hex}`;
  const twice = put("0a0161") + put("120162");
  const op = (hex: string): Buffer =>
    Buffer.from(`12${(hex.length / 2).toString(16).padStart(2, "0")}${hex}`, "hex");
  assert.deepEqual(decodeTxnRequest(op(twice)).success, [
    { kind: "put", put: { ...emptyPutRequest(), key: "a", value: Buffer.from("b") } },
  ]);
  assert.deepEqual(decodeTxnRequest(op(`${twice}0a030a0163`)).success, [
    { kind: "range", range: { ...emptyRangeRequest(), key: "c" } },
  ]);
});

test("txn: an operation without content → none, and written so again (TX-03)", () => {
  const request: TxnRequest = { compare: [], success: [{ kind: "none" }], failure: [] };
  assert.equal(marshal(encodeTxnRequest, request).toString("hex"), "1200");
  assert.deepEqual(decodeTxnRequest(Buffer.from("1200", "hex")), request);
});

test("txn response: inner answers → the revision alone; a nested one → an empty header (FR-30)", () => {
  const response: TxnResponse = {
    revision: 30,
    succeeded: true,
    responses: [
      { kind: "put", put: { revision: 30, prevKv: undefined } },
      { kind: "txn", txn: { revision: 0, succeeded: false, responses: [] } },
    ],
  };
  const writer = new ByteWriter();
  encodeTxnResponse(writer, header, response);
  const bytes = writer.take();
  assert.equal(
    bytes.toString("hex"),
    "0a0808011002181e2004" + "1001" + "1a0612040a02181e" + "1a0422020a00",
  );
  assert.deepEqual(decodeTxnResponse(bytes), response);
  assert.deepEqual(decodeHeaderOf(bytes), header);
  assert.equal(sizeTxnResponseBody(response), bytes.length - 10);
});

test("txn response: an answer without content → refused, since those behind it would shift", () => {
  assert.throws(() => decodeTxnResponse(Buffer.from("1a00", "hex")), MalformedError);
});
