import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "../../src/errors/index.ts";
import {
  decodeHeaderOf,
  decodeLeaseGrantResponse,
  decodeLeaseKeepAliveResponse,
  decodeMessage,
  decodeRangeResponse,
  encodeLeaseGrantRequest,
  encodeLeaseKeepAliveRequest,
  encodeLeaseRevokeRequest,
  encodeMessage,
  LeaseLeasesRequestSchema,
  LeaseLeasesResponseSchema,
  LeaseTimeToLiveRequestSchema,
  LeaseTimeToLiveResponseSchema,
  marshal,
} from "../../src/wire/index.ts";
import { Service, type StreamRecord } from "./harness.ts";

const path = (name: string) => `/etcdserverpb.Lease/${name}`;
const grantRequest = (id: bigint, ttlSeconds: number) =>
  marshal(encodeLeaseGrantRequest, { id, ttlSeconds });

async function grant(service: Service, id: bigint, ttlSeconds: number) {
  return decodeLeaseGrantResponse(
    await service.ok(path("LeaseGrant"), grantRequest(id, ttlSeconds)),
  );
}

async function timeToLive(service: Service, id: bigint, keys = false) {
  const request = encodeMessage(LeaseTimeToLiveRequestSchema, { ID: id, keys });
  const bytes = await service.ok(path("LeaseTimeToLive"), request);
  const { TTL, grantedTTL, keys: attached } = decodeMessage(LeaseTimeToLiveResponseSchema, bytes);
  return {
    ttl: Number(TTL),
    granted: Number(grantedTTL),
    keys: attached.map((key) => Buffer.from(key).toString()),
  };
}

async function renew(stream: StreamRecord, id: bigint): Promise<number> {
  stream.send(marshal(encodeLeaseKeepAliveRequest, { id }));
  const answer = decodeLeaseKeepAliveResponse(await stream.next());
  assert.equal(answer.id, id);
  return answer.ttlSeconds;
}

const count = async (service: Service, key: string) => {
  const answer = await service.range({ key });
  return "bytes" in answer ? decodeRangeResponse(answer.bytes).count : -1;
};

test("lease service: grant picks an id, raises a short TTL, refuses a long one (LE-01, LE-02)", async () => {
  const service = await Service.open();
  const chosen = await grant(service, 0n, 60);
  assert.ok(chosen.id > 0n && chosen.id < 2n ** 63n);
  assert.equal(chosen.ttlSeconds, 60);
  assert.equal((await grant(service, 5n, 1)).ttlSeconds, 2);
  assert.equal((await grant(service, 6n, -9)).ttlSeconds, 2);
  const again = await service.call(path("LeaseGrant"), grantRequest(5n, 60));
  assert.equal(again.code, Code.FAILED_PRECONDITION);
  const long = await service.call(path("LeaseGrant"), grantRequest(7n, 9_000_000_001));
  assert.equal(long.code, Code.OUT_OF_RANGE);
  assert.ok("message" in long && long.message === "etcdserver: too large lease TTL");
});

test("lease service: revoke deletes the keys in one revision (LE-03)", async () => {
  const service = await Service.open();
  await grant(service, 5n, 60);
  await service.put({ key: "b", lease: 5n });
  await service.put({ key: "a", lease: 5n });
  const bytes = await service.ok(
    path("LeaseRevoke"),
    marshal(encodeLeaseRevokeRequest, { id: 5n }),
  );
  assert.equal(decodeHeaderOf(bytes).revision, 4);
  assert.deepEqual([await count(service, "a"), await count(service, "b")], [0, 0]);
  const again = await service.call(
    path("LeaseRevoke"),
    marshal(encodeLeaseRevokeRequest, { id: 5n }),
  );
  assert.equal(again.code, Code.NOT_FOUND);
});

test("lease service: one that is not renewed expires with its keys, not before (LE-08)", async () => {
  const service = await Service.open();
  await grant(service, 5n, 10);
  await service.put({ key: "k", lease: 5n });
  await service.pass(9_900);
  assert.equal(await count(service, "k"), 1);
  await service.pass(2_500);
  assert.equal(await count(service, "k"), 0);
  assert.equal((await timeToLive(service, 5n)).ttl, -1);
});

test("lease service: keep-alive renews, and answers 0 for an unknown lease (LE-04)", async () => {
  const service = await Service.open();
  await grant(service, 5n, 10);
  await service.put({ key: "k", lease: 5n });
  const stream = service.stream(path("LeaseKeepAlive"));
  for (let round = 0; round < 5; round += 1) {
    await service.pass(6_000);
    assert.equal(await renew(stream, 5n), 10);
  }
  assert.equal(await count(service, "k"), 1);
  assert.equal(await renew(stream, 99n), 0);
  assert.equal(await renew(stream, 5n), 10, "the stream goes on");
  stream.call.halfClose();
  assert.equal((await stream.ended()).code, Code.OK);
});

test("lease service: time to live, granted TTL and keys (LE-05, LE-11)", async () => {
  const service = await Service.open();
  await grant(service, 5n, 100);
  await service.put({ key: "x", lease: 5n });
  await service.put({ key: "y", lease: 5n });
  await service.put({ key: "y" });
  await service.pass(30_000);
  const times = await timeToLive(service, 5n, true);
  assert.ok(times.ttl >= 69 && times.ttl <= 71, `${times.ttl}`);
  assert.deepEqual([times.granted, times.keys], [100, ["x"]]);
  assert.deepEqual(await timeToLive(service, 99n), { ttl: -1, granted: 0, keys: [] });
});

test("lease service: the list has all, the one that expires first in front (LE-06)", async () => {
  const service = await Service.open();
  await grant(service, 1n, 300);
  await grant(service, 2n, 100);
  await grant(service, 3n, 200);
  await service.pass(1_000);
  const bytes = await service.ok(path("LeaseLeases"), encodeMessage(LeaseLeasesRequestSchema, {}));
  const { leases } = decodeMessage(LeaseLeasesResponseSchema, bytes);
  assert.deepEqual(
    leases.map(({ ID }) => ID),
    [2n, 3n, 1n],
  );
});

test("lease service: a restart keeps keys and remaining time, after a crash too (LE-09, LE-11)", async () => {
  const service = await Service.open();
  await grant(service, 5n, 100);
  await service.put({ key: "k", lease: 5n });
  await service.pass(60_000);
  await service.crash();
  const times = await timeToLive(service, 5n, true);
  assert.deepEqual(times.keys, ["k"]);
  assert.ok(times.ttl >= 40 && times.ttl <= 52, `${times.ttl} of about 40 s are left`);
  await service.pass(55_000);
  assert.equal(await count(service, "k"), 0);
});

test("lease service: a renewal is not forgotten by a crash right after it (LE-04)", async () => {
  const service = await Service.open();
  await grant(service, 5n, 100);
  await service.pass(80_000);
  const stream = service.stream(path("LeaseKeepAlive"));
  assert.equal(await renew(stream, 5n), 100);
  await service.crash();
  assert.ok((await timeToLive(service, 5n)).ttl >= 99);
});

test("lease service: a thousand leases expire in batches (LE-08)", async () => {
  const service = await Service.open();
  for (let id = 1n; id <= 1_000n; id += 1n) await grant(service, id, 5);
  await service.pass(10_000);
  const bytes = await service.ok(path("LeaseLeases"), encodeMessage(LeaseLeasesRequestSchema, {}));
  assert.equal(decodeMessage(LeaseLeasesResponseSchema, bytes).leases.length, 0);
});
