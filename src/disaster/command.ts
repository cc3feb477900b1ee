/**
 * `holdfast disaster`: when a majority of the members is lost for good, looks at what is left and
 * makes one survivor a cluster of its own. This file reads the command line and says what to do
 * next; it keeps the locks of the directories for as long as it works on them.
 */
import { resolve } from "node:path";
import { Command, CommanderError } from "commander";
import { type DirectoryLock, hostDisk } from "../host/index.ts";
import { compareHashes } from "./compare-hashes.ts";
import { finishRecovery, recover } from "./recover.ts";
import { quote, rejoinText } from "./rejoin.ts";
import { recoveredText, survivorText, verdictText } from "./report.ts";
import {
  inspectSurvivor,
  messageOf,
  type Place,
  readSurvivor,
  type Survivor,
  takeLock,
} from "./survivor.ts";
import { type IntactSurvivor, isIntact, judge, type Verdict } from "./verdict.ts";

export interface DisasterIo {
  stdout(text: string): void;
  stderr(text: string): void;
  /** Of stderr: progress is shown there. */
  readonly isTerminal: boolean;
}

const Exit = { SUCCESS: 0, REFUSED: 1, USAGE: 2 } as const;

const EXAMPLES = `
Examples:

  holdfast disaster /var/lib/etcd
    What this member has, and what may be missing. Nothing is changed.

  holdfast disaster m1.data m3.data
    Several survivors, or copies of their data directories, on any machine: which one is the most
    advanced.

  holdfast disaster recover /var/lib/etcd --yes
    Makes it a cluster of its own, with all that it has. What was there before is kept beside it.
    Killed at any moment: the same command again goes on.

The members must not run on these directories. Before: is the majority really lost? If its disks
can be brought back, on these hosts or on others with the same addresses, start them instead.
`;

/** `args` come after the verb. Settles with the exit code. */
export async function runDisaster(args: readonly string[], io: DisasterIo): Promise<number> {
  let code: number = Exit.SUCCESS;
  const command = commandOf(io, (result) => void (code = result));
  try {
    await command.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.SUCCESS : Exit.USAGE;
    io.stderr(`holdfast disaster: ${messageOf(error)}\n`);
    return Exit.REFUSED;
  }
  return code;
}

interface Given {
  readonly walDir?: readonly string[];
  readonly yes?: boolean;
}

function commandOf(io: DisasterIo, done: (code: number) => void): Command {
  const program = new Command("holdfast disaster")
    .description("Brings the service back when a majority of the members is lost for good.")
    .helpCommand(false)
    .addHelpText("after", EXAMPLES)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout(text), writeErr: (text) => io.stderr(text) });
  places(program.command("inspect", { isDefault: true }))
    .description("say what the survivors have and which one is the most advanced")
    .action(async (directories: string[], given: Given) => {
      done(await inspect(readPlaces(directories, given), io));
    });
  places(program.command("recover"))
    .description("make the most advanced survivor a cluster of its own")
    .option("--yes", "do it; without this it only says what would be done")
    .action(async (directories: string[], given: Given) => {
      const wanted = readPlaces(directories, given);
      done(
        given.yes === true ? await withLocks(wanted, io, recoverOne) : await inspect(wanted, io),
      );
      if (given.yes !== true) done(Exit.REFUSED);
    });
  return program;
}

function places(command: Command): Command {
  return command
    .helpOption("-h, --help", "show this")
    .argument("<dir...>", "data directories (--data-dir) of members that survived")
    .option(
      "--wal-dir <dir>",
      "a member's --wal-dir, if it had one; for several, once for each directory, in their order",
      (path: string, before: string[] | undefined) => [...(before ?? []), path],
    );
}

function readPlaces(directories: readonly string[], { walDir = [] }: Given): Place[] {
  if (walDir.length > 0 && walDir.length !== directories.length) {
    throw new Error(
      `--wal-dir was given ${walDir.length} times for ${directories.length} directories: give it ` +
        "once for each of them, or not at all",
    );
  }
  const all = directories.map((path) => resolve(path));
  if (new Set(all).size !== all.length) throw new Error("a directory was given twice");
  return all.map((directory, at) => {
    const wal = walDir[at];
    return { directory, walDirectory: wal === undefined ? undefined : resolve(wal) };
  });
}

