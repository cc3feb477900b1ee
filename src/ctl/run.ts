/** `holdfast ctl`, also called etcdctl: finds the command, reads its flags, runs it. */
import { errors } from "../errors/index.ts";
import type { Command, Entry } from "./command.ts";
import { readCompat } from "./compat.ts";
import { Context } from "./context.ts";
import { CtlError, CtlExit, Exit } from "./exit.ts";
import { FlagError, Flags, parseFlags } from "./flags.ts";
import { GLOBAL_FLAGS } from "./globals.ts";
import type { CtlIo } from "./io.ts";
import { COMMANDS, COMMANDS_V2 } from "./registry.ts";
import { V2_FLAGS } from "./v2/flags.ts";

/** `words` come after the program's name. Settles with the exit code; never rejects. */
export async function runCtl(words: readonly string[], io: CtlIo): Promise<number> {
  try {
    await run(words, io);
    return Exit.SUCCESS;
  } catch (error) {
    if (error instanceof CtlExit) return error.exitCode;
    noteConnection(error, io);
    io.stderr(`Error: ${(error as Error).message}\n`);
    return exitCodeOf(error as Error);
  }
}

/** A login that fails counts as a connection that cannot be made, as in etcdctl. */
function exitCodeOf(error: Error): number {
  if (error instanceof CtlError) return error.exitCode;
  return error.message === errors.AuthFailed.message ? Exit.BAD_CONNECTION : Exit.ERROR;
}

/**
 * "context deadline exceeded" says nothing of why; what the client knows of it comes before, as a
 * line of the log, so that the error itself stays as scripts expect it.
 */
function noteConnection(error: unknown, io: CtlIo): void {
  const { cause } = error as Error;
  const { detail, endpoint } = (cause ?? error) as { detail?: string; endpoint?: string };
  if (detail === undefined) return;
  const ts = new Date().toISOString();
  io.stderr(`${JSON.stringify({ level: "warn", ts, msg: "no answer", endpoint, detail })}\n`);
}

async function run(given: readonly string[], io: CtlIo): Promise<void> {
  const { minor, isV2: isV2Wanted, words } = readCompat(given, io);
  const isV2 = isV2Wanted || V2_ALONE.has(argumentsOf(words)[0] ?? "");
  const table = isV2 ? COMMANDS_V2 : COMMANDS;
  const found = findCommand(table, words);
  if (found === undefined) return await withoutCommand(table, words, io, isV2);
  const command = await found.entry.load();
  const flags = new Flags([...command.flags, ...GLOBAL_FLAGS]);
  const line = await readLine(found.entry, command, found.rest, flags, io);
  if (line.isHelpWanted) {
    const { commandHelp } = await import("./help.ts");
    return io.stdout(commandHelp(found.entry, command));
  }
  const context = new Context({ io, flags, words, minor, dashAt: line.dashAt, commands: table });
  try {
    await command.run(context, line.args, flags);
  } finally {
    await context.close();
  }
}

/** Commands that the second API alone has; nobody who calls one can mean the third. */
const V2_ALONE = new Set(["cluster-health"]);

async function readLine(
  entry: Entry,
  command: Command,
  words: readonly string[],
  flags: Flags,
  io: CtlIo,
): Promise<ReturnType<typeof parseFlags>> {
  try {
    return parseFlags(words, flags);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    io.stderr(`Error: ${error.message}\n`);
    const { name } = entry;
    const usage = `Usage:\n  etcdctl ${name} ${command.usage}`.trimEnd();
    io.stderr(`${usage}\nRun 'etcdctl ${name} --help' for its options.\n`);
    throw new CtlExit(Exit.ERROR);
  }
}

interface Found {
  readonly entry: Entry;
  /** The words without the command's own name. */
  readonly rest: readonly string[];
}

