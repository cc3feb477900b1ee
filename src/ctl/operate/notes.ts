/**
 * What a command that works member by member has begun, in a file of this host, so that the same
 * command goes on after it was stopped or killed. Losing the file loses no data: what is written in
 * it is only what the cluster itself no longer tells.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { FlagSpec } from "../command.ts";
import { CtlError, Exit } from "../exit.ts";
import type { Flags } from "../flags.ts";
import type { CtlIo } from "../io.ts";

export const STATE_FLAG: FlagSpec = {
  name: "state-file",
  kind: "string",
  initial: "",
  help: "where it is kept how far it has come (default: in ~/.local/state/holdfast)",
};

/** `T` is plain JSON. */
export class Notes<T> {
  readonly path: string;
  readonly #isOurs: (value: unknown) => value is T;

  constructor(path: string, isOurs: (value: unknown) => value is T) {
    this.path = path;
    this.#isOurs = isOurs;
  }

  /** Undefined when there are none. Throws CtlError when they cannot be read. */
  read(): T | undefined {
    let value: unknown;
    try {
      value = JSON.parse(readFileSync(this.path, "utf8"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw this.#failed("cannot be read", error as Error);
    }
    if (this.#isOurs(value)) return value;
    throw this.#failed("holds something else", new Error("delete it to begin anew"));
  }

  /** In place as a whole or not at all. Throws CtlError when it cannot be written. */
  write(value: T): void {
    try {
      mkdirSync(dirname(this.path), { recursive: true });
      const draft = `${this.path}.tmp`;
      writeFileSync(draft, `${JSON.stringify(value)}\n`, { flush: true });
      renameSync(draft, this.path);
    } catch (error) {
      throw this.#failed("cannot be written", error as Error);
    }
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }

  #failed(what: string, { message }: Error): CtlError {
    return new CtlError(`${this.path} ${what}: ${message}; --state-file names another`, Exit.IO);
  }
}

/** `name` is the file's, where --state-file does not say. */
export function notesPath(io: CtlIo, flags: Flags, name: string): string {
  const given = flags.text(STATE_FLAG.name);
  if (given !== "") return given;
  const home = io.env["XDG_STATE_HOME"] || join(io.env["HOME"] || homedir(), ".local", "state");
  return join(home, "holdfast", name);
}
