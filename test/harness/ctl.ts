/** `holdfast ctl` inside this process: no start to wait for, and its output in hand. */
import { type CtlIo, runCtl, startChild } from "../../src/ctl/index.ts";

export interface CtlOptions {
  /** What stdin holds. */
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
  readonly isTerminal?: boolean;
  readonly password?: string;
  /** Types at the terminal, from when the command listens. */
  readonly typed?: (type: (text: string) => void) => void;
  /** When stdin, read as lines, comes to its end; else at once. */
  readonly endsAfter?: Promise<void>;
}

export interface CtlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export class CtlRun {
  readonly ended: Promise<CtlResult>;
  readonly #out: Buffer[] = [];
  readonly #err: Buffer[] = [];
  readonly #handlers = new Set<(signal: "SIGINT" | "SIGTERM") => void>();
  readonly #waiting = new Set<() => void>();

  constructor(words: readonly string[], options: CtlOptions = {}) {
    this.ended = runCtl(words, this.#io(options)).then((code) => ({
      code,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  get stdout(): string {
    return Buffer.concat(this.#out).toString("utf8");
  }

  get stderr(): string {
    return Buffer.concat(this.#err).toString("utf8");
  }

  /** Resolves when stdout satisfies `isDone`; rejects when the command ends before. */
  async until(isDone: (stdout: string) => boolean): Promise<void> {
    while (!isDone(this.stdout)) {
      const more = Promise.withResolvers<void>();
      this.#waiting.add(more.resolve);
      const ended = this.ended.then((result) => result);
      const result = await Promise.race([more.promise, ended]);
      if (result !== undefined && !isDone(this.stdout)) {
        throw new Error(`ended with ${result.code}: ${result.stdout}\n${result.stderr}`);
      }
    }
  }

  interrupt(signal: "SIGINT" | "SIGTERM" = "SIGINT"): void {
    for (const handle of this.#handlers) handle(signal);
  }

  #io(options: CtlOptions): CtlIo {
    const input = Buffer.from(options.input ?? "");
    return {
      stdout: (data) => this.#take(this.#out, data),
      stderr: (text) => this.#take(this.#err, text),
      env: options.env ?? {},
      isTerminal: options.isTerminal ?? false,
      columns: 100,
      rows: 24,
      readStdin: () => Promise.resolve(input),
      stdinLines: async function* () {
        yield* input.toString("utf8").match(/[^\n]*\n|[^\n]+$/g) ?? [];
        await options.endsAfter;
      },
      readPassword: () => Promise.resolve(options.password ?? ""),
      onTyped: (take) => {
        options.typed?.(take);
        return options.typed === undefined ? undefined : () => undefined;
      },
      onInterrupt: (handle) => {
        this.#handlers.add(handle);
        return () => this.#handlers.delete(handle);
      },
      start: (words, env) => startChild(words, env, "pipe", (data) => this.#take(this.#out, data)),
    };
  }

  #take(into: Buffer[], data: string | Uint8Array): void {
    into.push(Buffer.from(data));
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

export async function ctl(words: readonly string[], options: CtlOptions = {}): Promise<CtlResult> {
  return await new CtlRun(words, options).ended;
}
