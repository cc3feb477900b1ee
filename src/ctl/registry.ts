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
  row(
    "Key-value",
    "tree",
    "Shows the keys as a tree, with counts and sizes",
    async () => (await import("./commands/tree.ts")).tree,
  ),
  row(
    "Key-value",
    "browse",
    "Pages through the keys like a file system",
    async () => (await import("./browse/command.ts")).browse,
  ),
  row(
    "Key-value",
    "put",
    "Puts the given key into the store",
    async () => (await import("./commands/put.ts")).put,
  ),
  row(
    "Key-value",
    "del",
    "Removes the specified key or range of keys [key, range_end)",
    async () => (await import("./commands/del.ts")).del,
  ),
  row(
    "Key-value",
    "txn",
    "Processes all the requests in one transaction",
    async () => (await import("./commands/txn.ts")).txn,
  ),
  row(
    "Key-value",
    "watch",
    "Watches events stream on keys or prefixes",
    async () => (await import("./commands/watch.ts")).watch,
  ),
  row(
    "Key-value",
    "compaction",
    "Compacts the event history",
    async () => (await import("./commands/compaction.ts")).compaction,
    ["compact"],
  ),
  row(
    "Key-value",
    "lease grant",
    "Creates leases",
    async () => (await import("./commands/lease.ts")).leaseGrant,
  ),
  row(
    "Key-value",
    "lease keep-alive",
    "Keeps leases alive (renew)",
    async () => (await import("./commands/lease.ts")).leaseKeepAlive,
  ),
  row(
    "Key-value",
    "lease list",
    "Lists all active leases",
    async () => (await import("./commands/lease.ts")).leaseList,
  ),
  row(
    "Key-value",
    "lease revoke",
    "Revokes leases",
    async () => (await import("./commands/lease.ts")).leaseRevoke,
  ),
  row(
    "Key-value",
    "lease timetolive",
    "Gets lease information",
    async () => (await import("./commands/lease.ts")).leaseTimeToLive,
  ),
  row(
    "Concurrency",
    "elect",
    "Observes and participates in leader election",
    async () => (await import("./commands/elect.ts")).elect,
  ),
  row(
    "Concurrency",
    "lock",
    "Acquires a named lock",
    async () => (await import("./commands/lock.ts")).lock,
  ),
  ...CLUSTER_COMMANDS,
  row(
    "Authentication",
    "auth disable",
    "Disables authentication",
    async () => (await import("./commands/auth.ts")).authDisable,
  ),
  row(
    "Authentication",
    "auth enable",
    "Enables authentication",
    async () => (await import("./commands/auth.ts")).authEnable,
  ),
  row(
    "Authentication",
    "auth status",
    "Returns authentication status",
    async () => (await import("./commands/auth.ts")).authStatus,
  ),
  row(
    "Authentication",
    "role add",
    "Adds a new role",
    async () => (await import("./commands/role.ts")).roleAdd,
  ),
  row(
    "Authentication",
    "role delete",
    "Deletes a role",
    async () => (await import("./commands/role.ts")).roleDelete,
  ),
  row(
    "Authentication",
    "role get",
    "Gets detailed information of a role",
    async () => (await import("./commands/role.ts")).roleGet,
  ),
  row(
    "Authentication",
    "role grant-permission",
    "Grants a key to a role",
    async () => (await import("./commands/role.ts")).roleGrantPermission,
  ),
  row(
    "Authentication",
    "role list",
    "Lists all roles",
    async () => (await import("./commands/role.ts")).roleList,
  ),
  row(
    "Authentication",
    "role revoke-permission",
    "Revokes a key from a role",
    async () => (await import("./commands/role.ts")).roleRevokePermission,
  ),
  row(
    "Authentication",
    "user add",
    "Adds a new user",
    async () => (await import("./commands/user.ts")).userAdd,
  ),
  row(
    "Authentication",
    "user delete",
    "Deletes a user",
    async () => (await import("./commands/user.ts")).userDelete,
  ),
  row(
    "Authentication",
    "user get",
    "Gets detailed information of a user",
    async () => (await import("./commands/user.ts")).userGet,
  ),
  row(
    "Authentication",
    "user grant-role",
    "Grants a role to a user",
    async () => (await import("./commands/user.ts")).userGrantRole,
  ),
  row(
    "Authentication",
    "user list",
    "Lists all users",
    async () => (await import("./commands/user.ts")).userList,
  ),
  row(
    "Authentication",
    "user passwd",
    "Changes password of user",
    async () => (await import("./commands/user.ts")).userPasswd,
  ),
  row(
    "Authentication",
    "user revoke-role",
    "Revokes a role from a user",
    async () => (await import("./commands/user.ts")).userRevokeRole,
  ),
  row(
    "Utility",
    "version",
    "Prints the version of etcdctl",
    async () => (await import("./commands/version.ts")).version,
  ),
  ...(["bash", "zsh", "fish", "powershell"] as const).map((shell) =>
    row("Utility", `completion ${shell}`, `Prints the completion for ${shell}`, async () => {
      const { COMPLETIONS } = await import("./commands/completion.ts");
      return COMPLETIONS[shell];
    }),
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
