import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Code } from "../../src/errors/index.ts";
import {
  AlarmResponseSchema,
  DefragmentRequestSchema,
  DefragmentResponseSchema,
  decodeMessage,
  encodeAlarmRequest,
  encodeMessage,
  HashKVRequestSchema,
  HashKVResponseSchema,
  HashRequestSchema,
  HashResponseSchema,
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
  marshal,
  MemberListRequestSchema,
  MemberListResponseSchema,
  ServingStatus,
  SnapshotRequestSchema,
  SnapshotResponseSchema,
  StatusRequestSchema,
  StatusResponseSchema,
} from "../../src/wire/index.ts";
import { Service } from "./harness.ts";

const path = (name: string) => `/etcdserverpb.Maintenance/${name}`;
const alarmRequest = (action: number, alarm: number, memberId = 0n) =>
  marshal(encodeAlarmRequest, { action, memberId, alarm });

async function alarms(service: Service, action: number, alarm: number, memberId = 0n) {
  const bytes = await service.ok(path("Alarm"), alarmRequest(action, alarm, memberId));
  return decodeMessage(AlarmResponseSchema, bytes).alarms.map((row) => [row.memberID, row.alarm]);
}

async function status(service: Service) {
  const bytes = await service.ok(path("Status"), encodeMessage(StatusRequestSchema, {}));
  return decodeMessage(StatusResponseSchema, bytes);
}

test("maintenance service: status tells version, sizes, leader and indexes (MA-03)", async () => {
  const service = await Service.open();
  await service.put({ key: "k" });
  const now = await status(service);
  assert.equal(now.version, "3.7.1");
  assert.equal(now.leader, service.member.id);
  assert.equal(now.raftIndex, now.raftAppliedIndex);
  assert.equal(now.storageVersion, "3.7.0");
  assert.equal(now.dbSizeQuota, 2n * 1024n ** 3n);
  assert.equal(now.header?.revision, 2n);
  assert.deepEqual(now.errors, []);
});

test("maintenance service: alarms are raised, listed, seen in status, disarmed (MA-01, MA-02)", async () => {
  const service = await Service.open();
  assert.deepEqual(await alarms(service, 0, 0), []);
  assert.deepEqual(await alarms(service, 1, 1, 7n), [[7n, 1]]);
  assert.deepEqual(await alarms(service, 1, 1, 7n), [[7n, 1]], "raising twice answers the same");
  assert.deepEqual((await status(service)).errors, ["memberID:7 alarm:NOSPACE"]);
  assert.equal((await service.put({ key: "k" })).code, Code.RESOURCE_EXHAUSTED);
  assert.equal((await service.deleteRange({ key: "k" })).code, Code.OK);
  assert.deepEqual(await alarms(service, 2, 1, 8n), [], "another member's is not there");
  assert.deepEqual(await alarms(service, 2, 1, 7n), [[7n, 1]]);
  assert.equal((await service.put({ key: "k" })).code, Code.OK);
});

test("maintenance service: an unknown alarm action or type is refused, nobody dies (DV-01)", async () => {
  // etcd 3.4 to 3.7 dereferences nil for {"action":99}: the member that got the call exits.
  const service = await Service.open();
  for (const bytes of [alarmRequest(99, 1), alarmRequest(1, 9), alarmRequest(-1, 0)]) {
    assert.equal((await service.call(path("Alarm"), bytes)).code, Code.INVALID_ARGUMENT);
  }
  assert.equal((await service.put({ key: "k" })).code, Code.OK);
  assert.equal(service.fatal.length, 0);
});

test("maintenance service: a corrupt alarm stops writes with DataLoss, not reads (MA-02, KV-12)", async () => {
  const service = await Service.open();
  await service.put({ key: "k" });
  await alarms(service, 1, 2, service.member.id);
  const refused = await service.put({ key: "k" });
  assert.equal(refused.code, Code.DATA_LOSS);
  assert.ok("message" in refused && refused.message === "etcdserver: corrupt cluster");
  assert.equal((await service.deleteRange({ key: "k" })).code, Code.DATA_LOSS);
  assert.equal((await service.range({ key: "k" })).code, Code.OK);
});

