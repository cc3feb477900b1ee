/** `role add`, `delete`, `get`, `list`, `grant-permission` and `revoke-permission` (CT-24). */
import { AUTH, type KeyRange } from "../auth/methods.ts";
import { prefixEnd, printDone, printRole, printRoles } from "../auth/print.ts";
import { type Command, switchFlag } from "../command.ts";
import { CtlError, Exit } from "../exit.ts";
import type { Flags } from "../flags.ts";
import { exactly } from "./user.ts";

export const roleAdd: Command = {
  usage: "<role name>",
  examples: [{ line: "etcdctl role add readers", says: "it may nothing yet" }],
  flags: [],
  run: async (context, args) => {
    const [name] = exactly(args, 1, "role add command requires role name as its argument");
    const client = await context.client();
    const { timeoutMs } = context;
    const answer = await client.unary(AUTH.roleAdd, { name }, { timeoutMs });
    context.print(printDone(answer, `Role ${name} created\n`, context));
  },
};

export const roleDelete: Command = {
  usage: "<role name>",
  examples: [{ line: "etcdctl role delete readers", says: "users lose it" }],
  flags: [],
  run: async (context, args) => {
    const [name] = exactly(args, 1, "role delete command requires role name as its argument");
    const client = await context.client();
    const { timeoutMs } = context;
    const answer = await client.unary(AUTH.roleDelete, { name }, { timeoutMs });
    context.print(printDone(answer, `Role ${name} deleted\n`, context));
  },
};

export const roleGet: Command = {
  usage: "<role name>",
  examples: [{ line: "etcdctl role get readers", says: "what it may read and write" }],
  flags: [],
  run: async (context, args) => {
    const [name] = exactly(args, 1, "role get command requires role name as its argument");
    const client = await context.client();
    const { timeoutMs } = context;
    const answer = await client.unary(AUTH.roleGet, { name }, { timeoutMs });
    context.print(printRole(name, answer, context));
  },
};

export const roleList: Command = {
  usage: "",
  examples: [{ line: "etcdctl role list", says: "all names" }],
  flags: [],
  run: async (context, args) => {
    exactly(args, 0, "role list command requires no arguments");
    const client = await context.client();
    const { timeoutMs } = context;
    context.print(printRoles(await client.unary(AUTH.roleList, {}, { timeoutMs }), context));
  },
};

const SPAN_FLAGS = [
  switchFlag("from-key", "all keys from this one on"),
  switchFlag("prefix", "all keys that begin with this one"),
];
const TYPES: Readonly<Record<string, 0 | 1 | 2>> = { READ: 0, WRITE: 1, READWRITE: 2 };

export const roleGrantPermission: Command = {
  usage: "[options] <role name> <permission type> <key> [endkey]",
  examples: [
    {
      line: "etcdctl role grant-permission readers read services/ --prefix",
      says: "all below services/; or write, or readwrite",
    },
  ],
  flags: SPAN_FLAGS,
  run: async (context, args, flags) => {
    const [role, typeName] = args;
    if (role === undefined || typeName === undefined || args.length < 3) {
      throw badArgs(
        "role grant command requires role name, permission type, and key [endkey] as its argument",
      );
    }
    const type = TYPES[typeName.toUpperCase()];
    if (type === undefined) throw badArgs(`invalid permission type: ${typeName}`);
    const request = { role, type, ...keyRange(args.slice(2), flags) };
    const client = await context.client();
    const { timeoutMs } = context;
    const answer = await client.unary(AUTH.roleGrant, request, { timeoutMs });
    context.print(printDone(answer, `Role ${role} updated\n`, context));
  },
};

export const roleRevokePermission: Command = {
  usage: "<role name> <key> [endkey]",
  examples: [
    {
      line: "etcdctl role revoke-permission readers services/ --prefix",
      says: "exactly what was granted",
    },
  ],
  flags: SPAN_FLAGS,
  run: async (context, args, flags) => {
    const [role, key] = args;
    if (role === undefined || key === undefined) {
      throw badArgs(
        "role revoke-permission command requires role name and key [endkey] as its argument",
      );
    }
    const range = keyRange(args.slice(1), flags);
    const client = await context.client();
    const { timeoutMs } = context;
    const answer = await client.unary(AUTH.roleRevoke, { role, ...range }, { timeoutMs });
    context.print(printDone(answer, revokedLine(role, key, range.rangeEnd), context));
  },
};

function revokedLine(role: string, key: string, rangeEnd: Buffer): string {
  if (rangeEnd.length === 0) return `Permission of key ${key} is revoked from role ${role}\n`;
  const isOpen = rangeEnd.equals(Buffer.from([0]));
  const range = isOpen ? `[${key}, <open ended>` : `[${key}, ${rangeEnd.toString("utf8")})`;
  return `Permission of range ${range} is revoked from role ${role}\n`;
}

/** An empty key with a flag means all keys. */
function keyRange(args: readonly string[], flags: Flags): Omit<KeyRange, "role"> {
  const [key = "", end] = args;
  const isPrefix = flags.on("prefix");
  const isFromKey = flags.on("from-key");
  if (isPrefix && isFromKey && (key === "" || end === undefined)) {
    throw badArgs("--from-key and --prefix flags are mutually exclusive");
  }
  const all = Buffer.from([0]);
  if (key === "") return { key: all, rangeEnd: isPrefix || isFromKey ? all : Buffer.alloc(0) };
  const bytes = Buffer.from(key, "utf8");
  if (end !== undefined) {
    if (isPrefix) throw badArgs("unexpected endkey argument with --prefix flag");
    if (isFromKey) throw badArgs("unexpected endkey argument with --from-key flag");
    return { key: bytes, rangeEnd: Buffer.from(end, "utf8") };
  }
  if (isPrefix) return { key: bytes, rangeEnd: prefixEnd(bytes) };
  return { key: bytes, rangeEnd: isFromKey ? all : Buffer.alloc(0) };
}

function badArgs(message: string): CtlError {
  return new CtlError(message, Exit.BAD_ARGS);
}
