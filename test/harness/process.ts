/**
 * Servers as processes: real etcd and Holdfast, started alike, so that a test can put the same
 * questions to both. Each gets ports of its own and a data directory that goes with it.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** Generous: a machine that does much else may need so long; one that ends says so at once. */
const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 30_000;
const LOG_BYTES_MAX = 8 * 1024 * 1024;

export type Kind = "etcd" | "holdfast";

/**
 * What the suites test: Holdfast, or real etcd when UNDER_TEST says so, which shows that a suite
 * asks for nothing that etcd does not do.
 */
export const UNDER_TEST: Kind = process.env.UNDER_TEST === "etcd" ? "etcd" : "holdfast";

export interface StartOptions {
  /** Kept when the server stops if given; else a new one that is removed with `dispose`. */
  readonly dataDirectory?: string;
  /** More flags, after ours. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Ports of an earlier start, so that clients find it again. */
  readonly ports?: Ports;
  /** Do not wait for /health; the caller expects it to fail or looks for itself. */
  readonly isReadyAwaited?: boolean;
}

export interface Ports {
  readonly client: number;
  readonly peer: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<ChildProcess>();
const directories: string[] = [];
/** What else must be undone when this process ends: mounts, network namespaces. Last first. */
const undoings: (() => void)[] = [];
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  for (const undo of undoings.toReversed()) undo();
  for (const path of directories) rmSync(path, { recursive: true, force: true });
});
// A signal's default ends a process without "exit", and would leave servers behind.
for (const [signal, code] of [
  ["SIGTERM", 143],
  ["SIGINT", 130],
  ["SIGHUP", 129],
] as const) {
  process.on(signal, () => process.exit(code));
}

/** `undo` must be synchronous, and harmless when there is nothing left to undo. */
export function atExit(undo: () => void): void {
  undoings.push(undo);
}

/** A temporary directory under the system's, named for who made it; gone with this process. */
export function temporaryDirectory(name: string): string {
  const path = mkdtempSync(join(tmpdir(), `holdfast-${name}-`));
  directories.push(path);
  return path;
}

const PORT_LO = 20_001;
const PORT_HI = 32_000;

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/**
 * A port that was free a moment ago, below those that the system gives to outgoing connections, so
 * that none of these takes it before the server does.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORT_LO, PORT_HI);
    if (await isFree(port)) return port;
  }
}

/** Our environment without what etcd and etcdctl would read from it. */
export function cleanEnv(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(process.env)) {
    // What Node's test runner tells its children is not for servers.
    if (!/^(ETCD|ETCDCTL)_|^NODE_TEST_CONTEXT$|^NODE_OPTIONS$/.test(name)) env[name] = value;
  }
  return { ...env, ...extra };
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** One HTTP/1.1 request; rejects when there is no answer. */
export function http(url: string, method = "GET", body?: string): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const call = request(url, { method, timeout: 2_000, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers });
      });
    });
    call.on("timeout", () => call.destroy(new Error(`no answer from ${url} within 2 s`)));
    call.on("error", reject);
    call.end(body);
  });
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks again and again until `probe` is true; for what happens in another process. */
export async function poll(
  what: string,
  probe: () => Promise<boolean> | boolean,
  deadlineMs = 30_000,
): Promise<void> {
  const giveUpAt = performance.now() + deadlineMs;
  while (!(await probe())) {
    if (performance.now() > giveUpAt) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await delay(10);
  }
}

export class Server {
  readonly kind: Kind;
  readonly dataDirectory: string;
  readonly ports: Ports;
  readonly host: string;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #isDirectoryOurs: boolean;
  #log = "";
  #exit: Exit | undefined;