async function inspect(wanted: readonly Place[], io: DisasterIo): Promise<number> {
  const survivors: Survivor[] = [];
  for (const place of wanted) survivors.push(await inspectSurvivor(place));
  for (const survivor of survivors) io.stdout(`${survivorText(survivor)}\n`);
  const unfinished = survivors.find(({ isUnfinished }) => isUnfinished);
  if (unfinished !== undefined) {
    io.stdout(`To finish the recovery, type:\n\n  ${commandFor(unfinished)}\n`);
    return Exit.SUCCESS;
  }
  const verdict = judge(survivors, await compareHashes(survivors));
  io.stdout(verdictText(verdict));
  if (verdict.chosen === undefined || verdict.refusals.length > 0) return Exit.REFUSED;
  io.stdout(
    `To make it a cluster of its own, with all that it has, type:\n\n  ${commandFor(verdict.chosen)}\n`,
  );
  return survivors.every(isIntact) ? Exit.SUCCESS : Exit.REFUSED;
}

function commandFor({ directory, walDirectory }: Place): string {
  const wal = walDirectory === undefined ? "" : ` --wal-dir ${quote(walDirectory)}`;
  return `holdfast disaster recover ${quote(directory)}${wal} --yes`;
}

/** The locks of all directories are held while `work` runs. */
async function withLocks(
  wanted: readonly Place[],
  io: DisasterIo,
  work: (wanted: readonly Place[], io: DisasterIo) => Promise<number>,
): Promise<number> {
  const locks: DirectoryLock[] = [];
  try {
    for (const { directory } of wanted) {
      if (!(await hostDisk.exists(directory)))
        throw new Error(`there is no directory ${directory}`);
      locks.push(await takeLock(directory));
    }
    return await work(wanted, io);
  } finally {
    for (const lock of locks.toReversed()) await lock.release();
  }
}

async function recoverOne(wanted: readonly Place[], io: DisasterIo): Promise<number> {
  for (const place of wanted) {
    if (!(await finishRecovery(hostDisk, place.directory))) continue;
    io.stdout(`The recovery of ${place.directory} was begun before; it is finished.\n\n`);
    return tell(await readSurvivor(place), io);
  }
  const survivors: Survivor[] = [];
  for (const place of wanted) {
    io.stderr(`reading ${place.directory}\n`);
    survivors.push(await readSurvivor(place));
  }
  const marked = survivors.find(isRecovered);
  if (marked !== undefined) {
    io.stdout(`${marked.directory} was recovered before, and has not been started since.\n\n`);
    return tell(marked, io);
  }
  const verdict = judge(survivors, await compareHashes(survivors));
  const { chosen } = verdict;
  if (chosen === undefined || verdict.refusals.length > 0) return refuse(survivors, verdict, io);
  io.stdout(`${survivorText(chosen)}\n${verdictText(verdict)}`);
  await recover(chosen, { disk: hostDisk, onStep: stepper(io) });
  return tell(await readSurvivor(chosen), io);
}

function isRecovered(survivor: Survivor): survivor is IntactSurvivor {
  if (!isIntact(survivor) || survivor.store.mark === undefined) return false;
  return survivor.log.lastIndex === survivor.store.applied.index;
}

function refuse(survivors: readonly Survivor[], verdict: Verdict, io: DisasterIo): number {
  for (const survivor of survivors) io.stdout(`${survivorText(survivor)}\n`);
  io.stdout(verdictText(verdict));
  return Exit.REFUSED;
}

function tell(survivor: Survivor, io: DisasterIo): number {
  const own = survivor.members[0];
  if (!isRecovered(survivor) || own === undefined) {
    throw new Error(
      `what was recovered in ${survivor.directory} is not as it was written (` +
        `${survivor.faults.join("; ")}): is the disk failing? What was there before is kept beside it`,
    );
  }
  const former = survivor.store.mark?.before.members ?? [];
  io.stdout(`${recoveredText(survivor)}\n${rejoinText({ ...survivor, own, former })}`);
  return Exit.SUCCESS;
}

/** Each step once; on a terminal, in one line that changes. */
function stepper(io: DisasterIo): (text: string) => void {
  let last = "";
  return (text) => {
    const step = text.replace(/:.*/, "");
    if (io.isTerminal) io.stderr(`${step === last ? "\r" : last === "" ? "" : "\n"}${text}`);
    else if (step !== last) io.stderr(`${step}\n`);
    if (io.isTerminal && step.startsWith("putting")) io.stderr("\n");
    last = step;
  };
}
