/** `browse`: the terminal's side of paging through keys. */
import type { Command } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, Exit } from "../exit.ts";
import type { CtlIo } from "../io.ts";
import { SEPARATOR_FLAG } from "../commands/tree.ts";
import { keyReaderOf } from "../keys/level.ts";
import { plain } from "../pretty/paint.ts";
import { prettyValue } from "../pretty/pretty.ts";
import { Browser, type Screen } from "./browser.ts";
import { TypedReader } from "./typed.ts";

/** The other screen, without a cursor; what was there comes back afterwards. */
const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
/** Of a value that is shown. */
const LINES_MAX = 10_000;
/** Chunks of typing that wait; who types faster loses letters. */
const TYPED_MAX = 64;

export const browse: Command = {
  usage: "[prefix] [options]",
  description:
    "Arrow keys choose, right or enter opens, left goes back, / searches, r reloads, q ends. A level is\n" +
    "read as far as it is looked at, without values.",
  examples: [
    { line: "etcdctl browse", says: "everything" },
    { line: "etcdctl browse /registry/", says: "what Kubernetes keeps" },
  ],
  flags: [SEPARATOR_FLAG],
  run: async (context, args, flags) => {
    const { io, timeoutMs } = context;
    const separator = Buffer.from(flags.text("separator"));
    if (args.length > 1) throw new CtlError("browse takes one prefix", Exit.BAD_ARGS);
    if (separator.length === 0) throw new CtlError("--separator is empty", Exit.BAD_ARGS);
    if (!io.isTerminal) throw notTerminal();
    const client = await context.client();
    const browser = new Browser({
      reader: () => keyReaderOf(client, timeoutMs),
      get: async (key) => (await client.kv.get(key, { timeoutMs })).kvs[0],
      linesOf: (pair) => [
        `modified at ${pair.modRevision}, version ${pair.version}, ${pair.value.length} bytes`,
        "",
        ...prettyValue(pair.value, plain).split("\n", LINES_MAX),
      ],
      separator,
      root: Buffer.from(args[0] ?? ""),
    });
    await browser.open();
    await converse(context, browser);
  },
};

function notTerminal(): CtlError {
  return new CtlError("browse needs a terminal; `etcdctl tree` prints keys elsewhere");
}

/** Until the end is wanted. The terminal is put back however it ends. */
async function converse({ io }: Context, browser: Browser): Promise<void> {
  const typing: string[] = [];
  let wake = (): void => undefined;
  let isOver = false;
  const untype = io.onTyped((text) => {
    if (typing.length < TYPED_MAX) typing.push(text);
    wake();
  });
  if (untype === undefined) throw notTerminal();
  const unhook = io.onInterrupt(() => {
    isOver = true;
    wake();
  });
  io.stdout(ENTER);
  try {
    const reader = new TypedReader();
    for (;;) {
      // The first and the last line are not the list's.
      const height = Math.max(1, heightOf(io) - 2);
      io.stdout(drawn(io, await browser.screen(height)));
      while (typing.length === 0 && !isOver) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
      }
      if (isOver) return;
      for (const typed of reader.read(typing.shift() ?? "")) {
        if (!(await browser.type(typed, height))) return;
      }
    }
  } finally {
    io.stdout(LEAVE);
    unhook();
    untype();
  }
}

/** A terminal that does not know its size says 0. */
function heightOf({ rows }: CtlIo): number {
  return rows || 24;
}

function drawn(io: CtlIo, { title, lines, chosen, foot }: Screen): string {
  const cut = (text: string): string =>
    text.replace(/[\t\r]/g, "  ").slice(0, (io.columns || 80) - 1);
  const body = lines.map((line, at) => (at === chosen ? `\x1b[7m${cut(line)}\x1b[0m` : cut(line)));
  const all = [`\x1b[1m${cut(title)}\x1b[0m`, ...body].join("\r\n");
  return `\x1b[H\x1b[J${all}\x1b[${heightOf(io)};1H\x1b[2m${cut(foot)}\x1b[0m`;
}
