/**
 * `holdfast utl`: works on files of a member that does not run, as etcdutl does (UT-00). This file
 * reads the command line; what a command does is in a file of its own, loaded when
 * it is called.
 */
import { Command, CommanderError } from "commander";
import { addBbolt } from "./bbolt/add-bbolt.ts";
import { completionOf, SHELLS } from "./completion.ts";
import { Exit, UtlError, type UtlIo } from "./io.ts";
import { type Given, readCount, readDuration } from "./values.ts";

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

/** Refusals of the command line in the words of etcdutl's library. */
function asCobra(text: string): string {
  return text
    .replace(
      /^error: required option '--(\S+) .*' not specified/,
      'Error: required flag(s) "$1" not set',
    )
    .replace(/^error: /, "Error: ");
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

interface Globals {
  readonly format: string;
  readonly timeoutMs: number;
}

function commandOf(io: UtlIo): Command {
  const program = new Command("etcdutl")
    .description("An administrative command line tool directly for etcd data of Holdfast members.")
    .option(
      "-w, --write-out <format>",
      "set the output format (fields, json, simple, table)",
      "simple",
    )
    .option("--timeout <duration>", "time to wait for a member that is ending", "10s")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout(text),
      writeErr: (text) => io.stderr(asCobra(text)),
    });
  const globals = (): Globals => {
    const given = program.opts<Given>();
    const timeoutMs = readDuration(given, "timeout", "--timeout");
    return { format: String(given["writeOut"]), timeoutMs };
  };
  addSnapshot(program, globals, io);
  addStore(program, globals, io);
  const bbolt = subcommand(
    program,
    "bbolt",
    "Looks into a snapshot or a store of etcd, page by page",
  );
  addBbolt(examples(bbolt, ["etcdutl bbolt check snap.db", "etcdutl bbolt keys snap.db meta"]), io);
  subcommand(program, "version", "Prints the version of etcdutl").action(() => {
    io.stdout("etcdutl version: 3.7.1\nAPI version: 3.7\n");
  });
  examples(subcommand(program, "completion", "Generates a completion script for a shell"), [
    "source <(etcdutl completion bash)",
  ])
    .argument("<shell>", SHELLS.join(", "))
    .action((shell: string) => io.stdout(completionOf(program, shell)));
  return program;
}

function addSnapshot(program: Command, globals: () => Globals, io: UtlIo): void {
  const snapshot = subcommand(program, "snapshot", "Manages etcd node snapshots");
  examples(subcommand(snapshot, "status", "Gets backend snapshot status of a given file"), [
    "etcdutl snapshot status snap.db -w table",
  ])
    .argument("[filename...]")
    .action(async (files: string[]) => {
      const { statusCommand } = await import("./status-command.ts");
      await statusCommand(files, globals().format, io);
    });
  const restore = subcommand(snapshot, "restore", "Restores a snapshot to a new data directory");
  examples(restoreOptions(restore), [
    "etcdutl snapshot restore snap.db --data-dir /var/lib/holdfast/m1",
    "etcdutl snapshot restore --from /backups --data-dir /var/lib/holdfast/m1",
    "etcdutl snapshot restore --from /backups --to-revision 300450 --data-dir m1",
    "etcdutl snapshot restore --from /backups --to-time 2026-11-21T15:04:00Z --data-dir m1",
  ])
    .argument("[filename...]")
    .action(async (files: string[], given: Given) => {
      const { restoreCommand } = await import("./restore-command.ts");
      await restoreCommand(files, given, io);
    });
  const save = program.createCommand("save").allowUnknownOption().argument("[filename...]");
  snapshot.addCommand(save, { hidden: true });
  save.action(() => {
    const hint = "In order to download snapshot use: `etcdctl snapshot save ...`";
    throw new UtlError(hint, Exit.BAD_ARGS);
  });
}

function addStore(program: Command, globals: () => Globals, io: UtlIo): void {
  const dataDir = ["--data-dir <path>", "Required. A data directory that no member uses."] as const;
  examples(subcommand(program, "defrag", "Defragments the storage of the etcd"), [
    "etcdutl defrag --data-dir /var/lib/holdfast/m1",
  ])
    .requiredOption(...dataDir)
    .action(async (given: Given) => {
      const { defragCommand } = await import("./defrag-command.ts");
      await defragCommand({ ...globals(), dataDirectory: String(given["dataDir"]) }, io);
    });
  examples(subcommand(program, "hashkv", "Prints the KV history hash of a given file"), [
    "etcdutl hashkv snap.db --rev 300000",
    "etcdutl hashkv /var/lib/holdfast/m1 -w json",
  ])
    .argument("[filename...]")
    .option("--rev <revision>", "maximum revision to hash (default: latest revision)")
    .action(async (files: string[], given: Given) => {
      const { hashKvCommand } = await import("./hashkv-command.ts");
      await hashKvCommand(files, { ...globals(), revision: readCount(given, "rev", "--rev") }, io);
    });
  examples(
    subcommand(
      program,
      "migrate",
      "Migrates schema of etcd data dir files to make them compatible with different etcd version",
    ),
    ["etcdutl migrate --data-dir /var/lib/holdfast/m1 --target-version 3.6"],
  )
    .requiredOption(...dataDir)
    .requiredOption(
      "--target-version <version>",
      'Target etcd version to migrate contents of data dir. Minimal value 3.5. Format "X.Y".',
    )
    .option("--force", "Accepted and without effect: there is nothing to override")
    .action(async (given: Given) => {
      const dataDirectory = String(given["dataDir"]);
      const targetVersion = String(given["targetVersion"]);
      const { migrateCommand } = await import("./migrate-command.ts");
      await migrateCommand({ ...globals(), dataDirectory, targetVersion }, io);
    });
}

function subcommand(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description).helpCommand(false);
}

function examples(command: Command, lines: readonly string[]): Command {
  return command.addHelpText(
    "after",
    `\nExamples:\n${lines.map((line) => `  ${line}\n`).join("")}`,
  );
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
    .option("--from <location>", "Scheduled backups to restore from, instead of a file")
    .option("--to-revision <revision>", "With --from: the state at this revision")
    .option("--to-time <time>", "With --from: the newest state that is not later (RFC 3339)")
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
      "How much to increase the latest revision after restore (default 0; with --from: beyond all " +
        "that was ever seen)",
    )
    .option(
      "--mark-compacted [bool]",
      "Mark the latest revision after restore as the point of scheduled compaction " +
        "(required if --bump-revision > 0, disallowed otherwise)",
      false,
    );
}
