/** `rolling-restart`: restarts and upgrades, one member at a time, with the service going on. */
import { type Command, switchFlag, textFlag } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, Exit } from "../exit.ts";
import type { Flags } from "../flags.ts";
import { askerOf } from "../health/asker.ts";
import { PLACEHOLDERS } from "../operate/host-command.ts";
import { Notes, notesPath, STATE_FLAG } from "../operate/notes.ts";
import { isRollingNotes } from "../operate/rolling-plan.ts";
import { RollingRestart } from "../operate/rolling-restart.ts";
import { handsOf, reachAll } from "../operate/steps.ts";

/** A member that does not answer must not hold up looking at the others. */
const LOOK_MS_MAX = 2_000;

export const rollingRestart: Command = {
  usage: "--exec <command> [options]",
  description:
    "Followers first, the leader last, after the leadership was moved away. The next one when the\n" +
    "last has applied what the leader had committed when it came back; no one while another is not\n" +
    "well or a majority would be missing. Ends at the first failure. Stopped or killed at any step,\n" +
    "the same command goes on: whose process began at another time than noted is done.\n" +
    `In the command: ${PLACEHOLDERS}.`,
  examples: [
    {
      line: "etcdctl rolling-restart --exec 'ssh %h systemctl restart etcd' --dry-run",
      says: "what would be done",
    },
    {
      line: "etcdctl rolling-restart --exec 'ssh %h systemctl restart etcd'",
      says: "with new options",
    },
    {
      line: "etcdctl rolling-restart --exec 'ssh %h upgrade-etcd 0.2.0' --expect-version 0.2.0",
      says: "another version",
    },
  ],
  flags: [
    textFlag("exec", "", "what restarts a member, run by the shell here"),
    textFlag("expect-version", "", "members must come back with it; who has it is passed over"),
    switchFlag("dry-run", "print what would be done, and do nothing"),
    {
      name: "timeout",
      kind: "duration",
      initial: "5m",
      help: "how long a member may take to come back, and the command to end",
    },
    STATE_FLAG,
  ],
  run: async (context, args, flags) => {
    if (args.length > 0) throw new CtlError("rolling-restart takes no arguments", Exit.BAD_ARGS);
    if (flags.text("exec") === "") {
      const example = "--exec 'ssh %h systemctl restart etcd'";
      throw new CtlError(`--exec is missing: what restarts a member, as ${example}`, Exit.BAD_ARGS);
    }
    const restart = new RollingRestart(await optionsOf(context, flags));
    if (flags.on("dry-run")) context.out(await restart.plan());
    else await restart.run();
  },
};

async function optionsOf(context: Context, flags: Flags) {
  const client = await context.client();
  const clusterId = await reachAll(client, context.timeoutMs);
  const asker = askerOf(context, client, LOOK_MS_MAX);
  const name = `rolling-restart-${clusterId.toString(16)}.json`;
  const { io } = context;
  return {
    io,
    asker,
    hands: handsOf(client, asker, context.timeoutMs),
    timeoutMs: flags.durationMs("timeout"),
    exec: flags.text("exec"),
    expectVersion: flags.text("expect-version"),
    notes: new Notes(notesPath(io, flags, name), isRollingNotes),
  };
}
