/** `auth enable`, `disable` and `status` (CT-22). */
import { isRefusal } from "../../client/index.ts";
import { AUTH } from "../auth/methods.ts";
import { printStatus } from "../auth/print.ts";
import type { Command } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, Exit } from "../exit.ts";

function plain(what: string, says: string, run: (context: Context) => Promise<void>): Command {
  return {
    usage: "",
    examples: [{ line: `etcdctl auth ${what}`, says }],
    flags: [],
    run: async (context, args) => {
      if (args.length === 0) return await run(context);
      throw new CtlError(`auth ${what} command does not accept any arguments`, Exit.BAD_ARGS);
    },
  };
}

export const authEnable = plain("enable", "from now on only users may", async (context) => {
  const client = await context.client();
  const { timeoutMs } = context;
  try {
    await client.unary(AUTH.enable, {}, { timeoutMs });
  } catch (error) {
    if (!isRefusal(error, "RootRoleNotExist")) throw error;
    // The user is there; the role that it is to have is made for it.
    await client.unary(AUTH.roleAdd, { name: "root" }, { timeoutMs });
    await client.unary(AUTH.userGrant, { user: "root", role: "root" }, { timeoutMs });
    await client.unary(AUTH.enable, {}, { timeoutMs });
  }
  context.out("Authentication Enabled\n");
});

export const authDisable = plain("disable", "everybody may everything", async (context) => {
  const client = await context.client();
  await client.unary(AUTH.disable, {}, { timeoutMs: context.timeoutMs });
  context.out("Authentication Disabled\n");
});

export const authStatus = plain("status", "whether it is on", async (context) => {
  const client = await context.client();
  context.print(printStatus(await client.unary(AUTH.status, {}, { timeoutMs: context.timeoutMs })));
});
