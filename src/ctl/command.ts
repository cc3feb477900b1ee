/** What a command says of itself. Each stands in a file of its own, loaded when it is called. */
import type { Context } from "./context.ts";
import type { Flags } from "./flags.ts";

export type FlagKind = "bool" | "string" | "int" | "duration" | "list";

export interface FlagSpec {
  readonly name: string;
  /** One letter, without its dash. */
  readonly short?: string;
  readonly kind: FlagKind;
  /** As text: "false", "0", "5s"; "" for nothing. */
  readonly initial: string;
  readonly help: string;
  /** What the shell offers; anything else is judged by the command. */
  readonly values?: readonly string[];
}

export interface Example {
  readonly line: string;
  readonly says: string;
}

export interface Command {
  /** What follows the command's name in its usage line, as `[options] <key> [range_end]`. */
  readonly usage: string;
  readonly description?: string;
  readonly examples: readonly Example[];
  readonly flags: readonly FlagSpec[];
  /**
   * Settles when the command is done. Ends badly by throwing: a CtlError with its exit code, any
   * other error with 1.
   */
  run(context: Context, args: readonly string[], flags: Flags): Promise<void>;
}

export type Group = "Key-value" | "Cluster" | "Concurrency" | "Authentication" | "Utility";

/** A row of the registry: enough to list the command without loading it. */
export interface Entry {
  /** Its name, with its parents: `lease grant`. */
  readonly name: string;
  /** Other names of the same. */
  readonly aliases?: readonly string[];
  readonly group: Group;
  readonly summary: string;
  load(): Promise<Command>;
}

/** A flag that is on or off. */
export function switchFlag(name: string, help: string, short?: string): FlagSpec {
  const flag = { name, kind: "bool", initial: "false", help } as const;
  return short === undefined ? flag : { ...flag, short };
}

export function textFlag(
  name: string,
  initial: string,
  help: string,
  values?: readonly string[],
): FlagSpec {
  const flag = { name, kind: "string", initial, help } as const;
  return values === undefined ? flag : { ...flag, values };
}

export function countFlag(name: string, initial: number, help: string): FlagSpec {
  return { name, kind: "int", initial: String(initial), help };
}
