import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeRangeRequest, emptyRangeRequest, marshal } from "../wire/index.ts";
import { Desk } from "./fixture.test.ts";

const EMPTY = Buffer.alloc(0);
const WANTS_LEADER = ["hasleader", "true"];
const range = (serializable: boolean) =>
  marshal(encodeRangeRequest, { ...emptyRangeRequest(), key: "a", serializable });
const NO_LEADER = { code: 14, message: "etcdserver: no leader" };
const NOT_FOR_LEARNER = { code: 9, message: "etcdserver: rpc not supported for learner" };

test("hasleader: a unary call without a leader → refused at once, others not (FR-21)", async () => {
  const desk = new Desk();
  desk.member.lead(0n);
  const refused = await desk.call("KV/Range", range(true), WANTS_LEADER);
  assert.deepEqual({ code: refused.code, message: refused.message }, NO_LEADER);
  assert.equal((await desk.call("KV/Range", range(true))).code, 0);
  assert.equal((await desk.call("KV/Range", range(true), ["hasleader", "no"])).code, 0);
  desk.member.lead(3n);
  assert.equal((await desk.call("KV/Range", range(true), WANTS_LEADER)).code, 0);
});

test("hasleader: a stream that begins without a leader → refused at once (FR-21)", async () => {
  const desk = new Desk();
  desk.member.lead(0n);
  const watch = desk.stream("Watch/Watch", WANTS_LEADER);
  await desk.settle();
  assert.deepEqual(watch.end, NO_LEADER);
});

test("hasleader: open streams end after three elections without a leader, others stay (FR-21)", async () => {
  const desk = new Desk();
  const watch = desk.stream("Watch/Watch", WANTS_LEADER);
  const renewals = desk.stream("Lease/LeaseKeepAlive", WANTS_LEADER);
  const patient = desk.stream("Watch/Watch");
  await desk.settle();
  desk.member.lead(0n);
  await desk.pass(2_999);
  assert.equal(watch.end, undefined);
  await desk.pass(1);
  assert.deepEqual(watch.end, NO_LEADER);
  assert.deepEqual(renewals.end, NO_LEADER);
  assert.equal(patient.end, undefined);
  assert.equal(desk.member.watchesClosed, 1);
});

test("hasleader: a new leader in time → the streams stay, and the next loss counts anew (FR-21)", async () => {
  const desk = new Desk();
  const watch = desk.stream("Watch/Watch", WANTS_LEADER);
  await desk.settle();
  desk.member.lead(0n);
  await desk.pass(2_000);
  desk.member.lead(3n);
  await desk.pass(5_000);
  desk.member.lead(0n);
  await desk.pass(2_000);
  assert.equal(watch.end, undefined);
  await desk.pass(1_000);
  assert.deepEqual(watch.end, NO_LEADER);
});

test("hasleader: a stream that its client gave up is let go of once (FR-21)", async () => {
  const desk = new Desk();
  const watch = desk.stream("Watch/Watch", WANTS_LEADER);
  await desk.settle();
  watch.call.cancel();
  await desk.settle();
  assert.equal(desk.member.watchesClosed, 1);
  desk.member.lead(0n);
  await desk.pass(3_000);
  assert.equal(desk.member.watchesClosed, 1);
});

test("hasleader: nothing waits for a leader once the services stop (FR-21)", () => {
  const desk = new Desk();
  assert.equal(desk.member.leaderListeners, 1);
  desk.member.lead(0n);
  desk.rpc.drain();
  assert.equal(desk.member.leaderListeners, 0);
});

test("learner: answers Status and serializable ranges, refuses all else (FR-25)", async () => {
  const desk = new Desk();
  desk.member.isLearner = true;
  assert.equal((await desk.call("Maintenance/Status", EMPTY)).code, 0);
  assert.equal((await desk.call("KV/Range", range(true))).code, 0);
  const refused: [string, Buffer][] = [
    ["KV/Range", range(false)],
    ["KV/Put", EMPTY],
    ["KV/Txn", EMPTY],
    ["Cluster/MemberList", EMPTY],
    ["Maintenance/Defragment", EMPTY],
    ["Maintenance/HashKV", EMPTY],
    ["Maintenance/Alarm", EMPTY],
    ["Lease/LeaseGrant", EMPTY],
  ];
  for (const [path, request] of refused) {
    const { code, message } = await desk.call(path, request);
    assert.deepEqual({ code, message }, NOT_FOR_LEARNER, path);
  }
});

test("learner: of streams only the snapshot (FR-25)", async () => {
  const desk = new Desk();
  desk.member.isLearner = true;
  for (const path of ["Watch/Watch", "Lease/LeaseKeepAlive", "KV/RangeStream"]) {
    const stream = desk.stream(path);
    await desk.settle();
    assert.deepEqual(stream.end, NOT_FOR_LEARNER, path);
  }
  const snapshot = desk.stream("Maintenance/Snapshot");
  await desk.settle();
  assert.equal(snapshot.end, undefined);
});

test("learner: once promoted it answers all (FR-25)", async () => {
  const desk = new Desk();
  desk.member.isLearner = true;
  assert.equal((await desk.call("Cluster/MemberList", EMPTY)).code, 9);
  desk.member.isLearner = false;
  assert.equal((await desk.call("Cluster/MemberList", EMPTY)).code, 0);
});
