/** The services of a running member, as a client meets them: headers, sizes, streams, health. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { METHODS, TestClient } from "../harness/client.ts";
import type { RangeRequest, RangeStreamResponse } from "../harness/messages.ts";
import type { Part } from "../harness/proto.ts";
import { type Server, start } from "../harness/process.ts";

const ALL = Buffer.from([0]);
const EVERYTHING = { key: ALL, rangeEnd: ALL };

function bytes(text: string): Buffer {
  return Buffer.from(text);
}

describe("services", () => {
  let server: Server;
  let client: TestClient;
  before(async () => {
    server = await start("holdfast");
    client = new TestClient(server.address);
  });
  after(async () => {
    client.close();
    await server.dispose();
  });

  test("headers: cluster, member, term and revision where etcd has them (FR-26 FR-27 FR-28 FR-30 CL-11)", async () => {
    const put = await client.must(METHODS.put, { key: bytes("h"), value: bytes("1") });
    const members = await client.must(METHODS.memberList, {});
    const status = await client.must(METHODS.status, {});
    assert.ok(put.header !== undefined && members.header !== undefined);
    assert.equal(put.header.clusterId, members.header.clusterId);
    assert.equal(put.header.memberId, members.members[0]?.id);
    assert.equal(put.header.raftTerm, status.raftTerm);
    assert.ok(put.header.revision > 1n);
    assert.equal(status.header?.revision, put.header.revision);
    assert.equal(members.header.revision, 0n);
    const defragmented = await client.must(METHODS.defragment, {});
    assert.equal(defragmented.header, undefined);
    const txn = await client.must(METHODS.txn, {
      success: [{ put: { key: bytes("h") } }, { range: { key: bytes("h") } }],
    });
    const inner = txn.responses.map((r) => r.put?.header ?? r.range?.header);
    for (const header of inner) {
      const revision = txn.header?.revision;
      assert.deepEqual(header, { clusterId: 0n, memberId: 0n, revision, raftTerm: 0n });
    }
  });

  test("sizes: just below the request limit is accepted, above refused, far above by gRPC (FR-01 FR-03)", async () => {
    const put = (length: number) =>
      client.call(METHODS.put, { key: bytes("large"), value: Buffer.alloc(length) });
    assert.equal((await put(1_572_864 - 200)).ok, true);
    assert.deepEqual(await put(1_572_864), {
      ok: false,
      refusal: { code: 3, message: "etcdserver: request is too large" },
    });
    const huge = await put(2_097_152);
    assert.ok(!huge.ok);
    assert.equal(huge.refusal.code, 8);
    assert.match(
      huge.refusal.message,
      /^grpc: received message larger than max \(\d+ vs\. 2097152\)$/,
    );
    assert.equal((await put(10)).ok, true);
  });

  test("a call with a deadline in the past → DeadlineExceeded, and the member goes on (FR-33)", async () => {
    const late = await client.call(METHODS.range, EVERYTHING, { deadlineMs: 0 });
    assert.ok(!late.ok);
    assert.equal(late.refusal.code, 4);
    assert.equal((await client.call(METHODS.range, { key: bytes("h") })).ok, true);
  });

  test("metadata: hasleader is served while there is a leader (FR-21)", async () => {
    const metadata = { hasleader: "true", "client-api-version": "3.7.1" };
    const answer = await client.call(METHODS.range, { key: bytes("h") }, { metadata });
    assert.equal(answer.ok, true);
  });

  test("reads: a put that was answered is seen by both kinds of read (KV-05 KV-10)", async () => {
    for (let i = 0; i < 50; i++) {
      const value = bytes(String(i));
      await client.must(METHODS.put, { key: bytes("fresh"), value });
      for (const serializable of [false, true]) {
        const read = await client.must(METHODS.range, { key: bytes("fresh"), serializable });
        assert.deepEqual(read.kvs[0]?.value, value);
      }
    }
  });

  test("keep-alive: a known lease is renewed at once, without an entry in the log (LE-13 LE-04)", async () => {
    await client.must(METHODS.leaseGrant, { id: 31n, ttl: 300n });
    const before = await client.must(METHODS.status, {});
    const stream = client.keepAlive();
    for (let i = 0; i < 20; i++) stream.send({ id: 31n });
    stream.send({ id: 32n });
    await stream.until((received) => received.length === 21);
    const ttls = stream.received.map((response) => response.ttl);
    assert.deepEqual(ttls, [...Array<bigint>(20).fill(300n), 0n]);
    stream.cancel();
    const after = await client.must(METHODS.status, {});
    assert.equal(after.raftIndex, before.raftIndex);
  });

  test("health: the empty service is serving, an unknown one is not found (HE-01)", async () => {
    const serving = await client.must(METHODS.health, {});
    assert.equal(serving.status, 1);
    const unknown = await client.call(METHODS.health, { service: "unknown" });
    assert.equal(unknown.ok ? 0 : unknown.refusal.code, 5);
  });

  test("methods and services that do not exist → Unimplemented (FR-34)", async () => {
    const unknown = { ...METHODS.range, path: "/etcdserverpb.KV/Nothing" };
    const answer = await client.call(unknown, {});
    assert.equal(answer.ok ? 0 : answer.refusal.code, 12);
  });

  test("bytes that are no message → refused, and the connection goes on (FR-32)", async () => {
    const garbage = { fields: [{ ...METHODS.put.request.fields[0]!, kind: "int64" as const }] };
    const broken = { ...METHODS.put, request: garbage as typeof METHODS.put.request };
    const answer = await client.call(broken, { key: 5n as never });
    assert.equal(answer.ok, false);
    assert.equal((await client.call(METHODS.range, { key: bytes("h") })).ok, true);
  });

  test("snapshot: chunks count down and end with the SHA-256 of all bytes (MA-07 FR-28)", async () => {
    const { messages, status } = await client.snapshot();
    assert.equal(status.code, 0, status.message);
    const digest = messages.at(-1);
    const data = messages.slice(0, -1);
    const sum = data.reduce((total, message) => total + message.blob.length, 0);
    let left = sum;
    for (const message of data) {
      left -= message.blob.length;
      assert.equal(message.remainingBytes, BigInt(left));
    }
    const hash = createHash("sha256");
    for (const message of data) hash.update(message.blob);
    assert.deepEqual(digest?.blob, hash.digest());
    assert.equal(digest?.remainingBytes, 0n);
    assert.equal(sum % 512, 0);
    assert.ok(messages.every((message) => message.header === undefined));
  });

  describe("range stream", () => {
    const COUNT = 500;
    before(async () => {
      for (let i = 0; i < COUNT; i += 100) {
        const success = Array.from({ length: 100 }, (_, j) => ({
          put: { key: bytes(`s/${String(i + j).padStart(4, "0")}`), value: Buffer.alloc(2_000, j) },
        }));
        await client.must(METHODS.txn, { success });
      }
    });
    const PREFIX = { key: bytes("s/"), rangeEnd: bytes("s0") };

    async function merged(request: Part<RangeRequest>) {
      const { messages, status } = await client.rangeStream(request);
      assert.equal(status.code, 0, status.message);
      const parts = messages.map((message: RangeStreamResponse) => message.rangeResponse);
      return { parts, kvs: parts.flatMap((part) => part?.kvs ?? []), last: parts.at(-1) };
    }

    test("range stream: all chunks merged are the unary answer (RS-02 RS-03 RS-04 RS-07)", async () => {
      const { parts, kvs, last } = await merged(PREFIX);
      const unary = await client.must(METHODS.range, PREFIX);
      assert.deepEqual(kvs, unary.kvs);
      assert.deepEqual(last?.header, unary.header);
      assert.equal(last?.count, unary.count);
      assert.equal(last?.more, false);
      assert.ok(parts.length > 3, `${parts.length} chunks`);
      for (const part of parts.slice(0, -1)) {
        assert.equal(part?.header, undefined);
        assert.equal(part?.count, 0n);
      }
    });

    test("range stream: limit, count_only, keys_only, nothing found (RS-05 RS-06 RS-09)", async () => {
      const limited = await merged({ ...PREFIX, limit: 25n });
      assert.equal(limited.kvs.length, 25);
      assert.equal(limited.last?.more, true);
      assert.equal(limited.last?.count, BigInt(COUNT));
      const counted = await merged({ ...PREFIX, countOnly: true });
      assert.equal(counted.parts.length, 1);
      assert.equal(counted.last?.count, BigInt(COUNT));
      const keys = await merged({ ...PREFIX, keysOnly: true });
      assert.equal(keys.kvs.length, COUNT);
      assert.ok(keys.kvs.every((kv) => kv.value.length === 0));
      const nothing = await merged({ key: bytes("nothing") });
      assert.equal(nothing.parts.length, 1);
      assert.equal(nothing.last?.count, 0n);
      assert.ok(nothing.last?.header !== undefined);
      const below = await merged({ ...PREFIX, limit: -1n, revision: -1n });
      assert.equal(below.kvs.length, COUNT);
    });

    test("range stream: orders and bounds → Unimplemented, refusals as in Range (RS-01)", async () => {
      const order = await client.rangeStream({ ...PREFIX, sortOrder: 2 });
      assert.deepEqual(order.status, {
        code: 12,
        message: "RangeStream does not support custom sort orders",
      });
      const bound = await client.rangeStream({ ...PREFIX, minModRevision: 1n });
      assert.deepEqual(bound.status, {
        code: 12,
        message: "RangeStream does not support revision filters",
      });
      const future = await client.rangeStream({ ...PREFIX, revision: 1n << 40n });
      assert.equal(future.status.code, 11);
      const empty = await client.rangeStream({});
      assert.deepEqual(empty.status, { code: 3, message: "etcdserver: key is not provided" });
    });
  });
});
