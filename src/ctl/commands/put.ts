/** `put` (CT-02). */
import type { PutRequest } from "../../client/index.ts";
import { type Command, switchFlag, textFlag } from "../command.ts";
import { CtlError, Exit } from "../exit.ts";
import type { Flags } from "../flags.ts";
import { parseInt64 } from "../go-values.ts";
import { printPut } from "../print/kv.ts";

/** As `put` on the command line and as an operation of `txn`. */
export const PUT_FLAGS = [
  switchFlag("ignore-lease", "keep the lease that the key has"),
  switchFlag("ignore-value", "keep the value that the key has"),
  textFlag("lease", "0", "id of the lease that the key is to hang on, in hexadecimal"),
  switchFlag("prev-kv", "show the pair as it was before"),
];

export const put: Command = {
  usage: "[options] <key> [value]",
  description:
    "Without a value, stdin is read for it. A value that begins with a dash goes behind `--`:\n" +
    "put <key> -- <value>.",
  examples: [
    { line: "etcdctl put greeting hello", says: "one key" },
    { line: "etcdctl put config/app < app.json", says: "a file as the value" },
    { line: "etcdctl put worker/7 up --lease=694d5765fc71500b", says: "gone with its lease" },
    { line: "etcdctl put -- --odd-key value", says: "a key that looks like an option" },
  ],
  flags: PUT_FLAGS,
  run: async (context, args, flags) => {
    const [key, given] = args;
    const request = putRequest(args, flags);
    const value = flags.on("ignore-value") ? "" : (given ?? (await valueFromStdin(context.io)));
    const client = await context.client();
    const { timeoutMs } = context;
    const answer = await client.kv.put(key as string, value, { ...request, timeoutMs });
    context.print(printPut(answer, context));
  },
};

const WHAT_IT_NEEDS = "put command needs 1 argument and input from stdin or 2 arguments";

/** What is asked, the value aside; throws CtlError in etcdctl's words. */
export function putRequest(args: readonly string[], flags: Flags): PutRequest {
  if (args.length === 0) throw badArgs(WHAT_IT_NEEDS);
  const ignoreValue = flags.on("ignore-value");
  if (ignoreValue && args.length > 1) {
    throw badArgs("put command needs only 1 argument when 'ignore-value' is set");
  }
  const lease = leaseOf(flags.text("lease"));
  return { lease, prevKv: flags.on("prev-kv"), ignoreValue, ignoreLease: flags.on("ignore-lease") };
}

/** An operation of `txn` has no stdin to read its value from. */
export function valueOfTxnPut(args: readonly string[], request: PutRequest): string {
  if (request.ignoreValue === true) return "";
  const value = args[1];
  if (value === undefined) throw badArgs(WHAT_IT_NEEDS);
  return value;
}

async function valueFromStdin(io: { readStdin(): Promise<Buffer> }): Promise<Buffer> {
  const value = await io.readStdin();
  if (value.length === 0) throw badArgs(WHAT_IT_NEEDS);
  return value;
}

function leaseOf(text: string): bigint {
  try {
    return parseInt64(text, 16);
  } catch (error) {
    throw badArgs(`bad lease ID (${(error as Error).message}), expecting ID in Hex`);
  }
}

function badArgs(message: string): CtlError {
  return new CtlError(message, Exit.BAD_ARGS);
}
