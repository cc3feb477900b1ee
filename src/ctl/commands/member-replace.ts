/** `member replace`: the seven steps from a lost member to a new one that votes (BT-d7). */
import { type Command, switchFlag, textFlag } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, Exit } from "../exit.ts";
import type { Flags } from "../flags.ts";
import { parseUint64 } from "../go-values.ts";
import { askerOf } from "../health/asker.ts";
import { PLACEHOLDERS } from "../operate/host-command.ts";
import { Notes, notesPath, STATE_FLAG } from "../operate/notes.ts";
import { memberChangesOf, Replacement } from "../operate/replace.ts";
import { isReplaceNotes } from "../operate/replace-plan.ts";
import { handsOf, reachAll } from "../operate/steps.ts";
import { peerUrlList } from "../peer-url-list.ts";

/** A member that is lost must not hold up looking at the others. */
const LOOK_MS_MAX = 2_000;

export const memberReplace: Command = {
  usage: "<id> [options]",
  description:
    "Sees that the others are a majority, removes the member, adds its peer URLs anew as a learner,\n" +
    "says how to start it on its host (or does so with --exec), waits until it has caught up, and\n" +
    "gives it a vote. Stopped or killed at any step, the same command goes on.\n" +
    `In the command: ${PLACEHOLDERS}, %c initial cluster.`,
  examples: [
    { line: "etcdctl member replace 84cc10f05a43d09f", says: "its host got a new disk" },
    {
      line: "etcdctl member replace 84cc10f05a43d09f --peer-urls=https://10.10.1.13:2380",
      says: "on another host",
    },
    {
      line: "etcdctl member replace 84cc10f05a43d09f --exec 'ssh %h join-etcd %n %c'",
      says: "the host has a script that starts it empty",
    },
  ],
  flags: [
    textFlag("peer-urls", "", "of the new member, with commas (default: the old one's)"),
    textFlag("name", "", "of the new member (default: the old one's)"),
    switchFlag("voter", "add it with a vote at once, not as a learner"),
    textFlag("exec", "", "what starts it with an empty data directory, run by the shell here"),
    switchFlag("dry-run", "print what would be done, and do nothing"),
    {
      name: "timeout",
      kind: "duration",
      initial: "30m",
      help: "how long it may take to be started, and to catch up",
    },
    STATE_FLAG,
  ],
  run: async (context, args, flags) => {
    const replacement = new Replacement(await optionsOf(context, args, flags));
    if (flags.on("dry-run")) context.out(await replacement.plan());
    else await replacement.run();
  },
};

async function optionsOf(context: Context, args: readonly string[], flags: Flags) {
  const oldId = idOf(args);
  const urls = flags.text("peer-urls");
  const peerUrls = urls === "" ? [] : peerUrlList(urls);
  const client = await context.client();
  const clusterId = await reachAll(client, context.timeoutMs);
  const asker = askerOf(context, client, LOOK_MS_MAX);
  const file = `replace-${clusterId.toString(16)}-${oldId.toString(16)}.json`;
  const { io, timeoutMs: callMs } = context;
  return {
    io,
    asker,
    hands: handsOf(client, asker, callMs),
    changes: memberChangesOf(client, callMs),
    timeoutMs: flags.durationMs("timeout"),
    oldId,
    peerUrls,
    name: flags.text("name"),
    isVoter: flags.on("voter"),
    exec: flags.text("exec"),
    notes: new Notes(notesPath(io, flags, file), isReplaceNotes),
  };
}

function idOf(args: readonly string[]): bigint {
  const [text] = args;
  if (text === undefined || args.length > 1) {
    throw new CtlError("member ID is not provided", Exit.BAD_ARGS);
  }
  try {
    return parseUint64(text, 16);
  } catch (error) {
    const why = (error as Error).message;
    throw new CtlError(`bad member ID arg (${why}), expecting ID in Hex`, Exit.BAD_ARGS);
  }
}
