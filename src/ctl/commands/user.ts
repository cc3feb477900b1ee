/** `user add`, `delete`, `get`, `list`, `passwd`, `grant-role` and `revoke-role` (CT-23). */
import { AUTH } from "../auth/methods.ts";
import { printDone, printRole, printUser, printUsers } from "../auth/print.ts";
import { type Command, type FlagSpec, switchFlag, textFlag } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, Exit } from "../exit.ts";

const INTERACTIVE: FlagSpec = {
  name: "interactive",
  kind: "bool",
  initial: "true",
  help: "ask for the password at the terminal; =false reads it from stdin",
};

export const userAdd: Command = {
  usage: "<user name or user:password> [options]",
  examples: [
    { line: "etcdctl user add alice", says: "asks for the password" },
    { line: "etcdctl user add web --no-password", says: "known by its certificate alone" },
  ],
  flags: [
    INTERACTIVE,
    textFlag("new-user-password", "", "the password"),
    switchFlag("no-password", "none: the user is known by its certificate"),
  ],
  run: async (context, args, flags) => {
    const given = exactly(args, 1, "user add command requires user name as its argument")[0] ?? "";
    const noPassword = flags.on("no-password");
    const said = flags.text("new-user-password");
    const colon = noPassword || said !== "" ? -1 : given.indexOf(":");
    const name = colon === -1 ? given : given.slice(0, colon);
    if (colon === 0) throw new CtlError("empty user name is not allowed", Exit.BAD_ARGS);
    let password = colon === -1 ? said : given.slice(colon + 1);
    if (!noPassword && colon === -1 && said === "") {
      password = await askPassword(context, name, flags.on("interactive"));
    }
    const client = await context.client();
    const { timeoutMs } = context;
    const request = { name, password, noPassword };
    const answer = await client.unary(AUTH.userAdd, request, { timeoutMs });
    context.print(printDone(answer, `User ${name} created\n`, context));
  },
};

export const userDelete: Command = {
  usage: "<user name>",
  examples: [{ line: "etcdctl user delete alice", says: "its roles stay" }],
  flags: [],
  run: async (context, args) => {
    const [name] = exactly(args, 1, "user delete command requires user name as its argument");
    const client = await context.client();
    const { timeoutMs } = context;
    const answer = await client.unary(AUTH.userDelete, { name }, { timeoutMs });
    context.print(printDone(answer, `User ${name} deleted\n`, context));
  },
};

export const userGet: Command = {
  usage: "<user name> [options]",
  examples: [{ line: "etcdctl user get alice --detail", says: "what its roles allow, too" }],
  flags: [switchFlag("detail", "show the permissions of its roles")],
  run: async (context, args, flags) => {
    const [name] = exactly(args, 1, "user get command requires user name as its argument");
    const client = await context.client();
    const { timeoutMs } = context;
    const answer = await client.unary(AUTH.userGet, { name }, { timeoutMs });
    if (!flags.on("detail")) return context.print(printUser(name, answer));
    context.out(`User: ${name}\n`);
    for (const role of answer.names) {
      context.out("\n");
      const found = await client.unary(AUTH.roleGet, { name: role }, { timeoutMs });
      context.print(printRole(role, found, context));
    }
  },
};

export const userList: Command = {
  usage: "",
  examples: [{ line: "etcdctl user list", says: "all names" }],
  flags: [],
  run: async (context, args) => {
    exactly(args, 0, "user list command requires no arguments");
    const client = await context.client();
    const { timeoutMs } = context;
    context.print(printUsers(await client.unary(AUTH.userList, {}, { timeoutMs })));
  },
};

export const userPasswd: Command = {
  usage: "<user name> [options]",
  examples: [{ line: "etcdctl user passwd alice", says: "asks for the new password" }],
  flags: [INTERACTIVE],
  run: async (context, args, flags) => {
    const [name] = exactly(args, 1, "user passwd command requires user name as its argument");
    const password = await askPassword(context, name, flags.on("interactive"));
    const client = await context.client();
    const { timeoutMs } = context;
    const answer = await client.unary(AUTH.userPassword, { name, password }, { timeoutMs });
    context.print(printDone(answer, "Password updated\n", context));
  },
};

export const userGrantRole: Command = {
  usage: "<user name> <role name>",
  examples: [
    { line: "etcdctl user grant-role alice readers", says: "what readers may, alice may" },
  ],
  flags: [],
  run: async (context, args) => {
    const need = "user grant command requires user name and role name as its argument";
    const [user, role] = exactly(args, 2, need);
    const client = await context.client();
    const { timeoutMs } = context;
    const answer = await client.unary(AUTH.userGrant, { user, role }, { timeoutMs });
    context.print(printDone(answer, `Role ${role} is granted to user ${user}\n`, context));
  },
};

export const userRevokeRole: Command = {
  usage: "<user name> <role name>",
  examples: [{ line: "etcdctl user revoke-role alice readers", says: "the role itself stays" }],
  flags: [],
  run: async (context, args) => {
    const need = "user revoke-role requires user name and role name as its argument";
    const [user, role] = exactly(args, 2, need);
    const client = await context.client();
    const { timeoutMs } = context;
    const answer = await client.unary(AUTH.userRevoke, { user, role }, { timeoutMs });
    context.print(printDone(answer, `Role ${role} is revoked from user ${user}\n`, context));
  },
};

/** The arguments, when there are so many. Throws CtlError. */
export function exactly(args: readonly string[], count: number, need: string): [string, string] {
  if (args.length !== count) throw new CtlError(need, Exit.BAD_ARGS);
  return [args[0] ?? "", args[1] ?? ""];
}

/** Twice at the terminal, or once from stdin. */
async function askPassword({ io }: Context, name: string, isAsked: boolean): Promise<string> {
  if (!isAsked) return /\S*/.exec((await io.readStdin()).toString("utf8").trimStart())?.[0] ?? "";
  const first = await io.readPassword(`Password of ${name}: `);
  if (first === "") throw new CtlError("empty password", Exit.BAD_ARGS);
  const second = await io.readPassword(`Type password of ${name} again for confirmation: `);
  if (first !== second) throw new CtlError("given passwords are different", Exit.BAD_ARGS);
  return first;
}
