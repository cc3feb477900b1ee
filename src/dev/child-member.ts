/** One member as a child process. Its log goes to a file; it ends when we are gone. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PlannedMember } from "./plan.ts";

export type ChildState = "running" | "frozen" | "down";

/** From SIGTERM to SIGKILL; a member promises to end within 5 s. */
const STOP_MS_MAX = 7_000;
const LOG_TAIL_BYTES = 8 * 1024;

/** The program beside this file: built, or from the sources. */
const HERE = fileURLToPath(import.meta.url);
const MAIN = join(dirname(dirname(HERE)), "server", `main${extname(HERE)}`);

export class ChildMember {
  readonly plan: PlannedMember;
  readonly #onExit: (member: ChildMember, how: string) => void;
  #child: ChildProcess | undefined;
  #isFrozen = false;
  #isWanted = false;

  /** `onExit` is told of every end, wanted or not. */
  constructor(plan: PlannedMember, onExit: (member: ChildMember, how: string) => void) {
    this.plan = plan;
    this.#onExit = onExit;
  }

  get name(): string {
    return this.plan.name;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get state(): ChildState {
    if (this.#child === undefined) return "down";
    return this.#isFrozen ? "frozen" : "running";
  }

  /** Whether the last end was asked for here. */
  get isEndWanted(): boolean {
    return this.#isWanted;
  }

  start(): void {
    if (this.#child !== undefined) return;
    this.#isWanted = false;
    this.#isFrozen = false;
    const log = openSync(this.plan.logFile, "a", 0o600);
    // A group of its own, so that Ctrl-C at the terminal reaches us alone.
    const child = spawn(process.execPath, [...process.execArgv, MAIN, ...this.plan.flags], {
      env: memberEnvironment(),
      detached: true,
      stdio: ["pipe", log, log],
    });
    closeSync(log);
    this.#child = child;
    // The pipe closes when we end, however we end; the member takes that for SIGTERM.
    child.stdin?.on("error", () => undefined);
    child.on("error", (error) => this.#ended(child, error.message));
    child.on("exit", (code, signal) => this.#ended(child, signal ?? `exit code ${code}`));
  }

  #ended(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#isFrozen = false;
    this.#onExit(this, how);
  }

  kill(): void {
    this.#isWanted = true;
    this.#child?.kill("SIGKILL");
  }

  freeze(): void {
    if (this.#child?.kill("SIGSTOP") === true) this.#isFrozen = true;
  }

  thaw(): void {
    if (this.#child?.kill("SIGCONT") === true) this.#isFrozen = false;
  }

  /** Settles when it has ended; SIGKILL if it must be. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#isWanted = true;
    const ended = new Promise<void>((done) => child.once("exit", () => done()));
    this.thaw();
    child.kill("SIGTERM");
    const limit = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
    await ended;
    clearTimeout(limit);
  }

  /** Why it ended, as the last line of its log says. */
  get lastWords(): string {
    if (!existsSync(this.plan.logFile)) return "";
    const text = readFileSync(this.plan.logFile).subarray(-LOG_TAIL_BYTES).toString("utf8");
    const last = text.trimEnd().split("\n").at(-1) ?? "";
    try {
      const { error, msg } = JSON.parse(last) as { error?: string; msg?: string };
      return error ?? msg ?? last;
    } catch {
      return last;
    }
  }
}

/** Flags alone say what a member does: ETCD_ variables would contradict them. */
function memberEnvironment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (!/^ETCD_|^NOTIFY_SOCKET$/.test(name)) env[name] = value;
  }
  return { ...env, HOLDFAST_ENDS_WITH_STDIN: "1" };
}
