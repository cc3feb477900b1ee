/** `txn` (CT-04). */
import type { TxnParts } from "../../client/index.ts";
import { type Command, switchFlag } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, Exit } from "../exit.ts";
import { printTxn } from "../print/kv.ts";
import { parseCompare } from "../txn/compare.ts";
import { parseOperation } from "../txn/operation.ts";
import { byteString } from "../txn/words.ts";

export const txn: Command = {
  usage: "[options]",
  description: `Reads a transaction from stdin and runs it as one:
  conditions           mod("key") > "0", and ver, create, value, lease with =, !=, <, >
  an empty line
  what to do if all of them hold     get, put and del as on the command line
  an empty line
  what to do else
  an empty line`,
  examples: [
    {
      line: String.raw`printf 'create("k") = "0"\n\nput k first\n\nget k\n\n' | etcdctl txn`,
      says: "put a key unless it is there, else show it",
    },
    { line: "etcdctl txn -i", says: "asked for each part" },
  ],
  flags: [switchFlag("interactive", "say which part is to be typed", "i")],
  run: async (context, args, flags) => {
    if (args.length > 0) throw new CtlError("txn command does not accept argument", Exit.BAD_ARGS);
    const client = await context.client();
    const parts = await readParts(context, flags.on("interactive"));
    const answer = await client.kv.commit(parts, { timeoutMs: context.timeoutMs });
    context.print(printTxn(answer, context));
  },
};

async function readParts(context: Context, isInteractive: boolean): Promise<TxnParts> {
  const lines = context.io.stdinLines()[Symbol.asyncIterator]();
  const explain = (why: string): void => context.err(`${why}\n`);
  const read = async <T>(prompt: string, parse: (line: string) => T): Promise<T[]> => {
    if (isInteractive) context.out(`${prompt}:\n`);
    const found: T[] = [];
    for (;;) {
      const { value } = await lines.next();
      // A last line without its end counts for nothing, as in etcdctl.
      if (!(value as string | undefined)?.endsWith("\n")) {
        throw new CtlError("EOF", Exit.INVALID_INPUT);
      }
      const line = (value as string).trim();
      if (line === "") return found;
      found.push(parse(byteString(line)));
    }
  };
  try {
    return {
      compare: await read("compares", parseCompare),
      success: await read("success requests (get, put, del)", (line) =>
        parseOperation(line, explain),
      ),
      failure: await read("failure requests (get, put, del)", (line) =>
        parseOperation(line, explain),
      ),
    };
  } finally {
    await lines.return?.();
  }
}