/** The longest name that the leading words spell, flags between them aside. */
function findCommand(table: readonly Entry[], words: readonly string[]): Found | undefined {
  const places = placesOfArguments(words);
  let candidates: Candidate[] = table.map((entry) => ({ entry, names: namesOf(entry) }));
  for (let depth = 0; depth < places.length; depth += 1) {
    const word = words[places[depth] as number] as string;
    const level = candidates.filter(({ names }) => names.some((name) => name[depth] === word));
    candidates = level.length > 0 ? level : byPrefix(candidates, depth, word);
    const whole = candidates.find(({ names }) => names.some((name) => name.length === depth + 1));
    if (whole !== undefined) {
      const own = new Set(places.slice(0, depth + 1));
      return { entry: whole.entry, rest: words.filter((_, at) => !own.has(at)) };
    }
    if (candidates.length === 0) return undefined;
  }
  return undefined;
}

interface Candidate {
  readonly entry: Entry;
  readonly names: string[][];
}

function namesOf(entry: Entry): string[][] {
  return [entry.name, ...(entry.aliases ?? [])].map((name) => name.split(" "));
}

/** A beginning will do when only one name has it. */
function byPrefix(candidates: readonly Candidate[], depth: number, word: string): Candidate[] {
  const begin = candidates.filter(({ names }) =>
    names.some((name) => name[depth]?.startsWith(word)),
  );
  const meant = new Set(begin.flatMap(({ names }) => names[0]?.[depth] ?? []));
  return meant.size === 1 ? begin : [];
}

/** Flags that may stand before the command's name. */
const FLAGS_BEFORE = [...GLOBAL_FLAGS, ...V2_FLAGS];

/** Where the words that are neither flags nor values of global flags stand. */
function placesOfArguments(words: readonly string[]): number[] {
  const places: number[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] as string;
    if (word === "--") break;
    if (!word.startsWith("-") || word === "-") {
      places.push(at);
      continue;
    }
    const spec = FLAGS_BEFORE.find((one) => word === `--${one.name}` || word === `-${one.short}`);
    if (spec !== undefined && spec.kind !== "bool") at += 1;
  }
  return places;
}

function argumentsOf(words: readonly string[]): string[] {
  return placesOfArguments(words).map((at) => words[at] as string);
}

/** Help, a list of a command's parts, or a word that means nothing. */
async function withoutCommand(
  table: readonly Entry[],
  words: readonly string[],
  io: CtlIo,
  isV2: boolean,
): Promise<void> {
  const args = argumentsOf(words);
  const topic = args[0] === "help" ? args.slice(1) : args;
  const { groupHelp, helpOf, rootHelp } = await import("./help.ts");
  if (topic.length === 0) {
    const flags = new Flags(GLOBAL_FLAGS);
    readRoot(words, flags, io);
    return io.stdout(rootHelp(table));
  }
  if (args[0] === "help") return io.stdout(await helpOf(table, topic, findCommand(table, topic)));
  if (isV2) throw new CtlError(noV2(args));
  const moved = MOVED.find((name) => topic.slice(0, 2).join(" ").startsWith(name));
  if (moved !== undefined) throw new CtlError(whereItIs(moved));
  const group = groupHelp(table, topic[0] as string);
  if (group !== undefined) return io.stdout(group);
  throw new CtlError(`unknown command "${args[0]}" for "etcdctl"\nRun 'etcdctl --help' for usage.`);
}

/** What etcdctl had up to 3.5: commands that work on files, which are etcdutl's since. */
const MOVED = ["snapshot restore", "snapshot status", "migrate"];

function whereItIs(name: string): string {
  return (
    `"${name}" works on files, not on servers: it is a command of etcdutl ` +
    `(holdfast utl ${name}), with the same arguments`
  );
}

function noV2(args: readonly string[]): string {
  const known = COMMANDS_V2.map((entry) => entry.name).join(", ");
  return (
    `"${args.join(" ")}" of the second API (ETCDCTL_API=2 or --compat) does not exist here; ` +
    `there are: ${known || "none"}. Without ETCDCTL_API=2 the commands of the third API are used`
  );
}

function readRoot(words: readonly string[], flags: Flags, io: CtlIo): void {
  try {
    parseFlags(words, flags);
  } catch (error) {
    io.stderr(`Error: ${(error as Error).message}\nRun 'etcdctl --help' for usage.\n`);
    throw new CtlExit(Exit.ERROR);
  }
}
