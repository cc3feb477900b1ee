/** `elect` (CT-27). */
import { type Command, switchFlag } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, Exit } from "../exit.ts";
import { printRange } from "../print/kv.ts";
import { end, firstOf } from "./lock.ts";

export const elect: Command = {
  usage: "<election-name> [proposal]",
  description:
    "Runs for election with a proposal, shows key and proposal when it has won, and leads until it\n" +
    "is interrupted. With -l it only shows who leads.",
  examples: [
    { line: "etcdctl elect scheduler host-7", says: "stand for election" },
    { line: "etcdctl elect -l scheduler", says: "watch who leads" },
  ],
  flags: [switchFlag("listen", "show the leaders, do not run", "l")],
  run: async (context, args, flags) => {
    const [name, proposal] = args;
    if (name === undefined || args.length > 2) {
      throw badArgs("elect takes one election name argument and an optional proposal argument");
    }
    const isListening = flags.on("listen");
    if (proposal === undefined && !isListening) {
      throw badArgs("no proposal argument but -l not set");
    }
    if (proposal !== undefined && isListening) throw badArgs("proposal given but -l is set");
    const interrupt = new AbortController();
    context.io.onInterrupt(() => interrupt.abort());
    if (proposal === undefined) await observe(context, name, interrupt.signal);
    else await campaign(context, { name, proposal }, interrupt.signal);
  },
};

async function observe(context: Context, name: string, interrupt: AbortSignal): Promise<void> {
  const client = await context.client();
  // Refused before anything is shown, and the source of what the leaders' pairs do not say.
  const { header } = await client.kv.get(name, { countOnly: true, timeoutMs: context.timeoutMs });
  try {
    for await (const kv of client.election(name).observe({ signal: interrupt })) {
      const of = { ...header, revision: kv.modRevision };
      context.print(printRange({ header: of, kvs: [kv], more: false, count: 0 }, context));
    }
  } catch (error) {
    if (!interrupt.aborted) throw error;
  }
}

async function campaign(
  context: Context,
  { name, proposal }: { readonly name: string; readonly proposal: string },
  interrupt: AbortSignal,
): Promise<void> {
  const client = await context.client();
  const { timeoutMs } = context;
  const session = await client.session({ timeoutMs });
  try {
    const election = client.election(name);
    const leadership = await election.campaign(session, proposal, { signal: interrupt });
    context.print(printRange(await client.kv.get(leadership.key, { timeoutMs }), context));
    await firstOf(interrupt, leadership.lost);
    if (leadership.lost.aborted) throw new CtlError("elect: session expired");
    await leadership.resign();
  } finally {
    await end(session, context);
  }
}

function badArgs(message: string): CtlError {
  return new CtlError(message, Exit.BAD_ARGS);
}
