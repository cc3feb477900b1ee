/**
 * Flags as etcdctl reads them: anywhere between the arguments, `--name value` and `--name=value`,
 * switches alone or with `=true`, letters joined (`-iw json`), and nothing after `--`. What is
 * wrong is said in the same words.
 */
import { formatDuration, parseBool, parseDuration, parseInt64 } from "./go-values.ts";
import type { FlagSpec } from "./command.ts";
import { quote } from "./print/quote.ts";

export class FlagError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "FlagError";
  }
}

export type FlagValue = boolean | string | bigint | number | readonly string[];

/** The values of the flags known to a command, its own and the global ones. */
export class Flags {
  readonly #values = new Map<string, FlagValue>();
  readonly #given = new Set<string>();
  readonly #specs: readonly FlagSpec[];

  constructor(specs: readonly FlagSpec[]) {
    const names = new Set<string>();
    // A command's own flag stands before a global one of the same name.
    this.#specs = specs.filter(({ name }) => !names.has(name) && names.add(name));
    for (const spec of this.#specs) this.#values.set(spec.name, read(spec, spec.initial));
  }

  get specs(): readonly FlagSpec[] {
    return this.#specs;
  }

  /** Whether the command line or the environment gave it. */
  isGiven(name: string): boolean {
    return this.#given.has(name);
  }

  on(name: string): boolean {
    return this.#value(name, "bool") as boolean;
  }

  text(name: string): string {
    return this.#value(name, "string") as string;
  }

  /** A whole number of 64 bits; beyond 2^53 it is rounded. */
  count(name: string): number {
    return Number(this.#value(name, "int"));
  }

  durationMs(name: string): number {
    return this.#value(name, "duration") as number;
  }

  list(name: string): readonly string[] {
    return this.#value(name, "list") as readonly string[];
  }

  /** Throws FlagError, in Go's words, when `text` is no value of the flag's kind. */
  set(spec: FlagSpec, text: string): void {
    const value = read(spec, text);
    const isMore = spec.kind === "list" && this.#given.has(spec.name);
    this.#values.set(spec.name, isMore ? [...this.list(spec.name), ...(value as string[])] : value);
    this.#given.add(spec.name);
  }

  /** As `--debug` shows it. */
  shown(spec: FlagSpec): string {
    const value = this.#values.get(spec.name);
    if (spec.kind === "duration") return formatDuration(value as number);
    return Array.isArray(value) ? `[${value.join(",")}]` : String(value);
  }

  #value(name: string, kind: FlagSpec["kind"]): FlagValue {
    const spec = this.#specs.find((one) => one.name === name);
    if (spec?.kind !== kind) throw new Error(`no ${kind} flag --${name}`);
    return this.#values.get(name) as FlagValue;
  }
}

function read(spec: FlagSpec, text: string): FlagValue {
  switch (spec.kind) {
    case "bool":
      return parseBool(text);
    case "int":
      return parseInt64(text, 0);
    case "duration":
      return parseDuration(text);
    case "list":
      return text === "" ? [] : text.split(",").map((part) => part.trim());
    case "string":
      return text;
  }
}

export interface ParsedLine {
  readonly args: readonly string[];
  /** How many of `args` stood before `--`; undefined without one. */
  readonly dashAt: number | undefined;
  readonly isHelpWanted: boolean;
}

const HELP: FlagSpec = { name: "help", short: "h", kind: "bool", initial: "false", help: "" };

/** Reads a command line into `flags`. Throws FlagError. */
export function parseFlags(words: readonly string[], flags: Flags): ParsedLine {
  const args: string[] = [];
  let isHelpWanted = false;
  const set = (spec: FlagSpec, text: string): void => {
    if (spec === HELP) isHelpWanted = text !== "false";
    else setNamed(flags, spec, text);
  };
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] as string;
    if (word === "--") {
      const dashAt = args.length;
      return { args: [...args, ...words.slice(at + 1)], dashAt, isHelpWanted };
    }
    if (word.startsWith("--")) at += longFlag(word, words[at + 1], flags, set);
    else if (word.startsWith("-") && word.length > 1) {
      at += shortFlags(word, words[at + 1], flags, set);
    } else args.push(word);
  }
  return { args, dashAt: undefined, isHelpWanted };
}

type Set = (spec: FlagSpec, text: string) => void;

/** How many of the following words it took. */
function longFlag(word: string, next: string | undefined, flags: Flags, set: Set): number {
  const [, name = "", , value] = /^--([^=]*)(=(.*))?$/s.exec(word) ?? [];
  if (name === "" || name.startsWith("-")) throw new FlagError(`bad flag syntax: ${word}`);
  const spec = [...flags.specs, HELP].find((one) => one.name === name);
  if (spec === undefined) throw new FlagError(`unknown flag: --${name}`);
  if (value !== undefined) return set(spec, value), 0;
  if (spec.kind === "bool") return set(spec, "true"), 0;
  if (next === undefined) throw new FlagError(`flag needs an argument: --${name}`);
  set(spec, next);
  return 1;
}

function shortFlags(word: string, next: string | undefined, flags: Flags, set: Set): number {
  for (let at = 1; at < word.length; at += 1) {
    const letter = word[at] as string;
    const rest = word.slice(at + 1);
    const spec = [...flags.specs, HELP].find((one) => one.short === letter);
    if (spec === undefined) {
      throw new FlagError(`unknown shorthand flag: '${letter}' in -${word.slice(at)}`);
    }
    if (rest.startsWith("=") && rest.length > 1) return set(spec, rest.slice(1)), 0;
    if (spec.kind === "bool") {
      set(spec, "true");
      continue;
    }
    if (rest !== "") return set(spec, rest), 0;
    if (next === undefined) {
      throw new FlagError(`flag needs an argument: '${letter}' in -${word.slice(at)}`);
    }
    set(spec, next);
    return 1;
  }
  return 0;
}

function setNamed(flags: Flags, spec: FlagSpec, text: string): void {
  try {
    flags.set(spec, text);
  } catch (error) {
    const name = spec.short === undefined ? `--${spec.name}` : `-${spec.short}, --${spec.name}`;
    throw new FlagError(
      `invalid argument ${quote(text)} for "${name}" flag: ${(error as Error).message}`,
    );
  }
}
