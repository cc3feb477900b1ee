/** `del` (CT-03). */
import type { DeleteRequest } from "../../client/index.ts";
import { type Command, switchFlag } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, CtlExit, Exit } from "../exit.ts";
import type { Flags } from "../flags.ts";
import { printDelete } from "../print/kv.ts";
import { quote } from "../print/quote.ts";
import { checkSpanFlags, spanOf } from "./spans.ts";

/** As `del` on the command line and as an operation of `txn`. */
export const DEL_FLAGS = [
  switchFlag("from-key", "all keys from this one on, in the order of bytes"),
  switchFlag("prefix", "all keys that begin with this one"),
  switchFlag("prev-kv", "show the deleted pairs"),
  switchFlag("range", "two keys mean a range: delete it without asking"),
];

/** Time that a person has to say no. */
const REGRET_MS = 2_000;

export const del: Command = {
  usage: "[options] <key> [range_end]",
  examples: [
    { line: "etcdctl del greeting", says: "one key; prints how many there were" },
    { line: "etcdctl del --prefix services/old/ --prev-kv", says: "all below, shown once more" },
    { line: "etcdctl del --range a c", says: "all keys from a up to c, without c" },
  ],
  flags: DEL_FLAGS,
  run: async (context, args, flags) => {
    const { key, request } = delRequest(args, flags);
    if (args.length > 1 && !flags.on("range") && context.io.isTerminal) await regret(context, args);
    const client = await context.client();
    const answer = await client.kv.delete(key, { ...request, timeoutMs: context.timeoutMs });
    context.print(printDelete(answer, context));
  },
};

/** What is asked; throws CtlError in etcdctl's words. */
export function delRequest(
  args: readonly string[],
  flags: Flags,
): { readonly key: string; readonly request: DeleteRequest } {
  const [key] = args;
  if (key === undefined || args.length > 2) {
    throw new CtlError(
      "del command needs one argument as key and an optional argument as range_end",
      Exit.BAD_ARGS,
    );
  }
  checkSpanFlags(flags);
  return { key, request: { ...spanOf(args, flags), prevKv: flags.on("prev-kv") } };
}

/** Two keys may have been meant as two keys. A script does not read this, and need not wait. */
async function regret({ io }: Context, args: readonly string[]): Promise<void> {
  io.stderr(
    `Warning: Keys between ${quote(args[0] as string)} and ${quote(args[1] as string)} will be ` +
      "deleted. Please interrupt the command within next 2 seconds to cancel. " +
      "You can provide `--range` flag to avoid the delay.\n",
  );
  const isRegretted = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), REGRET_MS);
    io.onInterrupt(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
  if (isRegretted) throw new CtlExit(Exit.INTERRUPTED);
}
