/** `get` (CT-01). */
import type { GetRequest } from "../../client/index.ts";
import { type Command, countFlag, switchFlag, textFlag } from "../command.ts";
import { CtlError, Exit } from "../exit.ts";
import type { Flags } from "../flags.ts";
import { printRange } from "../print/kv.ts";
import { checkSpanFlags, spanOf } from "./spans.ts";

/** As `get` on the command line and as an operation of `txn`. */
export const GET_FLAGS = [
  textFlag("consistency", "l", "linearizable (l), or serializable (s): of the member asked", [
    "l",
    "s",
  ]),
  switchFlag("count-only", "only the count (with --write-out=fields)"),
  switchFlag("from-key", "all keys from this one on, in the order of bytes"),
  switchFlag("keys-only", "no values"),
  countFlag("limit", 0, "most pairs returned"),
  countFlag("max-create-rev", 0, "only keys created at this revision or before"),
  countFlag("max-mod-rev", 0, "only keys modified at this revision or before"),
  countFlag("min-create-rev", 0, "only keys created at this revision or later"),
  countFlag("min-mod-rev", 0, "only keys modified at this revision or later"),
  textFlag("order", "", "order of the pairs", ["ASCEND", "DESCEND"]),
  switchFlag("prefix", "all keys that begin with this one"),
  switchFlag("print-value-only", 'no keys, in the "simple" format'),
  countFlag("rev", 0, "the store as it was at this revision"),
  textFlag("sort-by", "", "what the pairs are ordered by", [
    "CREATE",
    "KEY",
    "MODIFY",
    "VALUE",
    "VERSION",
  ]),
  switchFlag("stream", "let the server send large ranges in pieces"),
];

export const get: Command = {
  usage: "[options] <key> [range_end]",
  examples: [
    { line: "etcdctl get greeting", says: "one key" },
    { line: "etcdctl get --prefix services/ --keys-only", says: "the keys below services/" },
    { line: "etcdctl get a c", says: "all keys from a up to c, without c" },
    { line: "etcdctl get greeting --rev=42", says: "the key as it was at revision 42" },
    { line: "etcdctl get --prefix config/ -w pretty", says: "JSON and protobuf values readable" },
  ],
  flags: GET_FLAGS,
  run: async (context, args, flags) => {
    const { key, request } = getRequest(args, flags);
    const client = await context.client();
    const options = { ...request, timeoutMs: context.timeoutMs };
    const answer = await (flags.on("stream")
      ? client.kv.getStream(key, options).catch(explainStream)
      : client.kv.get(key, options));
    if (flags.on("count-only") && context.format !== "fields") {
      throw new CtlError("--count-only is only for `--write-out=fields`", Exit.BAD_ARGS);
    }
    const isValueOnly = flags.on("print-value-only");
    if (isValueOnly && context.format !== "simple") {
      throw new CtlError("print-value-only is only for `--write-out=simple`", Exit.BAD_ARGS);
    }
    const style = { isHex: context.isHex, minor: context.minor, isValueOnly };
    const printable = printRange(answer, style);
    if (context.format !== "pretty") return context.print(printable);
    const { prettyRange } = await import("../pretty/pretty.ts");
    const pretty = (): string => prettyRange(answer, context.io.isTerminal);
    context.print({ ...printable, pretty });
  },
};

/** gRPC's code for a method that the server does not have. */
const UNIMPLEMENTED = 12;

function explainStream(error: Error & { code?: number }): never {
  const isMissing = error.code === UNIMPLEMENTED && !error.message.includes("custom sort");
  if (!isMissing || error.message.includes("revision filters")) throw error;
  throw new CtlError(
    `the server has no RangeStream, which etcd 3.7 brought (${error.message}); leave --stream out`,
    Exit.ERROR,
    error,
  );
}

const TARGETS: Readonly<Record<string, GetRequest["sortTarget"]>> = {
  "": "key",
  CREATE: "create",
  KEY: "key",
  MODIFY: "mod",
  VALUE: "value",
  VERSION: "version",
};
const ORDERS: Readonly<Record<string, GetRequest["sortOrder"]>> = {
  "": "none",
  ASCEND: "ascend",
  DESCEND: "descend",
};

/** What is asked; throws CtlError in etcdctl's words. */
export function getRequest(
  args: readonly string[],
  flags: Flags,
): { readonly key: string; readonly request: GetRequest } {
  const [key] = args;
  if (key === undefined) {
    throw new CtlError(
      "get command needs one argument as key and an optional argument as range_end",
      Exit.BAD_ARGS,
    );
  }
  checkSpanFlags(flags);
  if (flags.on("keys-only") && flags.on("count-only")) {
    throw new CtlError(
      "`--keys-only` and `--count-only` cannot be set at the same time, choose one",
      Exit.BAD_ARGS,
    );
  }
  const serializable = isSerializable(flags.text("consistency"));
  const span = spanOf(args, flags);
  const sortOrder = ORDERS[flags.text("order").toUpperCase()];
  if (sortOrder === undefined) throw badFeature(`bad sort order ${flags.text("order")}`);
  const sortTarget = TARGETS[flags.text("sort-by").toUpperCase()];
  if (sortTarget === undefined) throw badFeature(`bad sort target ${flags.text("sort-by")}`);
  const request = {
    ...span,
    ...revisionBounds(flags),
    serializable,
    sortOrder,
    sortTarget,
    limit: flags.count("limit"),
    revision: Math.max(0, flags.count("rev")),
    keysOnly: flags.on("keys-only"),
    countOnly: flags.on("count-only"),
  };
  return { key, request };
}

function revisionBounds(flags: Flags): GetRequest {
  const at = (name: string): number => Math.max(0, flags.count(name));
  const bounds = {
    minCreateRevision: at("min-create-rev"),
    maxCreateRevision: at("max-create-rev"),
    minModRevision: at("min-mod-rev"),
    maxModRevision: at("max-mod-rev"),
  };
  if (bounds.maxCreateRevision > 0 && bounds.minCreateRevision > bounds.maxCreateRevision) {
    const { minCreateRevision: lo, maxCreateRevision: hi } = bounds;
    throw badFeature(`getMinCreateRev(=${lo}) > getMaxCreateRev(=${hi})`);
  }
  if (bounds.maxModRevision > 0 && bounds.minModRevision > bounds.maxModRevision) {
    const { minModRevision: lo, maxModRevision: hi } = bounds;
    throw badFeature(`getMinModRev(=${lo}) > getMaxModRev(=${hi})`);
  }
  return bounds;
}

/** The value of `--consistency`, of get and of member list. */
export function isSerializable(text: string): boolean {
  if (text !== "s" && text !== "l") throw badFeature(`unknown consistency flag "${text}"`);
  return text === "s";
}

function badFeature(message: string): CtlError {
  return new CtlError(message, Exit.BAD_FEATURE);
}
