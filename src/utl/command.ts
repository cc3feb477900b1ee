/**
 * `holdfast utl`: works on files of a member that does not run, as etcdutl does (UT-00). This file
 * reads the command line; what a command does is in a file of its own.
 */
import { Command, CommanderError } from "commander";
import { Exit, UtlError, type UtlIo } from "./io.ts";
import { restoreCommand } from "./restore-command.ts";
import { statusCommand } from "./status-command.ts";

/** `args` come after the program's name. Settles with the exit code. */
export async function runUtl(args: readonly string[], io: UtlIo): Promise<number> {
  try {
    await commandOf(io).parseAsync([...args], { from: "user" });
    return Exit.SUCCESS;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.SUCCESS : Exit.ERROR;
    io.stderr(`Error: ${messageOf(error)}\n`);
    return error instanceof UtlError ? error.exitCode : Exit.ERROR;
  }
}

/** As Go names what the system refused. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" && path !== undefined) {
    return `${syscall ?? "open"} ${path}: no such file or directory`;
  }
  return error.message;
}

function commandOf(io: UtlIo): Command {
  const program = new Command("etcdutl")
    .description("An administrative command line tool directly for etcd data of Holdfast members.")
    .option(
      "-w, --write-out <format>",
      "set the output format (fields, json, simple, table)",
      "simple",
    )
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout(text),
      writeErr: (text) => io.stderr(text.replace(/^error: /, "Error: ")),
    });
  const snapshot = subcommand(program, "snapshot", "Manages etcd node snapshots");
  subcommand(snapshot, "status", "Gets backend snapshot status of a given file")
    .argument("[filename...]")
    .action(async (files: string[]) => {
      const format = program.opts<{ writeOut: string }>().writeOut;
      await statusCommand(files, format, io);
    });
  restoreOptions(subcommand(snapshot, "restore", "Restores a snapshot to a new data directory"))
    .argument("[filename...]")
    .action(async (files: string[], given: Record<string, string | boolean>) => {
      await restoreCommand(files, given, io);
    });
  const save = program.createCommand("save").allowUnknownOption().argument("[filename...]");
  snapshot.addCommand(save, { hidden: true });
  save.action(() => {
    const hint = "In order to download snapshot use: `etcdctl snapshot save ...`";
    throw new UtlError(hint, Exit.BAD_ARGS);
  });
  return program;
}

function subcommand(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description).helpCommand(false);
}

function restoreOptions(command: Command): Command {
  return command
    .option("--data-dir <path>", "Path to the output data directory", "")
    .option("--wal-dir <path>", "Path to the WAL directory (use --data-dir if none given)", "")
    .option(
      "--initial-cluster <members>",
      "Initial cluster configuration for restore bootstrap",
      "default=http://localhost:2380",
    )
    .option(
      "--initial-cluster-token <token>",
      "Initial cluster token for the etcd cluster during restore bootstrap",
      "etcd-cluster",
    )
    .option(
      "--initial-advertise-peer-urls <urls>",
      "List of this member's peer URLs to advertise to the rest of the cluster",
      "http://localhost:2380",
    )
    .option("--name <name>", "Human-readable name for this member", "default")
    .option(
      "--skip-hash-check [bool]",
      "Ignore snapshot integrity hash value (required if copied from data directory)",
      false,
    )
    .option(
      "--initial-memory-map-size <bytes>",
      "Accepted and without effect: nothing is mapped ahead",
      "10737418240",
    )
    .option(
      "--bump-revision <count>",
      "How much to increase the latest revision after restore",
      "0",
    )
    .option(
      "--mark-compacted [bool]",
      "Mark the latest revision after restore as the point of scheduled compaction " +
        "(required if --bump-revision > 0, disallowed otherwise)",
      false,
    );
}
