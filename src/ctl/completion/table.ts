/** The command table as shells need it. */
import type { Entry, FlagSpec } from "../command.ts";
import { GLOBAL_FLAGS } from "../globals.ts";

export interface Completed {
  readonly entry: Entry;
  readonly flags: readonly FlagSpec[];
}

/** Every command with its own flags, and the global ones beside. */
export interface CompletionTable {
  readonly commands: readonly Completed[];
  readonly globals: readonly FlagSpec[];
}

export const HELP_FLAG: FlagSpec = {
  name: "help",
  short: "h",
  kind: "bool",
  initial: "false",
  help: "show help",
};

export async function completionTable(entries: readonly Entry[]): Promise<CompletionTable> {
  const commands = await Promise.all(
    entries.map(async (entry) => ({ entry, flags: (await entry.load()).flags })),
  );
  return { commands, globals: [...GLOBAL_FLAGS, HELP_FLAG] };
}

/** What may follow each beginning of a command's name: "" -> get, lease; "lease" -> grant. */
export function partsOf({ commands }: CompletionTable): ReadonlyMap<string, ReadonlySet<string>> {
  const parts = new Map<string, Set<string>>();
  for (const { entry } of commands) {
    const words = entry.name.split(" ");
    words.forEach((word, at) => {
      const before = words.slice(0, at).join(" ");
      const known = parts.get(before) ?? new Set<string>();
      parts.set(before, known.add(word));
    });
  }
  return parts;
}

/** As typed: `--rev`, `-w`. */
export function spellings(flags: readonly FlagSpec[]): string[] {
  return flags.flatMap(({ name, short }) => [
    `--${name}`,
    ...(short === undefined ? [] : [`-${short}`]),
  ]);
}

/** Flags that take a value, of all commands; in every shell the next word belongs to them. */
export function valueFlags({ commands, globals }: CompletionTable): string[] {
  const all = [...globals, ...commands.flatMap(({ flags }) => flags)];
  return [...new Set(spellings(all.filter(({ kind }) => kind !== "bool")))].toSorted();
}

/** Flags whose value is the name of a file. */
export const FILE_FLAGS: readonly string[] = ["--cacert", "--cert", "--key"];

/** `[command's name, flag as typed, values]` for the flags that have known values; "" = any. */
export function knownValues({ commands, globals }: CompletionTable): [string, string, string[]][] {
  const of = (name: string, flags: readonly FlagSpec[]): [string, string, string[]][] =>
    flags.flatMap((flag) =>
      flag.values === undefined
        ? []
        : spellings([flag]).map((typed): [string, string, string[]] => [
            name,
            typed,
            [...(flag.values ?? [])],
          ]),
    );
  return [...of("", globals), ...commands.flatMap(({ entry, flags }) => of(entry.name, flags))];
}
