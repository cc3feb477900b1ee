/** Help texts, made from the registry and the commands' own words. */
import type { Command, Entry, FlagSpec, Group } from "./command.ts";
import { GLOBAL_FLAGS } from "./globals.ts";

const GROUPS: readonly Group[] = [
  "Key-value",
  "Cluster",
  "Concurrency",
  "Authentication",
  "Utility",
];
const OPTIONS_HINT = 'Use "etcdctl options" for the options that every command takes.\n';

export function rootHelp(table: readonly Entry[]): string {
  const groups = GROUPS.map((group) => {
    const rows = table.filter((entry) => entry.group === group);
    return rows.length === 0 ? "" : `\n${group} commands:\n${list(rows)}`;
  });
  return (
    "etcdctl - command line client of Holdfast and etcd clusters\n\n" +
    `Usage:\n  etcdctl [options] <command> [arguments]\n${groups.join("")}\n` +
    `Use "etcdctl <command> --help" for one of them, with examples.\n${OPTIONS_HINT}`
  );
}

/** The list of a command's parts; undefined when `name` has none. */
export function groupHelp(table: readonly Entry[], name: string): string | undefined {
  const parts = table.filter((entry) => entry.name.startsWith(`${name} `));
  if (parts.length === 0) return undefined;
  return (
    `Usage:\n  etcdctl ${name} <subcommand>\n\nSubcommands:\n${list(parts)}\n` +
    `Use "etcdctl ${name} <subcommand> --help" for one of them.\n${OPTIONS_HINT}`
  );
}

/** What `help <topic>` shows; the root's text for a topic that is none, as etcdctl does. */
export async function helpOf(
  table: readonly Entry[],
  topic: readonly string[],
  found: { readonly entry: Entry } | undefined,
): Promise<string> {
  if (found !== undefined) return commandHelp(found.entry, await found.entry.load());
  const text = groupHelp(table, topic[0] ?? "") ?? rootHelp(table);
  return text;
}

export function commandHelp(entry: Entry, command: Command): string {
  const description = command.description === undefined ? "" : `\n${command.description}\n`;
  const aliases = entry.aliases === undefined ? "" : `\nAliases:\n  ${entry.aliases.join(", ")}\n`;
  const examples = command.examples.map(({ line, says }) => `  # ${says}\n  ${line}\n`).join("\n");
  const flags = [...command.flags, HELP];
  return (
    `${entry.name} - ${entry.summary}\n\n` +
    `Usage:\n  etcdctl ${entry.name} ${command.usage}`.trimEnd() +
    `\n${description}${aliases}` +
    (examples === "" ? "" : `\nExamples:\n${examples}`) +
    `\nOptions:\n${flagList(flags)}\n${OPTIONS_HINT}`
  );
}

const HELP: FlagSpec = {
  name: "help",
  short: "h",
  kind: "bool",
  initial: "false",
  help: "show this text",
};

export function globalHelp(): string {
  return `These options go with every command; ETCDCTL_<NAME> in the environment sets one too:\n\n${flagList(GLOBAL_FLAGS)}`;
}

function list(entries: readonly Entry[]): string {
  return rows(entries.map((entry) => [`  ${entry.name}`, entry.summary]));
}

function flagList(flags: readonly FlagSpec[]): string {
  return rows(
    flags.map((flag) => {
      const short = flag.short === undefined ? "    " : `-${flag.short}, `;
      const value = flag.kind === "bool" ? "" : ` <${NOUNS[flag.kind]}>`;
      const isPlain = flag.initial === "" || (flag.kind === "bool" && flag.initial === "false");
      return [
        `  ${short}--${flag.name}${value}`,
        flag.help + (isPlain ? "" : ` (default ${flag.initial})`),
      ];
    }),
  );
}

const NOUNS = {
  bool: "",
  string: "text",
  int: "number",
  duration: "duration",
  list: "list",
} as const;

function rows(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(...pairs.map(([left]) => left.length)) + 2;
  return pairs.map(([left, right]) => `${left.padEnd(width)}${right}\n`).join("");
}
