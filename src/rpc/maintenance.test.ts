import assert from "node:assert/strict";
import { test } from "node:test";
import { errors } from "../errors/index.ts";
import {
  DowngradeRequestSchema,
  DowngradeResponseSchema,
  encodeMessage,
  MoveLeaderRequestSchema,
  StatusResponseSchema,
} from "../wire/index.ts";
import { Desk, memberRow, seen } from "./fixture.test.ts";

const moveTo = (targetID: bigint) => encodeMessage(MoveLeaderRequestSchema, { targetID });
const VALIDATE = 0;
const ENABLE = 1;
const CANCEL = 2;
/** As bytes, since one of the actions is none. */
const downgradeOf = (action: number, version = "") =>
  Buffer.concat([Buffer.from([0x08, action]), encodeMessage(DowngradeRequestSchema, { version })]);

test("move leader: only the leader is asked, for a voter it knows (MA-08)", async () => {
  const desk = new Desk();
  const move = async (target: bigint) => {
    const { code, message } = await desk.call("Maintenance/MoveLeader", moveTo(target));
    return { code, message };
  };
  assert.deepEqual(await move(3n), seen(errors.NotLeader));
  desk.member.lead(1n);
  desk.member.rows.push(memberRow(4n, { isLearner: true }));
  assert.deepEqual(await move(4n), seen(errors.BadLeaderTransferee));
  assert.deepEqual(await move(9n), seen(errors.BadLeaderTransferee));
  assert.deepEqual(desk.member.asked, []);
  assert.deepEqual(await move(1n), { code: 0, message: "" });
  assert.deepEqual(await move(3n), { code: 0, message: "" });
  assert.deepEqual(desk.member.asked, [["move", 3n]]);
});

test("move leader: one that takes too long is told so; the answer has no header (MA-08, FR-28)", async () => {
  const desk = new Desk();
  desk.member.lead(1n);
  const { code, bytes } = await desk.call("Maintenance/MoveLeader", moveTo(2n));
  assert.deepEqual([code, bytes.length], [0, 0]);
  desk.member.move = errors.TimeoutLeaderTransfer;
  const late = await desk.call("Maintenance/MoveLeader", moveTo(2n));
  assert.equal(late.code, 2);
  assert.equal(late.message, "etcdserver: request timed out, leader transfer took too long");
});

test("downgrade: validating says which version the cluster has and changes nothing (MA-09)", async () => {
  const desk = new Desk();
  const answer = await desk.ok(
    "Maintenance/Downgrade",
    downgradeOf(VALIDATE, "3.6.11"),
    DowngradeResponseSchema,
  );
  assert.equal(answer.version, "3.7");
  assert.equal(answer.header?.revision, 42n);
  assert.deepEqual(desk.member.asked, []);
});

test("downgrade: refusals, validating and enabling alike (MA-09)", async () => {
  const desk = new Desk();
  const refused = async (version: string, error: (typeof errors)["NoLeader"]) => {
    for (const action of [VALIDATE, ENABLE]) {
      const answer = await desk.call("Maintenance/Downgrade", downgradeOf(action, version));
      assert.deepEqual({ code: answer.code, message: answer.message }, seen(error));
    }
  };
  await refused("six", errors.WrongDowngradeVersionFormat);
  await refused("3.5", errors.InvalidDowngradeTargetVersion);
  await refused("3.7", errors.InvalidDowngradeTargetVersion);
  desk.member.downgrade = { enabled: true, targetVersion: "3.6.0" };
  await refused("3.6", errors.DowngradeInProcess);
  desk.member.clusterVersion = undefined;
  await refused("3.6", errors.ClusterVersionUnavailable);
  desk.member.read = errors.NoLeader;
  await refused("3.6", errors.NoLeader);
  assert.deepEqual(desk.member.asked, []);
});

test("downgrade: enabling goes through the log (MA-09)", async () => {
  const desk = new Desk();
  await desk.ok("Maintenance/Downgrade", downgradeOf(ENABLE, "3.6"), DowngradeResponseSchema);
  assert.deepEqual(desk.member.asked, [
    { kind: "downgradeInfoSet", enabled: true, version: "3.6.0" },
  ]);
  desk.member.proposal = () => errors.Timeout;
  const late = await desk.call("Maintenance/Downgrade", downgradeOf(ENABLE, "3.6"));
  assert.deepEqual({ code: late.code, message: late.message }, seen(errors.Timeout));
});

test("downgrade: cancelling is answered OK, also when none is under way (MA-09)", async () => {
  const desk = new Desk();
  const cancel = () =>
    desk.ok("Maintenance/Downgrade", downgradeOf(CANCEL), DowngradeResponseSchema);
  assert.equal((await cancel()).version, "3.7");
  assert.deepEqual(desk.member.asked, []);
  desk.member.downgrade = { enabled: true, targetVersion: "3.6.0" };
  await cancel();
  assert.deepEqual(desk.member.asked, [{ kind: "downgradeInfoSet", enabled: false, version: "" }]);
  desk.member.proposal = () => errors.Timeout;
  await cancel();
  desk.member.read = errors.NoLeader;
  await cancel();
});

test("downgrade: an action that does not exist is refused (MA-09)", async () => {
  const desk = new Desk();
  const answer = await desk.call("Maintenance/Downgrade", downgradeOf(99, "3.6"));
  assert.deepEqual({ code: answer.code, message: answer.message }, seen(errors.UnknownMethod));
});

test("status: answered by anybody at any time, with what is wrong in it (MA-03, FR-26)", async () => {
  const desk = new Desk();
  desk.member.lead(0n);
  desk.member.isLearner = true;
  desk.member.raftTerm = 8;
  desk.member.downgrade = { enabled: true, targetVersion: "3.6.0" };
  const status = await desk.ok("Maintenance/Status", Buffer.alloc(0), StatusResponseSchema);
  assert.equal(status.leader, 0n);
  assert.equal(status.isLearner, true);
  assert.equal(status.raftTerm, 8n);
  assert.equal(status.header?.raftTerm, 8n);
  assert.equal(status.header?.revision, 42n);
  assert.deepEqual(status.errors, ["etcdserver: no leader"]);
  assert.equal(status.downgradeInfo?.enabled, true);
  assert.equal(status.downgradeInfo?.targetVersion, "3.6.0");
});
