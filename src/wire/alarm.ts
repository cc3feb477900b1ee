/** Maintenance.Alarm, and the alarm as it is stored (the key in table `alarm`). */
import { ByteReader, type ByteWriter } from "../base/index.ts";
import { fieldBig, fieldInt } from "./fields.ts";
import { encodeHeaderField } from "./header.ts";
import { type AlarmMember, type AlarmRequest, AlarmType, type ResponseHeader } from "./messages.ts";

/** Field 2001, beside what etcd knows of. */
const SCOPED_TAG = 2001 << 3;

export function decodeAlarmRequest(bytes: Buffer, lo = 0, hi = bytes.length): AlarmRequest {
  const request: AlarmRequest = { action: 0, memberId: 0n, alarm: 0 };
  readAlarmRequest(new ByteReader(bytes, lo, hi), request);
  return request;
}

export function readAlarmRequest(reader: ByteReader, request: AlarmRequest): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 8) request.action = reader.int32();
    else if (tag === 16) request.memberId = reader.bigUint();
    else if (tag === 24) request.alarm = reader.int32();
    else if (tag === SCOPED_TAG) request.isScoped = reader.bool();
    else reader.skip(tag);
  }
}

export function encodeAlarmRequest(writer: ByteWriter, request: AlarmRequest): void {
  fieldInt(writer, 8, request.action); // 1
  fieldBig(writer, 16, request.memberId); // 2
  fieldInt(writer, 24, request.alarm); // 3
  fieldScoped(writer, request);
}

function fieldScoped(writer: ByteWriter, { isScoped }: { readonly isScoped?: boolean }): void {
  if (isScoped !== true) return;
  writer.uint(SCOPED_TAG);
  writer.bool(true);
}

export function encodeAlarmMember(writer: ByteWriter, member: AlarmMember): void {
  fieldBig(writer, 8, member.memberId); // 1
  fieldInt(writer, 16, member.alarm); // 2
  fieldScoped(writer, member);
}

export function decodeAlarmMember(bytes: Buffer, lo = 0, hi = bytes.length): AlarmMember {
  return readAlarmMember(new ByteReader(bytes, lo, hi));
}

function readAlarmMember(reader: ByteReader): AlarmMember {
  const member: AlarmMember = { memberId: 0n, alarm: 0 };
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 8) member.memberId = reader.bigUint();
    else if (tag === 16) member.alarm = reader.int32();
    else if (tag === SCOPED_TAG) member.isScoped = reader.bool();
    else reader.skip(tag);
  }
  return member;
}

export function encodeAlarmResponse(
  writer: ByteWriter,
  header: ResponseHeader,
  alarms: readonly AlarmMember[],
): void {
  encodeHeaderField(writer, header); // 1
  for (const alarm of alarms) {
    writer.byte(18); // 2
    const mark = writer.beginMessage();
    encodeAlarmMember(writer, alarm);
    writer.endMessage(mark);
  }
}

export function decodeAlarmResponse(bytes: Buffer, lo = 0, hi = bytes.length): AlarmMember[] {
  const reader = new ByteReader(bytes, lo, hi);
  const alarms: AlarmMember[] = [];
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag !== 18) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    alarms.push(readAlarmMember(reader));
    reader.leave(outer);
  }
  return alarms;
}

const NAMES = new Map<number, string>(
  Object.entries(AlarmType).map(([name, number]) => [number, name]),
);

/** As operators see it; UNKNOWN for a type of a later version. */
export function alarmName(alarm: number): string {
  return NAMES.get(alarm) ?? "UNKNOWN";
}
