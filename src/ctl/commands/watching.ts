/** What `watch` and `watch -i` have in common: plans, and showing what comes. */
import type { Client, Watch, WatchBatch } from "../../client/index.ts";
import { countFlag, switchFlag } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, CtlExit, Exit } from "../exit.ts";
import type { Flags } from "../flags.ts";
import { eventName, printWatch } from "../print/watch.ts";
import { quote } from "../print/quote.ts";

export const WATCH_FLAGS = [
  switchFlag("interactive", "read watch and progress commands from stdin", "i"),
  switchFlag("prefix", "all keys that begin with this one"),
  switchFlag("prev-kv", "show the pair as it was before too"),
  switchFlag("progress-notify", "show how far the server is while nothing happens"),
  countFlag("rev", 0, "begin with this revision, not with what comes now"),
];

const BAD_COUNT = "bad number of arguments";

/** What to watch, and what to run at each event. */
export interface WatchPlan {
  readonly keys: readonly string[];
  readonly command: readonly string[];
}

/** `preset` are the keys of the environment. Throws CtlError in etcdctl's words. */
export function watchPlan(
  args: readonly string[],
  dashAt: number | undefined,
  preset: readonly string[],
): WatchPlan {
  if (dashAt !== undefined && dashAt === args.length) {
    throw badArgs(`${BAD_COUNT} (found separator --, but no commands)`);
  }
  const own = args.slice(0, dashAt);
  const command = dashAt === undefined ? [] : args.slice(dashAt);
  if (preset.length > 0 && own.length > 0) {
    throw badArgs(`${BAD_COUNT} (found conflicting environment key)`);
  }
  return { keys: [...preset, ...own], command };
}

/** Begins to watch. Throws CtlError. */
export function begin(client: Client, { keys }: WatchPlan, flags: Flags, wantsProgress = false) {
  const [key, rangeEnd] = keys;
  if (key === undefined) throw badArgs(BAD_COUNT);
  const prefix = flags.on("prefix");
  const isRange = keys.length === 2;
  if (isRange && prefix) throw badArgs("`range_end` and `--prefix` are mutually exclusive");
  return client.watch(Buffer.from(key, "utf8"), {
    prefix,
    rangeEnd: isRange ? rangeEnd : undefined,
    startRevision: Math.max(0, flags.count("rev")),
    prevKv: flags.on("prev-kv"),
    progressNotify: wantsProgress || flags.on("progress-notify"),
  });
}

/** Shows a watch until the server ends it. `isProgressShown` is asked at each sign of progress. */
export async function show(
  context: Context,
  watching: Watch,
  command: readonly string[],
  isProgressShown: () => boolean,
): Promise<void> {
  try {
    for await (const batch of watching) {
      if (batch.kind === "progress") {
        if (!isProgressShown()) continue;
        context.out(`progress notify: ${batch.header.revision}\n`);
      }
      context.print(printWatch(batch, context));
      if (command.length > 0) await runForEach(context, batch, command);
    }
  } catch (error) {
    if (error instanceof CtlError) throw error;
    const { message, compactRevision = 0 } = error as Error & { compactRevision?: number };
    context.err(`watch was canceled (${message})\n`);
    const none = { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 };
    const header = await watching.created.catch(() => none);
    const end = { compactRevision, reason: "" };
    context.print(printWatch({ header: { ...header, revision: 0 }, events: [], end }, context));
  }
}

async function runForEach(
  context: Context,
  { header, events }: WatchBatch,
  command: readonly string[],
): Promise<void> {
  for (const event of events) {
    const { error } = await context.io.start(command, {
      ETCD_WATCH_REVISION: String(header.revision),
      ETCD_WATCH_EVENT_TYPE: quote(eventName(event)),
      ETCD_WATCH_KEY: quote(event.kv.key),
      ETCD_WATCH_VALUE: quote(event.kv.value),
    }).ended;
    if (error === undefined) continue;
    const words = command.map((word) => quote(word)).join(" ");
    context.err(`command [${words}] error (${error})\n`);
    throw new CtlExit(Exit.ERROR);
  }
}

function badArgs(message: string): CtlError {
  return new CtlError(message, Exit.BAD_ARGS);
}
