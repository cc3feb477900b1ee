/** Answers about alarms, leadership and downgrades in every format. */
import type {
  AlarmKind,
  DowngradeResponse,
  MaybeHeaderResponse,
  MemberAlarm,
  ResponseHeader,
} from "../../client/index.ts";
import {
  AlarmResponseSchema,
  AlarmType,
  DowngradeResponseSchema,
  encodeMessage,
  MoveLeaderResponseSchema,
} from "../../wire/index.ts";
import type { Printable } from "../context.ts";
import { headerFields, headerJson } from "./header.ts";
import { type GoJson, goJson, omitEmpty } from "./json.ts";
import { type MemberStyle, wireHeader } from "./members.ts";

const NO_HEADER: ResponseHeader = { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 };

/** The name in capitals that etcd gives an alarm. */
export function alarmName(kind: AlarmKind): string {
  return kind.toUpperCase();
}

/** The enum is an open one: numbers that etcd does not know go through it. */
function alarmNumber(kind: AlarmKind): 0 | 1 | 2 {
  const found = Object.entries(AlarmType).find(([name]) => name === alarmName(kind));
  return (found?.[1] ?? 0) as 0 | 1 | 2;
}

/** `header` is undefined where the answer was put together from several. */
export function printAlarms(
  header: ResponseHeader | undefined,
  alarms: readonly MemberAlarm[],
  { isHex, minor }: MemberStyle,
): Printable {
  const id = ({ memberId }: MemberAlarm): string => {
    return isHex && minor >= 6 ? memberId.toString(16) : String(memberId);
  };
  return {
    simple: () =>
      alarms.map((one) => `memberID:${one.memberId} alarm:${alarmName(one.alarm)} \n`).join(""),
    json: () =>
      `${goJson(
        omitEmpty({
          ...headerPart(header),
          alarms: alarms.map(({ memberId, alarm }) =>
            omitEmpty({ memberID: memberId, alarm: alarmNumber(alarm) }),
          ),
        }),
      )}\n`,
    fields: () =>
      headerFields(header ?? NO_HEADER, isHex && minor >= 6, minor) +
      alarms
        .map((one) => `"MemberID" : ${id(one)}\n"AlarmType" : ${alarmName(one.alarm)}\n\n`)
        .join(""),
    protobuf: () =>
      encodeMessage(AlarmResponseSchema, {
        ...wirePart(header),
        alarms: alarms.map(({ memberId, alarm }) => {
          return { memberID: memberId, alarm: alarmNumber(alarm) };
        }),
      }),
  };
}

export function printMoveLeader(
  { header }: MaybeHeaderResponse,
  from: bigint,
  to: bigint,
): Printable {
  return {
    simple: () => `Leadership transferred from ${from.toString(16)} to ${to.toString(16)}\n`,
    json: () => `${goJson(headerPart(header))}\n`,
    protobuf: () => encodeMessage(MoveLeaderResponseSchema, wirePart(header)),
  };
}

export function printDowngrade(
  { header, version }: DowngradeResponse,
  action: "validate" | "enable" | "cancel",
): Printable {
  return {
    simple: () => `Downgrade ${action} success, cluster version ${version}\n`,
    json: () => `${goJson({ ...headerPart(header), ...omitEmpty({ version }) })}\n`,
    protobuf: () => encodeMessage(DowngradeResponseSchema, { ...wirePart(header), version }),
  };
}

/** A header that no server sent is left out; every server has an id for its cluster. */
function headerPart(header: ResponseHeader | undefined): Record<string, GoJson> {
  return header === undefined || header.clusterId === 0n ? {} : { header: headerJson(header) };
}

function wirePart(header: ResponseHeader | undefined) {
  return header === undefined || header.clusterId === 0n ? {} : { header: wireHeader(header) };
}
