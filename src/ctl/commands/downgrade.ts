/** `downgrade validate`, `enable` and `cancel` (CT-29). */
import type { Command } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, Exit } from "../exit.ts";
import { printDowngrade } from "../print/maintenance.ts";

type Action = "validate" | "enable" | "cancel";

async function ask(context: Context, action: Action, version: string): Promise<void> {
  const { maintenance } = await context.client();
  const { timeoutMs } = context;
  const answer = await maintenance.downgrade(action, version, { timeoutMs });
  context.print(printDowngrade(answer, action));
}

function targetVersion(args: readonly string[]): string {
  const [version, ...others] = args;
  if (version === undefined) throw badArgs("TARGET_VERSION not provided");
  if (others.length > 0) throw badArgs("too many arguments");
  if (version === "") throw badArgs("target version not provided");
  return version;
}

function badArgs(message: string): CtlError {
  return new CtlError(message, Exit.BAD_ARGS);
}

export const downgradeValidate: Command = {
  usage: "<version>",
  description: "Says whether the cluster could go back to a version, without doing it.",
  examples: [{ line: "etcdctl downgrade validate 3.6", says: "before enable" }],
  flags: [],
  run: (context, args) => withTarget(context, "validate", args),
};

export const downgradeEnable: Command = {
  usage: "<version>",
  description: "Lets the members be replaced, one at a time, by those of an older minor version.",
  examples: [{ line: "etcdctl downgrade enable 3.6", says: "then replace one member at a time" }],
  flags: [],
  run: (context, args) => withTarget(context, "enable", args),
};

export const downgradeCancel: Command = {
  usage: "",
  description: "Ends a downgrade that was enabled.",
  examples: [{ line: "etcdctl downgrade cancel", says: "stay at the version" }],
  flags: [],
  run: (context) => ask(context, "cancel", ""),
};

async function withTarget(
  context: Context,
  action: Action,
  args: readonly string[],
): Promise<void> {
  await ask(context, action, targetVersion(args));
}