  constructor(
    kind: Kind,
    child: ChildProcess,
    directory: { path: string; isOurs: boolean },
    ports: Ports,
    host = "127.0.0.1",
  ) {
    this.kind = kind;
    this.host = host;
    this.#child = child;
    this.dataDirectory = directory.path;
    this.#isDirectoryOurs = directory.isOurs;
    this.ports = ports;
    running.add(child);
    const collect = (chunk: Buffer): void => {
      this.#log = (this.#log + chunk.toString("utf8")).slice(-LOG_BYTES_MAX);
    };
    child.stdout?.on("data", collect);
    child.stderr?.on("data", collect);
    this.exited = new Promise((resolve) => {
      const done = (code: number | null, signal: NodeJS.Signals | null): void => {
        running.delete(child);
        this.#exit = { code, signal };
        resolve(this.#exit);
      };
      child.on("error", (error) => {
        this.#log += `${error.message}\n`;
        done(null, null);
      });
      // "close" comes after the last output, "exit" may come before.
      child.on("close", done);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** host:port for clients. */
  get address(): string {
    return `${this.host}:${this.ports.client}`;
  }

  get url(): string {
    return `http://${this.address}`;
  }

  /** Both output streams so far. */
  get log(): string {
    return this.#log;
  }

  /** Resolves when the log has such a line, which may come after an answer that was given later. */
  async says(line: RegExp): Promise<void> {
    await poll(`${this.kind} says ${line}`, () => line.test(this.#log)).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.tail()}`);
    });
  }

  get hasExited(): boolean {
    return this.#exit !== undefined;
  }

  /** Resolves when /health says so; rejects with the log when the process ends first. */
  async ready(deadlineMs = READY_MS_MAX): Promise<void> {
    await poll(
      `${this.kind} ready`,
      async () => {
        if (this.#exit !== undefined) {
          throw new Error(
            `${this.kind} exited with ${this.#exit.code ?? this.#exit.signal}:\n${this.tail()}`,
          );
        }
        const answer = await http(`${this.url}/health`).catch(() => undefined);
        return answer?.status === 200 && answer.body.includes('"true"');
      },
      deadlineMs,
    ).catch((error: unknown) => {
      const text = error instanceof Error ? error.message : String(error);
      throw new Error(text.includes("exited") ? text : `${text}\n${this.tail()}`);
    });
  }

  tail(lines = 20): string {
    return this.#log.split("\n").slice(-lines).join("\n");
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** SIGTERM, and SIGKILL when that takes too long. */
  async stop(): Promise<Exit> {
    if (this.#exit !== undefined) return this.#exit;
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), STOP_MS_MAX);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  /** SIGKILL: the process has no chance to tidy up. */
  async kill(): Promise<Exit> {
    if (this.#exit === undefined) this.signal("SIGKILL");
    return await this.exited;
  }

  /** Ends the process and removes the data directory if it was made for it. */
  async dispose(): Promise<void> {
    await this.kill();
    if (this.#isDirectoryOurs) rmSync(this.dataDirectory, { recursive: true, force: true });
  }
}

/** How Holdfast is run: from the sources, or from the build when HOLDFAST_UNDER_TEST names one. */
export function holdfastCommand(): { program: string; args: string[] } {
  const main = process.env.HOLDFAST_UNDER_TEST ?? join(ROOT, "src", "server", "main.ts");
  return { program: process.execPath, args: [main] };
}

function flagsFor(kind: Kind, directory: string, ports: Ports): string[] {
  const client = `http://127.0.0.1:${ports.client}`;
  const peer = `http://127.0.0.1:${ports.peer}`;
  const flags = [
    ["--name", "default"],
    ["--data-dir", directory],
    ["--listen-client-urls", client],
    ["--advertise-client-urls", client],
    ["--listen-peer-urls", peer],
    ["--initial-advertise-peer-urls", peer],
    ["--initial-cluster", `default=${peer}`],
  ].flat();
  if (kind === "etcd") flags.push("--logger", "zap");
  return flags;
}

/** Starts what is under test as etcd 3.4 answers, for comparisons with Debian's. */
export async function startAs34(): Promise<Server> {
  return await start(UNDER_TEST, { flags: UNDER_TEST === "etcd" ? [] : ["--compat", "3.4"] });
}

export async function start(kind: Kind, options: StartOptions = {}): Promise<Server> {
  const isOurs = options.dataDirectory === undefined;
  const path = options.dataDirectory ?? temporaryDirectory(kind);
  const ports = options.ports ?? { client: await freePort(), peer: await freePort() };
  const command = kind === "etcd" ? { program: "etcd", args: [] } : holdfastCommand();
  const args = [...command.args, ...flagsFor(kind, path, ports), ...(options.flags ?? [])];
  const child = spawn(command.program, args, {
    env: cleanEnv(options.env),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const server = new Server(kind, child, { path, isOurs }, ports);
  if (options.isReadyAwaited === false) return server;
  try {
    await server.ready();
  } catch (error) {
    await server.dispose();
    throw error;
  }
  return server;
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, without blocking this process. */
export function run(
  program: string,
  args: readonly string[],
  options: {
    input?: string;
    env?: Record<string, string>;
    deadlineMs?: number;
    cwd?: string;
  } = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      env: cleanEnv(options.env),
      stdio: "pipe",
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    running.add(child);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString("utf8");
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString("utf8");
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), options.deadlineMs ?? 30_000);
    child.on("error", (error) => {
      stderr += error.message;
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ code, stdout, stderr });
    });
    child.stdin.on("error", () => {
      // It may end before it has read everything.
    });
    child.stdin.end(options.input ?? "");
  });
}

export function etcdctl(
  server: { readonly address: string },
  args: readonly string[],
  options: { input?: string; deadlineMs?: number } = {},
): Promise<CommandResult> {
  const all = ["--endpoints", server.address, ...args];
  return run("etcdctl", all, { ...options, env: { ETCDCTL_API: "3" } });
}

/** A command that goes on until it is told to stop: a watch, a lock. */
export class Background {
  stdout = "";
  stderr = "";
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;

  constructor(program: string, args: readonly string[], env: Record<string, string> = {}) {
    this.#child = spawn(program, args, { env: cleanEnv(env), stdio: ["pipe", "pipe", "pipe"] });
    const child = this.#child;
    running.add(child);
    child.stdout?.on("data", (chunk: Buffer) => {
      this.stdout += chunk.toString("utf8");
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      this.stderr += chunk.toString("utf8");
    });
    this.exited = new Promise((resolve) => {
      child.on("error", () => resolve(null));
      child.on("close", (code) => {
        running.delete(child);
        resolve(code);
      });
    });
  }

  /** Resolves when `isDone(stdout)` holds. */
  async until(isDone: (stdout: string) => boolean, deadlineMs = 10_000): Promise<void> {
    try {
      await poll("output of a command", () => isDone(this.stdout), deadlineMs);
    } catch {
      throw new Error(`output not as wanted:\n${this.stdout}\n--- stderr\n${this.stderr}`);
    }
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  async end(signal: NodeJS.Signals = "SIGINT"): Promise<number | null> {
    if (!running.has(this.#child)) return await this.exited;
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    const code = await this.exited;
    clearTimeout(timer);
    return code;
  }
}

/**
 * Whether real etcd and etcdctl are here; the suites that compare say so and are skipped if not.
 */
export function hasEtcd(): boolean {
  return (
    spawnSync("etcd", ["--version"]).status === 0 && spawnSync("etcdctl", []).error === undefined
  );
}

/** An integer from the environment, for run counts and seeds. */
export function numberFromEnv(name: string, otherwise: number): number {
  const text = process.env[name];
  if (text === undefined || text === "") return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${name}="${text}" is not a count`);
  }
  return value;
}
