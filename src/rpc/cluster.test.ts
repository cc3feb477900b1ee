import assert from "node:assert/strict";
import { test } from "node:test";
import { errors } from "../errors/index.ts";
import {
  encodeMessage,
  MemberAddRequestSchema,
  MemberAddResponseSchema,
  MemberListRequestSchema,
  MemberListResponseSchema,
  MemberPromoteRequestSchema,
  MemberPromoteResponseSchema,
  MemberRemoveRequestSchema,
  MemberRemoveResponseSchema,
  MemberUpdateRequestSchema,
  MemberUpdateResponseSchema,
} from "../wire/index.ts";
import { Desk, memberRow, seen } from "./fixture.test.ts";

const URLS = ["http://new:2380"];
const addOf = (peerURLs: string[], isLearner = false) =>
  encodeMessage(MemberAddRequestSchema, { peerURLs, isLearner });
const removeOf = (ID: bigint) => encodeMessage(MemberRemoveRequestSchema, { ID });
const updateOf = (ID: bigint, peerURLs: string[]) =>
  encodeMessage(MemberUpdateRequestSchema, { ID, peerURLs });
const promoteOf = (ID: bigint) => encodeMessage(MemberPromoteRequestSchema, { ID });

test("member add: the new member and all, no revision in the header (CL-01, CL-11, FR-27)", async () => {
  const desk = new Desk();
  const added = memberRow(9n, { name: "", peerUrls: URLS, clientUrls: [], isLearner: true });
  desk.member.change = { result: { member: added, members: [...desk.member.rows, added] } };
  const answer = await desk.ok("Cluster/MemberAdd", addOf(URLS, true), MemberAddResponseSchema);
  assert.deepEqual(desk.member.asked, [["add", URLS, true]]);
  const { clusterId, memberId, raftTerm, revision } = answer.header ?? {};
  assert.deepEqual([clusterId, memberId, raftTerm, revision], [77n, 1n, 5n, 0n]);
  const { ID, name, peerURLs, clientURLs, isLearner } = answer.member ?? {};
  assert.deepEqual([ID, name, peerURLs, clientURLs, isLearner], [9n, "", URLS, [], true]);
  assert.deepEqual(
    answer.members.map((member) => member.ID),
    [1n, 2n, 3n, 9n],
  );
});

test("member add and update: URLs that lead nowhere never reach the member (CL-01, CL-06, DV-02)", async () => {
  const desk = new Desk();
  for (const urls of [[], ["bad"], ["http://a:1/path"]]) {
    for (const answer of [
      await desk.call("Cluster/MemberAdd", addOf(urls)),
      await desk.call("Cluster/MemberUpdate", updateOf(2n, urls)),
    ]) {
      assert.equal(answer.code, 3);
      assert.equal(answer.message, "etcdserver: given member URLs are invalid");
    }
  }
  assert.deepEqual(desk.member.asked, []);
});

test("member remove, update, promote: what is asked, and the members after it (CL-05, CL-06, CL-08)", async () => {
  const desk = new Desk();
  desk.member.raftTerm = 6;
  desk.member.change = { result: { member: undefined, members: [memberRow(1n)] } };
  const answers = [
    await desk.ok("Cluster/MemberRemove", removeOf(3n), MemberRemoveResponseSchema),
    await desk.ok("Cluster/MemberUpdate", updateOf(3n, URLS), MemberUpdateResponseSchema),
    await desk.ok("Cluster/MemberPromote", promoteOf(3n), MemberPromoteResponseSchema),
  ];
  assert.deepEqual(desk.member.asked, [
    ["remove", 3n],
    ["update", 3n, URLS],
    ["promote", 3n],
  ]);
  for (const { header, members } of answers) {
    assert.equal(header?.revision, 0n);
    assert.equal(header?.raftTerm, 6n);
    assert.deepEqual(
      members.map(({ ID, clientURLs }) => [ID, clientURLs]),
      [[1n, ["http://m1:2379"]]],
    );
  }
});

test("member changes: refusals with etcd's code and text (CL-02, CL-03, CL-04, CL-05, CL-08, CL-12)", async () => {
  const refusals = [
    [errors.MemberNotEnoughStarted, 9],
    [errors.Unhealthy, 14],
    [errors.TooManyLearners, 9],
    [errors.MemberExist, 9],
    [errors.PeerURLExist, 9],
    [errors.MemberNotFound, 5],
    [errors.MemberNotLearner, 9],
    [errors.MemberLearnerNotReady, 9],
    [errors.Timeout, 14],
  ] as const;
  const calls = [
    ["Cluster/MemberAdd", addOf(URLS)],
    ["Cluster/MemberRemove", removeOf(3n)],
    ["Cluster/MemberUpdate", updateOf(3n, URLS)],
    ["Cluster/MemberPromote", promoteOf(3n)],
  ] as const;
  const desk = new Desk();
  for (const [error, code] of refusals) {
    desk.member.change = error;
    for (const [path, request] of calls) {
      const answer = await desk.call(path, request);
      assert.deepEqual({ code: answer.code, message: answer.message }, seen(error));
      assert.equal(answer.code, code);
    }
  }
});

test("member changes: bytes that are no request end the call alone", async () => {
  const desk = new Desk();
  for (const name of ["MemberAdd", "MemberRemove", "MemberUpdate", "MemberPromote"]) {
    assert.equal((await desk.call(`Cluster/${name}`, Buffer.from([0x0a, 0xff]))).code, 13);
  }
});

test("member list: local by default, after a read round when asked so (CL-07)", async () => {
  const desk = new Desk();
  desk.member.read = errors.NoLeader;
  const list = (linearizable: boolean) => encodeMessage(MemberListRequestSchema, { linearizable });
  const local = await desk.ok("Cluster/MemberList", list(false), MemberListResponseSchema);
  assert.equal(local.members.length, 3);
  assert.equal(local.header?.revision, 0n);
  const refused = await desk.call("Cluster/MemberList", list(true));
  assert.deepEqual([refused.code, refused.message], [14, "etcdserver: no leader"]);
  desk.member.read = { result: undefined };
  const sure = await desk.ok("Cluster/MemberList", list(true), MemberListResponseSchema);
  assert.deepEqual(
    sure.members.map(({ ID }) => ID),
    [1n, 2n, 3n],
  );
});
