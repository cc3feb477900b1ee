/** `top`: what the cluster does now, again and again. */
import { type Command, switchFlag } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, Exit } from "../exit.ts";
import type { Flags } from "../flags.ts";
import { askerOf } from "../health/asker.ts";
import { type Asker, type Look, lookAt } from "../health/look.ts";
import { isPausedFor } from "../pause.ts";
import { topPage } from "./page.ts";

/** A member that does not answer must not hold up the page. */
const LOOK_MS_MAX = 1_000;

export const top: Command = {
  usage: "[options]",
  description:
    "Who leads, how far each member is behind in entries, requests that each has answered a second,\n" +
    "watchers, sizes, and what 99 of 100 syncs of the log took at most. On a terminal until q or\n" +
    "Ctrl-C; elsewhere, or with --once, one page of what happened within one --interval.",
  examples: [
    { line: "etcdctl top", says: "the cluster of the member on this host" },
    { line: "etcdctl top --once --interval 10s", says: "averages of ten seconds" },
  ],
  flags: [
    switchFlag("once", "one page, and no more"),
    { name: "interval", kind: "duration", initial: "1s", help: "from one page to the next" },
  ],
  run: async (context, args, flags) => {
    if (args.length > 0) throw new CtlError("top takes no arguments", Exit.BAD_ARGS);
    if (flags.durationMs("interval") < 100) {
      throw new CtlError("--interval is 100ms at least", Exit.BAD_ARGS);
    }
    if (context.format !== "simple") {
      throw new CtlError(`${context.format} not supported as output format`, Exit.BAD_FEATURE);
    }
    const asker = askerOf(context, await context.client(), LOOK_MS_MAX);
    await show(context, flags, asker);
  },
};

async function show(context: Context, flags: Flags, asker: Asker): Promise<void> {
  const { io, minor } = context;
  const isLive = io.isTerminal && !flags.on("once");
  const stop = new AbortController();
  const unhook = io.onInterrupt(() => stop.abort());
  const untype = isLive ? io.onTyped((text) => isEnd(text) && stop.abort()) : undefined;
  try {
    let before = await seen(asker);
    do {
      if (!(await isPausedFor(flags.durationMs("interval"), stop.signal))) return;
      const now = await seen(asker).catch((error: unknown) => {
        if (!isLive) throw error;
        context.out("\x1b[H\x1b[Jno endpoint answers\n");
      });
      if (now === undefined) continue;
      const page = topPage({
        now: now.look,
        before: before.look,
        seconds: (now.atMs - before.atMs) / 1000,
        minor,
        title: new Date().toISOString(),
        columns: (io.isTerminal && io.columns) || Number.MAX_SAFE_INTEGER,
      });
      context.out(isLive ? `\x1b[H\x1b[J${page}` : page);
      before = now;
    } while (isLive);
  } finally {
    untype?.();
    unhook();
  }
}

async function seen(asker: Asker): Promise<{ readonly look: Look; readonly atMs: number }> {
  const look = await lookAt(asker);
  return { look, atMs: performance.now() };
}

/** q, or Ctrl-C, which is a letter while letters are read. */
function isEnd(text: string): boolean {
  return /[q\u0003]/.test(text);
}
