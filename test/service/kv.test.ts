import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, errors } from "../../src/errors/index.ts";
import {
  decodeDeleteRangeResponse,
  decodeHeaderOf,
  decodeKeyValue,
  decodePutResponse,
  decodeRangeResponse,
  decodeRangeStreamResponse,
  decodeTxnResponse,
  emptyPutRequest,
  emptyRangeRequest,
  encodeCompactionRequest,
  encodeLeaseGrantRequest,
  encodeTxnRequest,
  marshal,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
} from "../../src/wire/index.ts";
import { type Answer, put, range, Service } from "./harness.ts";

const value = (text: string) => Buffer.from(text);

function bytesOf(answer: Answer): Buffer {
  if ("bytes" in answer) return answer.bytes;
  throw new Error(`code ${answer.code}: ${answer.message}`);
}

const keysOf = (bytes: Buffer) =>
  decodeRangeResponse(bytes).kvs.map((kv) => decodeKeyValue(kv).key);

async function withKeys(count: number, valueBytes = 4): Promise<Service> {
  const service = await Service.open();
  for (let at = 0; at < count; at += 1) {
    const key = `k${String(at).padStart(5, "0")}`;
    bytesOf(await service.put({ key, value: Buffer.alloc(valueBytes, at & 0xff) }));
  }
  return service;
}

test("service: put, read, overwrite, delete; revisions and headers as etcd's (FR-26, PU-06)", async () => {
  const service = await Service.open();
  const first = bytesOf(await service.put({ key: "a", value: value("1") }));
  const header = decodeHeaderOf(first);
  assert.equal(header.revision, 2, "a fresh store stands at revision 1");
  assert.equal(header.clusterId, service.member.clusterId);
  assert.equal(header.memberId, service.member.id);
  assert.equal(header.raftTerm, 2);
  const again = bytesOf(await service.put({ key: "a", value: value("1"), prevKv: true }));
  assert.equal(decodeHeaderOf(again).revision, 3, "the same value still makes a revision");
  const previous = decodePutResponse(again).prevKv;
  assert.ok(previous !== undefined);
  assert.deepEqual(decodeKeyValue(previous), {
    key: "a",
    value: value("1"),
    createRevision: 2,
    modRevision: 2,
    version: 1,
    lease: 0n,
  });
  const read = decodeRangeResponse(bytesOf(await service.range({ key: "a" })));
  assert.equal(read.count, 1);
  assert.equal(read.revision, 3);
  const deleted = bytesOf(await service.deleteRange({ key: "a", prevKv: true }));
  assert.equal(decodeDeleteRangeResponse(deleted).deleted, 1);
  assert.equal(decodeDeleteRangeResponse(deleted).prevKvs.length, 1);
  assert.equal(decodeHeaderOf(deleted).revision, 4);
});

test("service: refusals have etcd's code and text (KV-01, KV-03, PU-02, PU-04)", async () => {
  const service = await Service.open();
  const refused = async (answer: Promise<Answer>) => {
    const { code, ...rest } = await answer;
    return [code, "message" in rest ? rest.message : ""];
  };
  assert.deepEqual(await refused(service.put({ key: "" })), [
    Code.INVALID_ARGUMENT,
    "etcdserver: key is not provided",
  ]);
  assert.deepEqual(await refused(service.put({ key: "a", lease: 5n })), [
    Code.NOT_FOUND,
    "etcdserver: requested lease not found",
  ]);
  assert.deepEqual(await refused(service.put({ key: "a", ignoreValue: true })), [
    Code.INVALID_ARGUMENT,
    "etcdserver: key not found",
  ]);
  assert.deepEqual(await refused(service.range({ key: "a", revision: 9 })), [
    Code.OUT_OF_RANGE,
    "etcdserver: mvcc: required revision is a future revision",
  ]);
});

test("service: a request over the limit is refused, and the next one served (FR-03)", async () => {
  const service = await Service.open();
  const big = Buffer.alloc(1_572_864);
  const answer = await service.put({ key: "a", value: big });
  assert.equal(answer.code, Code.INVALID_ARGUMENT);
  assert.ok("message" in answer && answer.message === "etcdserver: request is too large");
  bytesOf(await service.put({ key: "a", value: big.subarray(0, 1_500_000) }));
});

