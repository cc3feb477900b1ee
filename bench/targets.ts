/**
 * Starts and stops the servers under measurement, each as its users would, with one set of
 * settings.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { QUOTA_BYTES } from "./cases.ts";

/** What a server may take to end after SIGTERM before it is killed. */
const STOP_MS = 20_000;
const LOG_LINES_SHOWN = 15;

export interface ServerProgram {
  readonly title: string;
  readonly command: string;
  /** Without the flags that name addresses and directories. */
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}

/** Settings of the caller's shell must reach neither server. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const names = Object.keys(process.env).filter((name) => !/^(ETCD|HOLDFAST|NODE)_/.test(name));
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}

export function etcdProgram(path: string): ServerProgram {
  return {
    title: "etcd",
    command: path,
    args: storeFlags(),
    environment: cleanEnvironment(),
  };
}

/** With `profileDirectory` each process writes a CPU profile there when it ends. */
export function holdfastProgram(path: string, profileDirectory: string | undefined): ServerProgram {
  const environment = cleanEnvironment();
  if (profileDirectory !== undefined) {
    environment["NODE_OPTIONS"] = `--cpu-prof --cpu-prof-dir=${profileDirectory}`;
  }
  return { title: "Holdfast", command: path, args: storeFlags(), environment };
}

export function nullProgram(): ServerProgram {
  const program = fileURLToPath(new URL("./null-server.ts", import.meta.url));
  return {
    title: "null server",
    command: process.execPath,
    args: [program],
    environment: cleanEnvironment(),
  };
}

/** Both take the same flags: Holdfast's are etcd's. fsync is on, as it is by default in both. */
function storeFlags(): string[] {
  return [`--quota-backend-bytes=${QUOTA_BYTES}`];
}

export interface RunningServer {
  readonly pid: number;
  readonly port: number;
  /** `process.hrtime.bigint()` right before the process was started. */
  readonly startedNs: bigint;
  /** Rejects with the end of the server's log when it ended by itself. */
  readonly ended: Promise<never>;
  /** SIGTERM, and the end awaited. */
  stop(): Promise<void>;
  /** SIGKILL, and the end awaited. */
  kill(): Promise<void>;
}

/** What an interrupted bench must not leave behind. */
const livePids = new Set<number>();
export const liveDirectories = new Set<string>();

/** Kills the servers that run and removes their directories; for the way out after a signal. */
export function abandonAll(): void {
  for (const pid of livePids) process.kill(pid, "SIGKILL");
  for (const directory of liveDirectories) rmSync(directory, { recursive: true, force: true });
}

/** One data directory, in which a server is started once or several times. */
export class ServerHome {
  readonly #program: ServerProgram;
  readonly #directory: string;
  #starts = 0;
  #running: RunningServer | undefined;

  private constructor(program: ServerProgram, directory: string) {
    this.#program = program;
    this.#directory = directory;
  }

  static async make(program: ServerProgram, parent: string | undefined): Promise<ServerHome> {
    const directory = await mkdtemp(join(parent ?? tmpdir(), "holdfast-bench-"));
    liveDirectories.add(directory);
    return new ServerHome(program, directory);
  }

  async start(): Promise<RunningServer> {
    const [clientPort, peerPort] = await freePorts();
    this.#starts += 1;
    const logPath = join(this.#directory, `log-${this.#starts}`);
    const running = startServer(
      this.#program,
      [...this.#program.args, ...addressFlags(this.#directory, clientPort, peerPort)],
      clientPort,
      logPath,
    );
    this.#running = running;
    return running;
  }

  /** Stops what still runs and removes the directory. */
  async remove(): Promise<void> {
    await this.#running?.stop();
    await rm(this.#directory, { recursive: true, force: true });
    liveDirectories.delete(this.#directory);
  }
}

function addressFlags(directory: string, clientPort: number, peerPort: number): string[] {
  const client = `http://127.0.0.1:${clientPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  return [
    `--data-dir=${join(directory, "data")}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    "--name=bench",
    `--initial-cluster=bench=${peer}`,
  ];
}

export function startServer(
  program: ServerProgram,
  args: readonly string[],
  port: number,
  logPath: string,
): RunningServer {
  const log = openSync(logPath, "w");
  const startedNs = process.hrtime.bigint();
  const child = spawn(program.command, args, {
    stdio: ["ignore", log, log],
    env: program.environment,
  });
  closeSync(log);
  const { pid } = child;
  if (pid !== undefined) livePids.add(pid);
  let isStopping = false;
  const exited = new Promise<string>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("exit", (code, signal) => resolve(`exit code ${code ?? signal}`));
  });
  void exited.then(() => livePids.delete(pid ?? 0));
  const ended = new Promise<never>((_resolve, reject) => {
    void exited.then((how) => {
      if (isStopping) return;
      reject(new Error(`${program.title} ended (${how}); its last lines:\n${tail(logPath)}`));
    });
  });
  // Whoever waits for a figure races with this; nobody may be waiting when it happens.
  ended.catch(() => {});
  const stop = async (): Promise<void> => {
    isStopping = true;
    await stopProcess(child, exited);
  };
  const kill = async (): Promise<void> => {
    isStopping = true;
    child.kill("SIGKILL");
    await exited;
  };
  return { pid: pid ?? 0, port, startedNs, ended, stop, kill };
}

async function stopProcess(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  child.kill("SIGTERM");
  await exited;
  clearTimeout(timer);
}

function tail(path: string): string {
  return readFileSync(path, "utf8").trimEnd().split("\n").slice(-LOG_LINES_SHOWN).join("\n");
}

/**
 * Two ports that were free a moment ago, below those that the system gives to outgoing connections:
 * the generator opens hundreds of these, and one of them may take a member's port while it is down.
 */
export async function freePorts(): Promise<[number, number]> {
  return [await freePort(), await freePort()];
}

const PORT_LO = 20_001;
const PORT_HI = 32_000;
/** Ports given out are not given out again, as their servers may not have started yet. */
const given = new Set<number>();

async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORT_LO, PORT_HI);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
