import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { EtcdError } from "../errors/index.ts";
import { AlarmAction, type AlarmMember, AlarmType } from "../wire/index.ts";
import { ALARMS_MAX, openAlarms } from "./alarm-set.ts";
import type { AlarmSet } from "./types.ts";

const { GET, ACTIVATE, DEACTIVATE } = AlarmAction;
const { NONE, NOSPACE, CORRUPT } = AlarmType;

function ask(alarms: AlarmSet, action: number, alarm: number, memberId = 0n): string[] {
  const answer = alarms.apply({ action, alarm, memberId });
  assert.ok(!(answer instanceof EtcdError));
  return answer.map(nameOf);
}

function nameOf(alarm: AlarmMember): string {
  return `${alarm.memberId}:${alarm.alarm}`;
}

test("alarm: GET gives all, or those of a type, whatever the member (MA-01)", () => {
  const alarms = openAlarms(new MemoryBackend());
  ask(alarms, ACTIVATE, CORRUPT, 1n);
  ask(alarms, ACTIVATE, NOSPACE, 2n ** 64n - 1n);
  ask(alarms, ACTIVATE, NOSPACE, 3n);
  assert.deepEqual(ask(alarms, GET, NONE, 9n), ["3:1", "18446744073709551615:1", "1:2"]);
  assert.deepEqual(ask(alarms, GET, CORRUPT, 9n), ["1:2"]);
});

test("alarm: ACTIVATE answers the alarm, again if it is set; with NONE it does nothing (MA-01)", () => {
  const alarms = openAlarms(new MemoryBackend());
  assert.deepEqual(ask(alarms, ACTIVATE, NOSPACE, 3n), ["3:1"]);
  assert.deepEqual(ask(alarms, ACTIVATE, NOSPACE, 3n), ["3:1"]);
  assert.deepEqual(ask(alarms, ACTIVATE, NONE, 3n), []);
  assert.equal(alarms.list().length, 1);
});

test("alarm: DEACTIVATE needs exactly member and type (MA-01)", () => {
  const alarms = openAlarms(new MemoryBackend());
  ask(alarms, ACTIVATE, NOSPACE, 3n);
  assert.deepEqual(ask(alarms, DEACTIVATE, NOSPACE, 4n), []);
  assert.deepEqual(ask(alarms, DEACTIVATE, CORRUPT, 3n), []);
  assert.deepEqual(ask(alarms, DEACTIVATE, NONE, 3n), []);
  assert.deepEqual(ask(alarms, DEACTIVATE, NOSPACE, 3n), ["3:1"]);
  assert.deepEqual(ask(alarms, GET, NONE), []);
});

test("alarm: unknown actions and types are refused and change nothing (MA-01, DV-01)", () => {
  const alarms = openAlarms(new MemoryBackend());
  for (const [action, alarm] of [
    [99, NONE],
    [-1, NOSPACE],
    [GET, 3],
    [ACTIVATE, 99],
    [DEACTIVATE, -1],
  ] as const) {
    const answer = alarms.apply({ action, alarm, memberId: 1n });
    assert.ok(answer instanceof EtcdError && answer.id === "InvalidAlarm");
  }
  assert.deepEqual(alarms.list(), []);
});

test("alarm: one member's alarm counts for all, until the last of its type goes (MA-02)", () => {
  const alarms = openAlarms(new MemoryBackend());
  assert.deepEqual([alarms.isCapped, alarms.isCorrupt], [false, false]);
  ask(alarms, ACTIVATE, NOSPACE, 1n);
  ask(alarms, ACTIVATE, NOSPACE, 2n);
  ask(alarms, ACTIVATE, CORRUPT, 2n);
  ask(alarms, DEACTIVATE, NOSPACE, 1n);
  assert.deepEqual([alarms.isCapped, alarms.isCorrupt], [true, true]);
  ask(alarms, DEACTIVATE, NOSPACE, 2n);
  assert.deepEqual([alarms.isCapped, alarms.isCorrupt], [false, true]);
});

test("alarm: the set survives a restart in etcd's rows (MA-02)", async () => {
  const backend = new MemoryBackend();
  const alarms = openAlarms(backend);
  ask(alarms, ACTIVATE, NOSPACE, 300n);
  ask(alarms, ACTIVATE, CORRUPT, 0n);
  ask(alarms, ACTIVATE, CORRUPT, 1n);
  ask(alarms, DEACTIVATE, CORRUPT, 1n);
  const rows = backend.scan("alarm", Buffer.alloc(0), undefined, 10);
  assert.deepEqual(
    rows.map((row) => `${row.key.toString("hex")}=${row.value.toString("hex")}`),
    ["08ac021001=", "1002="],
  );
  await backend.commit();
  const again = openAlarms(backend.crash());
  assert.deepEqual(again.list().map(nameOf), ["300:1", "0:2"]);
  assert.deepEqual([again.isCapped, again.isCorrupt], [true, true]);
});

test("alarm: the set is bounded", () => {
  const alarms = openAlarms(new MemoryBackend());
  for (let id = 0n; id < ALARMS_MAX; id += 1n) ask(alarms, ACTIVATE, NOSPACE, id);
  const answer = alarms.apply({ action: ACTIVATE, alarm: NOSPACE, memberId: 999_999n });
  assert.ok(answer instanceof EtcdError && answer.id === "TooManyRequests");
  assert.deepEqual(ask(alarms, ACTIVATE, NOSPACE, 5n), ["5:1"]);
});

test("alarm: a row that is no alarm is passed over", () => {
  const backend = new MemoryBackend();
  for (const hex of ["ff", "0801", "08011009", "00"]) {
    backend.put("alarm", Buffer.from(hex, "hex"), Buffer.alloc(0));
  }
  assert.deepEqual(openAlarms(backend).list(), []);
});