test("service: a request that is no message ends its call alone", async () => {
  const service = await Service.open();
  const answer = await service.call("/etcdserverpb.KV/Put", Buffer.from([0x0a, 0xff]));
  assert.equal(answer.code, Code.INTERNAL);
  bytesOf(await service.put({ key: "a" }));
});

test("service: limit, more and count of a range (KV-02, KV-09)", async () => {
  const service = await withKeys(10);
  const limited = bytesOf(await service.range({ key: "k", rangeEnd: "l", limit: 3 }));
  assert.deepEqual(keysOf(limited), ["k00000", "k00001", "k00002"]);
  const { more, count } = decodeRangeResponse(limited);
  assert.deepEqual([more, count], [true, 10]);
  const whole = decodeRangeResponse(
    bytesOf(await service.range({ key: "k", rangeEnd: "l", limit: 10 })),
  );
  assert.deepEqual([whole.more, whole.count, whole.kvs.length], [false, 10, 10]);
  const counted = decodeRangeResponse(
    bytesOf(await service.range({ key: "k", rangeEnd: "l", countOnly: true })),
  );
  assert.deepEqual([counted.more, counted.count, counted.kvs.length], [false, 10, 0]);
});

test("service: all keys, from a key on, an inverted range (KV-01)", async () => {
  const service = await withKeys(5);
  const read = async (request: Partial<RangeRequest>) =>
    keysOf(bytesOf(await service.range(request))).length;
  assert.equal(await read({ key: "\0", rangeEnd: "\0" }), 5);
  assert.equal(await read({ key: "k00003", rangeEnd: "\0" }), 2);
  assert.equal(await read({ key: "k00003", rangeEnd: "k00003" }), 0);
  assert.equal(await read({ key: "k00003", rangeEnd: "a" }), 0);
});

test("service: a serializable read needs no leader round (KV-05, KV-10)", async () => {
  const service = await withKeys(1);
  const bytes = bytesOf(await service.range({ key: "k00000", serializable: true }));
  assert.equal(decodeRangeResponse(bytes).count, 1);
});

test("service: a range of many megabytes is one message, equal to what was stored", async () => {
  const service = await withKeys(60, 100_000);
  const bytes = bytesOf(await service.range({ key: "k", rangeEnd: "l" }));
  const response = decodeRangeResponse(bytes);
  assert.equal(response.kvs.length, 60);
  assert.equal(response.count, 60);
  for (const [at, kv] of response.kvs.entries()) {
    const { value: stored } = decodeKeyValue(kv);
    assert.ok(stored.equals(Buffer.alloc(100_000, at)));
  }
  const limited = decodeRangeResponse(
    bytesOf(await service.range({ key: "k", rangeEnd: "l", limit: 50 })),
  );
  assert.deepEqual([limited.kvs.length, limited.more, limited.count], [50, true, 60]);
});

test("service: a large range is of one revision, whatever is written meanwhile", async () => {
  const service = await withKeys(40, 50_000);
  const reading = service.range({ key: "k", rangeEnd: "l" });
  const writing = service.put({ key: "k00039", value: value("new") });
  const response = decodeRangeResponse(bytesOf(await reading));
  bytesOf(await writing);
  const last = decodeKeyValue(response.kvs.at(-1) as Buffer);
  assert.equal(last.value.length, 50_000);
  assert.equal(response.revision, 41);
});

const operation = (key: string): RequestOp => ({
  kind: "put",
  put: { ...emptyPutRequest(), key, value: value("t") },
});
const reads = (key: string): RequestOp => ({
  kind: "range",
  range: { ...emptyRangeRequest(), key },
});
const txn = (request: Partial<TxnRequest>) =>
  marshal(encodeTxnRequest, { compare: [], success: [], failure: [], ...request });

test("service: a transaction is one revision, inner headers hold only it (TX-10, FR-30)", async () => {
  const service = await Service.open();
  const bytes = await service.ok(
    "/etcdserverpb.KV/Txn",
    txn({ success: [operation("a"), operation("b"), reads("a")] }),
  );
  const response = decodeTxnResponse(bytes);
  assert.equal(response.succeeded, true);
  assert.equal(response.revision, 2);
  assert.equal(response.responses.length, 3);
  const inner = response.responses[2];
  assert.ok(inner?.kind === "range" && inner.range.count === 1);
});

