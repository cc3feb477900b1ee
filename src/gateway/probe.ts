/** What the health pages ask of a member, each answer bounded in time. */
import { errors } from "../errors/index.ts";
import type { Member } from "../member/index.ts";
import type { Timers } from "../seam/index.ts";
import { type AlarmMember, emptyRangeRequest } from "../wire/index.ts";

/** A probe that gets no answer says so before its caller gives up. */
const READ_TIMEOUT_MS = 5_000;

export interface Probe {
  readonly member: Member;
  readonly timers: Timers;
}

/** Undefined when the read succeeds, else why not. */
/** Those that concern this member: another one's own trouble is no reason to leave this one out. */
export function alarmsOf(member: Member): readonly AlarmMember[] {
  return member
    .alarms()
    .filter(({ isScoped, memberId }) => isScoped !== true || memberId === member.id);
}

export function serializableRead(probe: Probe): string | undefined {
  try {
    const response = probe.member.range({
      ...emptyRangeRequest(),
      key: "health",
      serializable: true,
    });
    return "code" in response ? response.message : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export function linearizableRead(probe: Probe): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = probe.timers.after(READ_TIMEOUT_MS, () => resolve(errors.Timeout.message));
    probe.member.readIndex({
      done: () => {
        timer.cancel();
        resolve(serializableRead(probe));
      },
      refused: (error) => {
        timer.cancel();
        resolve(error.message);
      },
    });
  });
}
