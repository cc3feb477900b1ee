import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeRaftMessage, emptyRaftMessage, encodeRaftMessage } from "./raft.ts";
import { decodeRaftRequest, marshalRaftRequest } from "./internal-raft.ts";
import { emptyPutRequest } from "./kv.ts";
import { marshal } from "./marshal.ts";
import { readStamp, STAMP_BYTES, stampEntry } from "./state-digest.ts";

const DIGEST = { index: 2 ** 40 + 3, a: -5, b: 2 ** 31 - 1 };
const HEADER = { memberPrefix: 7, sequence: 9, username: "", authRevision: 0 };

function put(value: Buffer): Buffer {
  const request = { ...emptyPutRequest(), key: "k", value };
  return marshalRaftRequest({ header: HEADER, operation: { kind: "put", put: request } });
}

test("stamp: behind an entry's data → read back, and passed over by who decodes the request", () => {
  const data = put(Buffer.from("v"));
  const stamped = stampEntry(data, DIGEST);
  assert.deepEqual(readStamp(stamped), DIGEST);
  assert.deepEqual(decodeRaftRequest(stamped), decodeRaftRequest(data));
  assert.equal(readStamp(data), undefined);
  for (let length = 0; length < stamped.length; length += 1) {
    assert.equal(readStamp(stamped.subarray(0, length)), undefined);
  }
});

test("stamp: a value that ends with the bytes of one → is none", () => {
  const stamp = stampEntry(Buffer.alloc(0), DIGEST);
  assert.equal(stamp.length, STAMP_BYTES);
  const inside = Buffer.concat([Buffer.from([0x22, stamp.length + 2, 0x2a, stamp.length]), stamp]);
  assert.equal(readStamp(inside), undefined);
});

test("message: the digest of its sender's state → comes through, and is missing where none was sent", () => {
  const message = { ...emptyRaftMessage(), to: 1n, from: 2n, digest: DIGEST };
  const bytes = marshal(encodeRaftMessage, message);
  assert.deepEqual(decodeRaftMessage(bytes), message);
  const plain = marshal(encodeRaftMessage, emptyRaftMessage());
  assert.equal("digest" in decodeRaftMessage(plain), false);
});
