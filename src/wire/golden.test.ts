/**
 * Bytes written by etcd 3.4.23 (its log, after a handful of etcdctl calls), read and written again.
 * Whatever the generated codecs say, these are what other members and tools wrote.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedError } from "../base/index.ts";
import { decodeRaftRequest, encodeRaftRequest, marshalRaftRequest } from "./internal-raft.ts";
import { marshal } from "./marshal.ts";
import type { RaftOperation } from "./messages.ts";
import {
  decodeConfChange,
  decodeEntry,
  decodeHardState,
  encodeConfChange,
  encodeEntry,
  encodeHardState,
} from "./raft.ts";

const bytes = (hex: string): Buffer => Buffer.from(hex, "hex");

/** Kind of operation and the data of its entry. */
const PROPOSALS: readonly (readonly [RaftOperation["kind"], string])[] = [
  ["put", "220a0a03666f6f1203626172a2060a088586f1c0dabfa8f941"],
  ["put", "220c0a03666f6f120362617a2001a2060a088686f1c0dabfa8f941"],
  ["put", "22120a026c6b12026c76188786f1c0dabfa8f941a2060a088986f1c0dabfa8f941"],
  ["leaseGrant", "420d08d804108786f1c0dabfa8f941a2060a088886f1c0dabfa8f941"],
  ["deleteRange", "2a070a03666f6f1801a2060a088a86f1c0dabfa8f941"],
  [
    "txn",
    "32370a0a080110021a026c6b30000a061a026c6b2001120812060a016112016212060a040a026c6b" +
      "12061a040a026c6b1a070a050a03666f6fa2060a088b86f1c0dabfa8f941",
  ],
  ["compaction", "3a020803a2060a088c86f1c0dabfa8f941"],
  ["leaseRevoke", "4a0a088786f1c0dabfa8f941a2060a088d86f1c0dabfa8f941"],
  ["alarm", "5200a2060a088e86f1c0dabfa8f941"],
];

test("golden: etcd's proposals → read, and written again byte for byte (16.1)", () => {
  for (const [kind, hex] of PROPOSALS) {
    const request = decodeRaftRequest(bytes(hex));
    assert.equal(request.operation.kind, kind);
    assert.equal(request.header.memberPrefix, 0x41f2);
    assert.equal(marshalRaftRequest(request).toString("hex"), hex);
  }
});

test("golden: etcd's txn → its parts, a zero operand kept (TX-01, TX-05)", () => {
  const { operation } = decodeRaftRequest(bytes(PROPOSALS[5]?.[1] ?? ""));
  assert.ok(operation.kind === "txn");
  assert.deepEqual(operation.txn.compare[0], {
    result: 1,
    target: 2,
    key: "lk",
    rangeEnd: "",
    operand: { kind: "modRevision", value: 0 },
  });
  assert.deepEqual(
    operation.txn.success.map((op) => op.kind),
    ["put", "range", "deleteRange"],
  );
});

test("golden: etcd's entries and hard states → zeros are written too (RA-09, RA-10)", () => {
  for (const hex of ["080010021802", `0800100218052219${PROPOSALS[0]?.[1]}`]) {
    assert.equal(marshal(encodeEntry, decodeEntry(bytes(hex))).toString("hex"), hex);
  }
  for (const hex of ["080110001801", "080210f283d1e888e095d2f4011805"]) {
    assert.equal(marshal(encodeHardState, decodeHardState(bytes(hex))).toString("hex"), hex);
  }
  assert.deepEqual(decodeHardState(bytes("080110001801")), { term: 1, vote: 0n, commit: 1 });
  assert.deepEqual(decodeHardState(bytes("")), { term: 0, vote: 0n, commit: 0 });
});

test("golden: etcd's first configuration change → read and written again (RA-10)", () => {
  const context =
    '{"id":17628310501313495538,"peerURLs":["http://127.0.0.1:24801"],"name":"default"}';
  const hex = "0800100018f283d1e888e095d2f4012252" + Buffer.from(context).toString("hex");
  const change = decodeConfChange(bytes(hex));
  assert.equal(change.nodeId, 17628310501313495538n);
  assert.equal(change.context.toString(), context);
  assert.equal(marshal(encodeConfChange, change).toString("hex"), hex);
});

test("golden: an id of before 3.0 (field 1) → counts instead of the header's", () => {
  const { header } = decodeRaftRequest(bytes("088586f1c0dabfa8f9415200a2060a088e86f1c0dabfa8f941"));
  assert.equal(header.memberPrefix, 0x41f2);
  assert.equal(header.sequence % 256, 0x05);
});

test("proposal: an operation of a later version → unknown with its field, never lost (16.1)", () => {
  const unknown = decodeRaftRequest(bytes("a2060208013a0208037a0161"));
  assert.equal(unknown.operation.kind, "compaction");
  const request = {
    header: { memberPrefix: 1, sequence: 2, username: "", authRevision: 0 },
    operation: { kind: "unknown", tag: 1303 },
  } as const;
  const written = marshal(encodeRaftRequest, request);
  assert.deepEqual(decodeRaftRequest(written), request);
  assert.deepEqual(decodeRaftRequest(bytes("")).operation, { kind: "unknown", tag: 0 });
});

test("proposal: a request of etcd's second API → refused or unknown, never a crash", () => {
  const request = bytes(
    "088186f1c0dabfa8f94112035055541a0a2f302f76657273696f6e2205332e342e30280032003800",
  );
  assert.throws(() => decodeRaftRequest(request), MalformedError);
});

test("golden: what /health of etcd 3.4 asks of its v2 store → malformed, no empty put (RA-14)", () => {
  const question =
    "08859c81f2e4bfe8d1141204514745541a0022002800320038004800500058006000680070007800800100";
  assert.throws(() => decodeRaftRequest(bytes(question)), MalformedError);
  // The operations of a request are messages, one and all.
  for (const flat of ["2000", "2800", "a05100", "a2060028012a00"]) {
    assert.throws(() => decodeRaftRequest(bytes(flat)), MalformedError, flat);
  }
});
