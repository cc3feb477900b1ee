/**
 * The replicated set of alarms and its table.
 *
 * A handful of rows at most in a healthy cluster, so a sorted array is the whole structure; but a
 * client may activate an alarm for any member id, so the set has a limit (ALARMS_MAX) that is part
 * of the state machine: every member refuses the same entry.
 *
 * Source: surface 6 (MA-01, MA-02), 19 (bucket `alarm`: marshalled AlarmMember -> empty).
 */
import type { Backend } from "../backend/index.ts";
import { MalformedError } from "../base/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import {
  AlarmAction,
  type AlarmMember,
  type AlarmRequest,
  AlarmType,
  decodeAlarmMember,
  encodeAlarmMember,
  marshal,
} from "../wire/index.ts";
import type { AlarmSet } from "./types.ts";

/** Alarms in the set. Beyond: `too many requests`, on every member alike. */
export const ALARMS_MAX = 1_000;
const SCAN_ROWS = 1_000;
const EMPTY = Buffer.alloc(0);

function compare(a: AlarmMember, b: AlarmMember): number {
  if (a.alarm !== b.alarm) return a.alarm - b.alarm;
  if (a.memberId === b.memberId) return 0;
  return a.memberId < b.memberId ? -1 : 1;
}

function encodeRow(alarm: AlarmMember): Buffer {
  return marshal(encodeAlarmMember, alarm);
}

/** Undefined for a row that is no alarm of a type that exists; it stays where it is. */
function decodeRow(key: Buffer): AlarmMember | undefined {
  try {
    const { memberId, alarm, isScoped = false } = decodeAlarmMember(key);
    return isAlarm(alarm) ? alarmOf(memberId, alarm, isScoped) : undefined;
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

function alarmOf(memberId: bigint, alarm: number, isScoped: boolean): AlarmMember {
  return isScoped ? { memberId, alarm, isScoped } : { memberId, alarm };
}

function isAlarm(alarm: number): boolean {
  const { NOSPACE, CORRUPT, TIME_TRAVEL } = AlarmType;
  return alarm === NOSPACE || alarm === CORRUPT || alarm === TIME_TRAVEL;
}

/** Reads the table; the set writes to it from then on. */
export function openAlarms(backend: Backend): AlarmSet {
  const alarms: AlarmMember[] = [];
  let lo: Buffer = EMPTY;
  for (;;) {
    const rows = backend.scan("alarm", lo, undefined, SCAN_ROWS);
    for (const row of rows) {
      const alarm = decodeRow(row.key);
      if (alarm !== undefined) alarms.push(alarm);
    }
    const last = rows[rows.length - 1];
    if (rows.length < SCAN_ROWS || last === undefined) break;
    lo = Buffer.concat([last.key, Buffer.alloc(1)]);
  }
  return new StoredAlarms(backend, alarms.sort(compare));
}

class StoredAlarms implements AlarmSet {
  readonly #backend: Backend;
  /** Invariant: sorted by `compare`, no two equal, the same as the table. */
  readonly #alarms: AlarmMember[];
  isCapped = false;
  isCorrupt = false;
  scoped: readonly bigint[] = [];

  constructor(backend: Backend, alarms: AlarmMember[]) {
    this.#backend = backend;
    this.#alarms = alarms;
    this.#derive();
  }

  apply(request: AlarmRequest): AlarmMember[] | EtcdError {
    if (request.alarm !== AlarmType.NONE && !isAlarm(request.alarm)) return errors.InvalidAlarm;
    switch (request.action) {
      case AlarmAction.GET:
        return this.#alarms.filter(
          (alarm) => request.alarm === AlarmType.NONE || alarm.alarm === request.alarm,
        );
      case AlarmAction.ACTIVATE:
        return request.alarm === AlarmType.NONE ? [] : this.#activate(request);
      case AlarmAction.DEACTIVATE:
        return this.#deactivate(request);
      default:
        return errors.InvalidAlarm;
    }
  }

  list(): readonly AlarmMember[] {
    return this.#alarms;
  }

  #activate(request: AlarmRequest): AlarmMember[] | EtcdError {
    const { memberId, alarm: type, isScoped = false } = request;
    const alarm = alarmOf(memberId, type, isScoped);
    if (this.#find(alarm) >= 0) return [alarm];
    if (this.#alarms.length >= ALARMS_MAX) return errors.TooManyRequests;
    this.#backend.put("alarm", encodeRow(alarm), EMPTY);
    this.#alarms.push(alarm);
    this.#alarms.sort(compare);
    this.#derive();
    return [alarm];
  }

  #deactivate(request: AlarmRequest): AlarmMember[] {
    const alarm: AlarmMember = { memberId: request.memberId, alarm: request.alarm };
    const at = this.#find(alarm);
    if (at < 0) return [];
    // As it was raised: whether it is scoped is part of its row.
    this.#backend.delete("alarm", encodeRow(this.#alarms[at] as AlarmMember));
    this.#alarms.splice(at, 1);
    this.#derive();
    return [alarm];
  }

  #find(wanted: AlarmMember): number {
    return this.#alarms.findIndex((alarm) => compare(alarm, wanted) === 0);
  }

  #derive(): void {
    this.isCapped = this.#alarms.some((alarm) => alarm.alarm === AlarmType.NOSPACE);
    this.isCorrupt = this.#alarms.some(
      ({ alarm, isScoped }) => alarm === AlarmType.CORRUPT && isScoped !== true,
    );
    this.scoped = this.#alarms
      .filter(({ alarm, isScoped }) => alarm === AlarmType.CORRUPT && isScoped)
      .map(({ memberId }) => memberId);
  }
}