test("service: a transaction that only reads makes no entry and no revision (TX-12)", async () => {
  const service = await withKeys(1);
  const before = service.member.status().raftIndex;
  const bytes = await service.ok("/etcdserverpb.KV/Txn", txn({ success: [reads("k00000")] }));
  assert.equal(decodeTxnResponse(bytes).responses.length, 1);
  await service.ok("/etcdserverpb.KV/Txn", txn({}));
  assert.equal(service.member.status().raftIndex, before);
});

test("service: compaction, and what it takes away (CP-01, CP-02, CP-07)", async () => {
  const service = await withKeys(5);
  const compact = (revision: number, physical = false) =>
    service.call(
      "/etcdserverpb.KV/Compact",
      marshal(encodeCompactionRequest, { revision, physical }),
    );
  const reading = service.range({ key: "k", rangeEnd: "l", revision: 3 });
  assert.equal(decodeRangeResponse(bytesOf(await reading)).count, 2);
  const answering = compact(4, true);
  await service.pass(100);
  assert.equal(decodeHeaderOf(bytesOf(await answering)).revision, 6);
  const gone = await service.range({ key: "k", rangeEnd: "l", revision: 3 });
  assert.ok("message" in gone);
  assert.deepEqual([gone.code, gone.message], [errors.Compacted.code, errors.Compacted.message]);
  bytesOf(await service.range({ key: "k", rangeEnd: "l", revision: 4 }));
  assert.equal((await compact(4)).code, Code.OUT_OF_RANGE);
  assert.equal((await compact(99)).code, Code.OUT_OF_RANGE);
});

test("service: acknowledged writes outlive a crash, with the same revisions", async () => {
  const service = await withKeys(20);
  const before = bytesOf(await service.range({ key: "k", rangeEnd: "l" }));
  await service.crash();
  const after = bytesOf(await service.range({ key: "k", rangeEnd: "l" }));
  assert.deepEqual(
    decodeRangeResponse(after).kvs.map((kv) => kv.toString("hex")),
    decodeRangeResponse(before).kvs.map((kv) => kv.toString("hex")),
  );
  assert.equal(decodeHeaderOf(after).raftTerm, 3, "each start is a new term");
});

const STREAM = "/etcdserverpb.KV/RangeStream";

async function streamed(service: Service, request: Partial<RangeRequest>) {
  const stream = service.stream(STREAM);
  stream.send(range(request));
  stream.call.halfClose();
  const end = await stream.ended();
  return { end, chunks: stream.messages.map((message) => decodeRangeStreamResponse(message)) };
}

test("range stream: the chunks merged equal the unary answer (RS-01, RS-03, RS-04, RS-07)", async () => {
  const service = await withKeys(100, 1000);
  const { end, chunks } = await streamed(service, { key: "k", rangeEnd: "l" });
  assert.equal(end.code, Code.OK);
  assert.ok(chunks.length > 1);
  assert.equal(chunks[0]?.kvs.length, 10);
  for (const chunk of chunks.slice(0, -1)) {
    assert.deepEqual([chunk.revision, chunk.more, chunk.count], [0, false, 0]);
  }
  const unary = decodeRangeResponse(bytesOf(await service.range({ key: "k", rangeEnd: "l" })));
  assert.deepEqual(
    chunks.flatMap((chunk) => chunk.kvs),
    unary.kvs,
  );
  assert.equal(chunks.at(-1)?.count, unary.count);
  assert.equal(chunks.at(-1)?.revision, unary.revision);
});

test("range stream: a limit leaves more, and count tells how many there are (RS-05)", async () => {
  const service = await withKeys(50);
  const { chunks } = await streamed(service, { key: "k", rangeEnd: "l", limit: 25 });
  assert.equal(chunks.flatMap((chunk) => chunk.kvs).length, 25);
  assert.deepEqual([chunks.at(-1)?.more, chunks.at(-1)?.count], [true, 50]);
});

test("range stream: count only and an empty range are one message (RS-06, RS-09)", async () => {
  const service = await withKeys(5);
  const counted = await streamed(service, { key: "k", rangeEnd: "l", countOnly: true });
  assert.deepEqual(
    counted.chunks.map((chunk) => [chunk.kvs.length, chunk.count]),
    [[0, 5]],
  );
  const empty = await streamed(service, { key: "x", rangeEnd: "y" });
  assert.equal(empty.chunks.length, 1);
  assert.equal(empty.chunks[0]?.revision, 6);
  const negative = await streamed(service, { key: "k", rangeEnd: "l", limit: -1, revision: -5 });
  assert.equal(negative.chunks.flatMap((chunk) => chunk.kvs).length, 5);
});

