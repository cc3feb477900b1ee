/**
 * Every command, with what is needed to list it; the rest is loaded when it is called. A command is
 * added by a file in commands/ that exports a Command, and a row here.
 */
import type { Command, Entry, Group } from "./command.ts";
import { CLUSTER_COMMANDS, CLUSTER_COMMANDS_V2 } from "./registry-cluster.ts";

function row(
  group: Group,
  name: string,
  summary: string,
  load: () => Promise<Command>,
  aliases?: readonly string[],
): Entry {
  return aliases === undefined
    ? { group, name, summary, load }
    : { group, name, summary, load, aliases };
}

/** Commands of the third API. */
export const COMMANDS: readonly Entry[] = [
  row(
    "Key-value",
    "get",
    "Gets the key or a range of keys",
    async () => (await import("./commands/get.ts")).get,
  ),
  ...CLUSTER_COMMANDS,
  row(
    "Utility",
    "version",
    "Prints the version of etcdctl",
    async () => (await import("./commands/version.ts")).version,
  ),
  row(
    "Utility",
    "options",
    "Lists the options that every command takes",
    async () => (await import("./commands/options.ts")).options,
  ),
];

/**
 * Commands as etcdctl has them with ETCDCTL_API=2, called so or with --compat. They get the global
 * flags of the third API, and flags of their own.
 */
export const COMMANDS_V2: readonly Entry[] = CLUSTER_COMMANDS_V2;
