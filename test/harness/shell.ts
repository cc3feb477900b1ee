/**
 * Commands as an operator types them: run by a shell in which `holdfast` is what is under test.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { atExit, cleanEnv, type CommandResult, holdfastCommand, run } from "./process.ts";

const RUN_MS_MAX = 60_000;

export class Shell {
  /** Commands run here. */
  readonly directory: string;
  readonly #env: Record<string, string>;
  readonly #children = new Set<ChildProcess>();

  constructor(directory: string) {
    this.directory = directory;
    const { program, args } = holdfastCommand();
    const script = join(directory, "holdfast");
    const words = [program, ...args].map((word) => `'${word}'`).join(" ");
    writeFileSync(script, `#!/bin/sh\nexec ${words} "$@"\n`);
    chmodSync(script, 0o755);
    this.#env = { PATH: `${directory}:${process.env["PATH"] ?? ""}` };
    atExit(() => void this.killAll());
  }

  /** To its end. */
  run(command: string, deadlineMs = RUN_MS_MAX): Promise<CommandResult> {
    const options = { env: this.#env, cwd: this.directory, deadlineMs };
    return run("/bin/sh", ["-c", command], options);
  }

  /** In a process of its own, which `exec` makes the program's: it can be killed. */
  start(command: string): ChildProcess {
    const child = spawn("/bin/sh", ["-c", `exec ${command}`], {
      cwd: this.directory,
      env: cleanEnv(this.#env),
      stdio: "ignore",
    });
    this.#children.add(child);
    child.once("exit", () => this.#children.delete(child));
    return child;
  }

  /** `kill -9` after so many milliseconds, unless it has ended before. */
  async killAfter(command: string, ms: number): Promise<"killed" | "ended"> {
    const child = this.start(command);
    const timer = setTimeout(() => child.kill("SIGKILL"), ms);
    const signal = await new Promise((resolve) => {
      child.once("exit", (_, by) => resolve(by));
    });
    clearTimeout(timer);
    return signal === "SIGKILL" ? "killed" : "ended";
  }

  /** Settles when they have ended. */
  async killAll(): Promise<void> {
    const ended = [...this.#children].map((child) => once(child, "exit"));
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(ended);
  }
}