test("maintenance service: hash and hash of the keys answer, refusals for other times (MA-05, MA-06)", async () => {
  const service = await Service.open();
  for (let at = 0; at < 5; at += 1) await service.put({ key: `k${at}` });
  const hash = async () =>
    decodeMessage(
      HashResponseSchema,
      await service.ok(path("Hash"), encodeMessage(HashRequestSchema, {})),
    ).hash;
  const hashKv = (revision: bigint) =>
    service.call(path("HashKV"), encodeMessage(HashKVRequestSchema, { revision }));
  const before = await hash();
  assert.equal(await hash(), before);
  const current = await hashKv(0n);
  assert.ok("bytes" in current);
  const {
    hash: value,
    hashRevision,
    compactRevision,
  } = decodeMessage(HashKVResponseSchema, current.bytes);
  assert.deepEqual([hashRevision, compactRevision], [6n, -1n]);
  const older = await hashKv(3n);
  assert.ok("bytes" in older);
  assert.notEqual(decodeMessage(HashKVResponseSchema, older.bytes).hash, value);
  assert.equal((await hashKv(99n)).code, Code.OUT_OF_RANGE);
  await service.put({ key: "new" });
  assert.notEqual(await hash(), before);
});

test("maintenance service: defragment answers without a header (MA-04, FR-28)", async () => {
  const service = await Service.open();
  const bytes = await service.ok(path("Defragment"), encodeMessage(DefragmentRequestSchema, {}));
  assert.equal(decodeMessage(DefragmentResponseSchema, bytes).header, undefined);
});

test("maintenance service: a snapshot counts down and ends with its checksum (MA-07)", async () => {
  const service = await Service.open();
  for (let at = 0; at < 20; at += 1) {
    await service.put({ key: `k${at}`, value: Buffer.alloc(10_000, at) });
  }
  const stream = service.stream(path("Snapshot"));
  stream.send(encodeMessage(SnapshotRequestSchema, {}));
  stream.call.halfClose();
  assert.equal((await stream.ended()).code, Code.OK);
  const chunks = stream.messages.map((bytes) => decodeMessage(SnapshotResponseSchema, bytes));
  const data = chunks.slice(0, -1);
  const file = Buffer.concat(data.map(({ blob }) => blob));
  assert.equal(file.length % 512, 0);
  assert.ok(data.every(({ version }) => version === "3.7.0"));
  let remaining = BigInt(file.length);
  for (const { blob, remainingBytes } of data) {
    remaining -= BigInt(blob.length);
    assert.equal(remainingBytes, remaining);
  }
  const trailer = chunks.at(-1);
  assert.equal(trailer?.remainingBytes, 0n);
  const digest = createHash("sha256").update(file).digest();
  assert.ok(digest.equals(trailer?.blob ?? Buffer.alloc(0)));
});

test("cluster service: the list has this member, started, with its ids (CL-07, CL-11, FR-27)", async () => {
  const service = await Service.open();
  for (const linearizable of [true, false]) {
    const request = encodeMessage(MemberListRequestSchema, { linearizable });
    const bytes = await service.ok("/etcdserverpb.Cluster/MemberList", request);
    const { header, members } = decodeMessage(MemberListResponseSchema, bytes);
    assert.equal(header?.revision, 0n);
    assert.equal(header?.clusterId, service.member.clusterId);
    const rows = members.map((row) => [row.ID, row.name, row.peerURLs, row.clientURLs]);
    assert.deepEqual(rows, [
      [service.member.id, "default", ["http://localhost:2380"], ["http://localhost:2379"]],
    ]);
  }
});

test("health service: check, list, watch and what they say at a stop (HE-01)", async () => {
  const service = await Service.open();
  const check = (name: string) =>
    service.call(
      "/grpc.health.v1.Health/Check",
      encodeMessage(HealthCheckRequestSchema, { service: name }),
    );
  const statusOf = (bytes: Buffer) => decodeMessage(HealthCheckResponseSchema, bytes).status;
  const serving = await check("");
  assert.ok("bytes" in serving && statusOf(serving.bytes) === ServingStatus.SERVING);
  assert.equal((await check("nothing")).code, Code.NOT_FOUND);
  const list = await service.ok("/grpc.health.v1.Health/List", Buffer.alloc(0));
  assert.equal(
    decodeMessage(HealthListResponseSchema, list).statuses[""]?.status,
    ServingStatus.SERVING,
  );
  const stream = service.stream("/grpc.health.v1.Health/Watch");
  stream.send(encodeMessage(HealthCheckRequestSchema, { service: "" }));
  assert.equal(statusOf(await stream.next()), ServingStatus.SERVING);
  service.rpc.drain();
  assert.equal(statusOf(await stream.next()), ServingStatus.NOT_SERVING);
});

test("service: a method or a service that is not here is Unimplemented", async () => {
  const service = await Service.open();
  assert.equal((await service.call("/etcdserverpb.KV/Nothing", Buffer.alloc(0))).code, 12);
  assert.equal((await service.call("/no.Such/Thing", Buffer.alloc(0))).code, 12);
});
