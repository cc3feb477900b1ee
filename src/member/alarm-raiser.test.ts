import assert from "node:assert/strict";
import { test } from "node:test";
import type { AlarmSet } from "../alarm/index.ts";
import type { ApplyResponse } from "../apply/index.ts";
import { errors } from "../errors/index.ts";
import type { Logger } from "../seam/index.ts";
import { AlarmAction, AlarmType, type RaftOperation } from "../wire/index.ts";
import { AlarmRaiser } from "./alarm-raiser.ts";
import type { Waiter } from "./types.ts";

function setUp() {
  const proposed: { operation: RaftOperation; waiter: Waiter<ApplyResponse> }[] = [];
  const lines: string[] = [];
  const alarms = { isCapped: false, rows: [] as { memberId: bigint; alarm: number }[] };
  const note = (message: string) => void lines.push(message);
  const logger = { warn: note, error: note } as unknown as Logger;
  const alarmSet = {
    get isCapped() {
      return alarms.isCapped;
    },
    list: () => alarms.rows,
  } as unknown as AlarmSet;
  const raiser = new AlarmRaiser({
    id: 1n,
    alarmSet: () => alarmSet,
    propose: (operation, waiter) => void proposed.push({ operation, waiter }),
    logger,
  });
  return { proposed, lines, alarms, raiser };
}

test("alarms: the quota is used up → NOSPACE of this member, proposed and said once (QU-02)", () => {
  const { proposed, lines, alarms, raiser } = setUp();
  raiser.noSpace(100, 90);
  raiser.noSpace(100, 90);
  assert.equal(proposed.length, 1);
  assert.equal(lines.length, 1);
  const alarm = { action: AlarmAction.ACTIVATE, memberId: 1n, alarm: AlarmType.NOSPACE };
  assert.deepEqual(proposed[0]?.operation, { kind: "alarm", alarm });
  alarms.isCapped = true;
  proposed[0]?.waiter.done({ kind: "leaseCheckpoint" });
  raiser.noSpace(100, 90);
  assert.equal(proposed.length, 1, "it is raised");
  alarms.isCapped = false;
  raiser.noSpace(100, 90);
  assert.equal(proposed.length, 2, "it was disarmed, and is raised again");
});

test("alarms: a proposal that was refused → the next cause raises it again", () => {
  const { proposed, raiser } = setUp();
  raiser.noSpace(100, 90);
  proposed[0]?.waiter.refused(errors.Timeout);
  raiser.noSpace(100, 90);
  assert.equal(proposed.length, 2);
});

test("alarms: damage → CORRUPT of this member, also while another one has its own (MA-01)", () => {
  const { proposed, alarms, raiser } = setUp();
  alarms.rows.push({ memberId: 2n, alarm: AlarmType.CORRUPT });
  raiser.damaged(new Error("bad checksum"));
  raiser.damaged(new Error("bad checksum"));
  raiser.noSpace(100, 90);
  const raised = proposed.map(({ operation }) => operation.kind === "alarm" && operation.alarm);
  assert.deepEqual(
    raised.map((alarm) => alarm !== false && alarm.alarm),
    [AlarmType.CORRUPT, AlarmType.NOSPACE],
  );
  alarms.rows.push({ memberId: 1n, alarm: AlarmType.CORRUPT });
  proposed[0]?.waiter.done({ kind: "leaseCheckpoint" });
  raiser.damaged(new Error("bad checksum"));
  assert.equal(proposed.length, 2);
});

// The alarm was not there yet when the disk had room again, and came a moment later, to stay.
test("alarms: there is room again while NOSPACE is on its way → it is not gone before it came and was cleared (QU-02)", () => {
  const { proposed, alarms, raiser } = setUp();
  raiser.noRoom();
  assert.equal(raiser.roomBack(), false);
  alarms.rows = [{ memberId: 1n, alarm: AlarmType.NOSPACE }];
  proposed[0]?.waiter.done({ kind: "leaseCheckpoint" });
  assert.equal(raiser.roomBack(), false);
  const alarm = { action: AlarmAction.DEACTIVATE, memberId: 1n, alarm: AlarmType.NOSPACE };
  assert.deepEqual(proposed[1]?.operation, { kind: "alarm", alarm });
  alarms.rows = [];
  proposed[1]?.waiter.done({ kind: "leaseCheckpoint" });
  assert.equal(raiser.roomBack(), true);
});