test("range stream: sorting and filters are refused in so many words (RS-01)", async () => {
  const service = await withKeys(1);
  const sorted = await streamed(service, { key: "k", rangeEnd: "l", sortTarget: 3 });
  assert.deepEqual(sorted.end, {
    code: Code.UNIMPLEMENTED,
    message: "RangeStream does not support custom sort orders",
  });
  const filtered = await streamed(service, { key: "k", rangeEnd: "l", minModRevision: 1 });
  assert.deepEqual(filtered.end, {
    code: Code.UNIMPLEMENTED,
    message: "RangeStream does not support revision filters",
  });
});

test("range stream: pinned at the revision of its start (RS-02)", async () => {
  const service = await withKeys(200, 2000);
  const stream = service.stream(STREAM);
  stream.send(range({ key: "k", rangeEnd: "l" }));
  await stream.next();
  bytesOf(await service.put({ key: "k99999", value: value("late") }));
  await stream.ended();
  const keys = stream.messages.flatMap((message) =>
    decodeRangeStreamResponse(message).kvs.map((kv) => decodeKeyValue(kv).key),
  );
  assert.equal(keys.length, 200);
  assert.ok(!keys.includes("k99999"));
});

test("service: NOSPACE is raised at the quota, stops puts and lets deletes pass (QU-02, PU-07)", async () => {
  const service = await Service.open({ settings: { quotaBytes: 64 * 1024 } });
  let refused: Answer | undefined;
  for (let count = 0; count < 200 && refused === undefined; count += 1) {
    const answer = await service.put({ key: `k${count}`, value: Buffer.alloc(1000) });
    if (answer.code !== Code.OK) refused = answer;
    await service.pass(100);
  }
  assert.ok(refused !== undefined && "message" in refused);
  assert.equal(refused.code, Code.RESOURCE_EXHAUSTED);
  assert.equal(refused.message, "etcdserver: mvcc: database space exceeded");
  await service.untilTrue(() => service.member.alarms().length === 1);
  bytesOf(await service.deleteRange({ key: "k0" }));
  assert.equal((await service.put({ key: "k0" })).code, Code.RESOURCE_EXHAUSTED);
  assert.ok(put({ key: "x" }).length > 0);
});

test("service: calls are counted by the client's API version, one that is no text is refused (FR-22)", async () => {
  const service = await Service.open();
  const call = (metadata: string[]) =>
    service.until(
      new Promise<Code>((resolve) => {
        const done = (code: Code) => resolve(code);
        service.client.unary("/etcdserverpb.KV/Range", range({ key: "a" }), done, { metadata });
      }),
    );
  assert.equal(await call(["client-api-version", "3.7"]), Code.OK);
  assert.equal(await call(["client-api-version", "3.7"]), Code.OK);
  assert.equal(await call([]), Code.OK);
  assert.equal(await call(["client-api-version", "\xff\xfe"]), Code.INVALID_ARGUMENT);
  const counts = [...service.rpc.clientRequests].map(([key, { value }]) => `${key}: ${value}`);
  assert.deepEqual(counts.sort(), ["unary 3.7: 2", "unary unknown: 1"]);
});

test("service: keys_only has the lease before 3.7, one key and many (KV-06, DV-05)", async () => {
  for (const keysOnlyWithLease of [true, false]) {
    const service = await Service.open({ settings: { keysOnlyWithLease } });
    const grant = marshal(encodeLeaseGrantRequest, { id: 5n, ttlSeconds: 60 });
    await service.ok("/etcdserverpb.Lease/LeaseGrant", grant);
    bytesOf(await service.put({ key: "a", value: value("v"), lease: 5n }));
    for (const rangeEnd of ["", "b"]) {
      const bytes = bytesOf(await service.range({ key: "a", rangeEnd, keysOnly: true }));
      const pair = decodeKeyValue(decodeRangeResponse(bytes).kvs[0] as Buffer);
      assert.deepEqual([pair.value.length, pair.lease], [0, keysOnlyWithLease ? 5n : 0n]);
    }
  }
});
