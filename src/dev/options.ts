/** The command line of `holdfast dev`. */
import { Command, CommanderError, InvalidArgumentError } from "commander";

export interface DevOptions {
  /** Undefined: as the data directory says, or 3. */
  readonly members: number | undefined;
  /** Undefined: a temporary one, removed at the end. */
  readonly dataDirectory: string | undefined;
  /** Undefined: as the data directory says, or 2379. Two ports a member from here on. */
  readonly basePort: number | undefined;
  /** 0 = never. */
  readonly killLeaderEveryMs: number;
  /** More flags for each member, after `--`. */
  readonly memberFlags: readonly string[];
}

const MEMBERS_MAX = 9;
const PORTS_PER_MEMBER = 2;

const EXAMPLES = `
Examples:

  holdfast dev
    Three members on ports 2379 to 2384, their data in a temporary directory.

  holdfast dev --members 5 --data-dir ./cluster
    Five members whose data stays; the same command starts the same cluster again.

  holdfast dev --kill-leader-every 10
    Kills the leader (kill -9) every ten seconds and starts it again, for as long as it runs.

  holdfast dev --base-port 20000 -- --snapshot-count 1000 --log-level debug
    Other ports; what follows -- are flags of every member.

On a terminal, keys kill, freeze and start members; a line says which.
`;

/** A number of help or usage text was printed; `exitCode` is what the program ends with. */
export class Told extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("told");
    this.exitCode = exitCode;
  }
}

/** Throws Told when there is nothing to run: help, or a mistake (exit code 2). */
export function readDevOptions(
  parts: readonly string[],
  print: (text: string) => void,
): DevOptions {
  const command = new Command("holdfast dev")
    .description("Runs a cluster on this machine for trying things out. Ctrl-C stops it.")
    .option("--members <count>", "how many members (default: 3)", integer(1, MEMBERS_MAX))
    .option("--data-dir <directory>", "keep the data here (default: a temporary directory)")
    .option(
      "--base-port <port>",
      "first of two ports for each member: clients, peers (default: 2379)",
      integer(1, 65_535 - MEMBERS_MAX * PORTS_PER_MEMBER),
    )
    .option("--kill-leader-every <seconds>", "kill the leader again and again", seconds)
    .argument("[flags...]", "flags of every member, after --")
    .addHelpText("after", EXAMPLES)
    .exitOverride()
    .configureOutput({ writeOut: print, writeErr: print });
  try {
    command.parse([...parts], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new Told(error.exitCode === 0 ? 0 : 2);
  }
  const given = command.opts<{
    members?: number;
    dataDir?: string;
    basePort?: number;
    killLeaderEvery?: number;
  }>();
  return {
    members: given.members,
    dataDirectory: given.dataDir,
    basePort: given.basePort,
    killLeaderEveryMs: (given.killLeaderEvery ?? 0) * 1000,
    memberFlags: command.args,
  };
}

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`A whole number from ${min} to ${max} is wanted.`);
  };
}

function seconds(text: string): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value >= 1) return value;
  throw new InvalidArgumentError("Seconds, 1 or more, are wanted.");
}
