import assert from "node:assert/strict";
import { test } from "node:test";
import { errors } from "../errors/index.ts";
import {
  decodeLeaseKeepAliveResponse,
  encodeLeaseKeepAliveRequest,
  encodeMessage,
  LeaseTimeToLiveRequestSchema,
  LeaseTimeToLiveResponseSchema,
  marshal,
} from "../wire/index.ts";
import { Desk, seen } from "./fixture.test.ts";

const renewal = (id: bigint) => marshal(encodeLeaseKeepAliveRequest, { id });

test("keep-alive: nobody can renew → the stream ends with the reason (LE-04, FR-32)", async () => {
  for (const error of [errors.NotPrimaryLessor, errors.Timeout, errors.NoLeader]) {
    const desk = new Desk();
    desk.member.renewal = error;
    const stream = desk.stream("Lease/LeaseKeepAlive");
    stream.call.send(renewal(5n));
    await desk.settle();
    assert.deepEqual(stream.end, seen(error));
    assert.equal(stream.messages.length, 0);
  }
});

test("keep-alive: the reason also goes to a client that has half-closed (LE-04)", async () => {
  const desk = new Desk();
  desk.member.holdsRenewals = true;
  const stream = desk.stream("Lease/LeaseKeepAlive");
  stream.call.send(renewal(5n));
  stream.call.halfClose();
  await desk.settle();
  assert.equal(stream.end, undefined);
  desk.member.renewing[0]?.refused(errors.NotPrimaryLessor);
  await desk.settle();
  assert.deepEqual(stream.end, seen(errors.NotPrimaryLessor));
});

test("keep-alive: an unknown lease is TTL 0 and the stream stays (LE-04)", async () => {
  const desk = new Desk();
  desk.member.renewal = { result: 0 };
  const stream = desk.stream("Lease/LeaseKeepAlive");
  stream.call.send(renewal(5n));
  await desk.settle();
  assert.equal(decodeLeaseKeepAliveResponse(stream.messages[0] as Buffer).ttlSeconds, 0);
  assert.equal(stream.end, undefined);
});

test("time to live: answered by whoever keeps the leases, refused when nobody does (LE-05)", async () => {
  const desk = new Desk();
  const request = encodeMessage(LeaseTimeToLiveRequestSchema, { ID: 5n, keys: true });
  desk.member.times = { result: { ttlSeconds: 7, grantedTtlSeconds: 60, keys: ["a", "ÿ"] } };
  const answer = await desk.ok("Lease/LeaseTimeToLive", request, LeaseTimeToLiveResponseSchema);
  assert.deepEqual([answer.TTL, answer.grantedTTL], [7n, 60n]);
  assert.deepEqual(
    answer.keys.map((key) => Buffer.from(key).toString("latin1")),
    ["a", "ÿ"],
  );
  desk.member.times = errors.Timeout;
  const refused = await desk.call("Lease/LeaseTimeToLive", request);
  assert.deepEqual({ code: refused.code, message: refused.message }, seen(errors.Timeout));
});
