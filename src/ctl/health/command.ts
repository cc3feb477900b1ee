/**
 * `holdfast health`: the lines and exit codes that etcd-health.sh prints, and below them in one
 * glance who leads, who is behind, and what is wrong with what to do about it (EQ-d2, BT-d6).
 */
import { type Command, type FlagSpec, switchFlag } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, CtlExit, Exit } from "../exit.ts";
import type { Flags } from "../flags.ts";
import { isPausedFor } from "../pause.ts";
import { type Assessment, assess } from "./assess.ts";
import { askerOf } from "./asker.ts";
import { type Asker, type Look, lookAt } from "./look.ts";
import { changes, glanceText, healthJson } from "./show.ts";

const EXIT_LIST_FAILED = 4;
const EXIT_NOT_HEALTHY = Exit.INTERRUPTED;

const FLAGS: readonly FlagSpec[] = [
  { name: "timeout", kind: "duration", initial: "5s", help: "how long a member may take" },
  switchFlag("brief", "the lines of etcd-health.sh alone"),
  switchFlag("watch", "again and again: redrawn on a terminal, what has changed elsewhere"),
  { name: "interval", kind: "duration", initial: "2s", help: "pause between two looks of --watch" },
];

export const health: Command = {
  usage: "[options]",
  description:
    "Asks all members at once, found by --endpoints and the cluster's own list. LAG is in entries of\n" +
    "the log, FSYNC what 99 of 100 syncs of the log took at most, CLOCK the largest difference to\n" +
    "another member's clock. Exit code 0: healthy. 5: not. 4: the members could not be listed.",
  examples: [
    { line: "holdfast health", says: "the cluster of the member on this host" },
    { line: "holdfast health --endpoints=10.10.1.10:2379 --watch", says: "keep looking" },
    { line: "holdfast health -w json", says: "for a program" },
  ],
  flags: FLAGS,
  run: async (context, _, flags) => {
    const format = formatOf(context);
    const asker = askerOf(context, await context.client(), flags.durationMs("timeout"));
    const look = await lookOrEnd(context, asker);
    const found = assess(look, context.minor);
    if (format === "json") context.out(healthJson(found));
    else tell(context, flags, look, found);
    if (flags.on("watch")) return await watch(context, flags, asker, { look, found });
    if (!found.isHealthy) throw new CtlExit(EXIT_NOT_HEALTHY);
  },
};

function formatOf(context: Context): "simple" | "json" {
  const { format } = context;
  if (format === "simple" || format === "json") return format;
  throw new CtlError(`${format} not supported as output format`, Exit.BAD_FEATURE);
}

async function lookOrEnd(context: Context, asker: Asker): Promise<Look> {
  try {
    return await lookAt(asker);
  } catch (error) {
    const failures = (error instanceof AggregateError ? error.errors : [error]) as Error[];
    const errors = failures.map(({ message }) => message);
    if (formatOf(context) === "json") {
      context.out(`${JSON.stringify({ verdict: "unknown", isHealthy: false, errors })}\n`);
    } else context.out("cluster may be unhealthy: failed to list members\n");
    for (const message of errors) context.err(`Error: ${message}\n`);
    throw new CtlExit(EXIT_LIST_FAILED);
  }
}

function tell(context: Context, flags: Flags, look: Look, found: Assessment): void {
  const lines = look.members.flatMap(({ health: { lines: told } }) => told).join("");
  const seed = `${lines}cluster is ${found.verdict}\n`;
  context.out(flags.on("brief") ? seed : `${seed}\n${glance(context, found)}`);
}

function glance({ io }: Context, found: Assessment): string {
  return glanceText(found, {
    hasColours: io.isTerminal && (io.env["NO_COLOR"] ?? "") === "",
    // A terminal that does not know its width says 0.
    columns: (io.isTerminal && io.columns) || Number.MAX_SAFE_INTEGER,
  });
}

interface Seen {
  readonly look: Look;
  readonly found: Assessment;
}

/** Until Ctrl-C, which is no failure. A look that fails is told, and the next one is taken. */
async function watch(context: Context, flags: Flags, asker: Asker, first: Seen): Promise<void> {
  const isLive = context.io.isTerminal && formatOf(context) === "simple";
  const pauseMs = flags.durationMs("interval");
  let seen = first;
  let hasFailed = false;
  const stop = new AbortController();
  const unhook = context.io.onInterrupt(() => stop.abort());
  try {
    while (await isPausedFor(pauseMs, stop.signal)) {
      const now = await lookAgain(context, asker, seen).catch((error: unknown) => {
        if (!hasFailed) context.err(`no endpoint answers: ${(error as Error).message}\n`);
        hasFailed = true;
      });
      if (now === undefined || stop.signal.aborted) continue;
      hasFailed = false;
      if (isLive) context.out(`\x1b[H\x1b[J${redrawn(context, flags, now)}`);
      else if (formatOf(context) === "json") context.out(healthJson(now.found));
      else context.out(changes(seen.found, now.found, new Date().toISOString()));
      seen = now;
    }
  } finally {
    unhook();
  }
}

async function lookAgain({ minor }: Context, asker: Asker, before: Seen): Promise<Seen> {
  const look = await lookAt(asker);
  return { look, found: assess(look, minor, before.look) };
}

function redrawn(context: Context, flags: Flags, { look, found }: Seen): string {
  const text = flags.on("brief")
    ? look.members.flatMap(({ health: { lines } }) => lines).join("")
    : glance(context, found);
  const head = `${new Date().toISOString()}  cluster is ${found.verdict}`;
  return `${head}\n\n${text}`;
}
