/** `alarm list` and `alarm disarm` (CT-13). */
import type { Command } from "../command.ts";
import { CtlError, Exit } from "../exit.ts";
import { printAlarms } from "../print/maintenance.ts";

export const alarmList: Command = {
  usage: "",
  description: "Alarms that are raised, each with the member (in decimal) that raised it.",
  examples: [{ line: "etcdctl alarm list", says: "nothing printed: no alarm" }],
  flags: [],
  run: async (context, args) => {
    if (args.length > 0) throw tooMany("list");
    const { maintenance } = await context.client();
    const { timeoutMs } = context;
    const { header, alarms } = await maintenance.alarms("none", { timeoutMs });
    context.print(printAlarms(header, alarms, context));
  },
};

export const alarmDisarm: Command = {
  usage: "",
  description:
    "Clears every alarm and prints those that were cleared. Remove the cause first: after NOSPACE\n" +
    "compact and defragment, after CORRUPT replace the member.",
  examples: [{ line: "etcdctl alarm disarm", says: "writes are taken again" }],
  flags: [],
  run: async (context, args) => {
    if (args.length > 0) throw tooMany("disarm");
    const { maintenance } = await context.client();
    const { timeoutMs } = context;
    const { alarms: raised } = await maintenance.alarms("none", { timeoutMs });
    const cleared = [];
    for (const { memberId, alarm } of raised) {
      const answer = await maintenance.deactivateAlarm(memberId, alarm, { timeoutMs });
      cleared.push(...answer.alarms);
    }
    context.print(printAlarms(undefined, cleared, context));
  },
};

function tooMany(what: string): CtlError {
  return new CtlError(`alarm ${what} command accepts no arguments`, Exit.BAD_ARGS);
}
