/** The process's own streams, environment and signals. */
import { readSync, writeSync } from "node:fs";
import { constants } from "node:os";
import type { Child, ChildEnd, CtlIo } from "./io.ts";

const STDOUT = 1;
const STDERR = 2;
const LINE_BYTES_MAX = 16 * 1024 * 1024;

export function processIo(): CtlIo {
  return {
    stdout: (data) => write(STDOUT, data),
    stderr: (text) => write(STDERR, text),
    env: process.env,
    isTerminal: process.stdout.isTTY === true,
    get columns() {
      return process.stdout.columns ?? 80;
    },
    get rows() {
      return process.stdout.rows ?? 24;
    },
    readStdin,
    stdinLines,
    readPassword,
    onTyped,
    onInterrupt,
    start: (words, env) => startChild(words, env, "inherit"),
  };
}

/** Waits for a reader that is slow. One that is gone ends the process, as it does to every tool. */
function write(descriptor: number, data: string | Uint8Array): void {
  const bytes = typeof data === "string" ? Buffer.from(data, "utf8") : data;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EAGAIN") Atomics.wait(NEVER, 0, 0, 1);
      else process.exit(code === "EPIPE" ? SIGPIPE_EXIT : 6);
    }
  }
}

const NEVER = new Int32Array(new SharedArrayBuffer(4));
/** 128 and the signal's number, as a shell shows a program that SIGPIPE ended. */
const SIGPIPE_EXIT = 141;

async function readStdin(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function* stdinLines(): AsyncGenerator<string> {
  let rest = "";
  process.stdin.setEncoding("utf8");
  for await (const chunk of process.stdin) {
    rest += chunk as string;
    if (rest.length > LINE_BYTES_MAX) throw new Error("a line of the input is too long");
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield `${line}\n`;
  }
  if (rest !== "") yield rest;
}

/** Without a terminal the first line of stdin is the password. */
function readPassword(prompt: string): Promise<string> {
  if (!process.stdin.isTTY) return Promise.resolve(firstLine());
  write(STDERR, prompt);
  const { stdin } = process;
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  return new Promise((resolve, reject) => {
    let typed = "";
    const end = (): void => {
      stdin.off("data", take);
      stdin.setRawMode(false);
      stdin.pause();
      write(STDERR, "\n");
    };
    const take = (text: string): void => {
      for (const letter of text) {
        if (letter === "\r" || letter === "\n") return end(), resolve(typed);
        if (letter === "\u0003") return end(), reject(new Error("interrupted"));
        typed = letter === "\u007f" || letter === "\b" ? typed.slice(0, -1) : typed + letter;
      }
    };
    stdin.on("data", take);
    stdin.resume();
  });
}

function onTyped(take: (text: string) => void): (() => void) | undefined {
  const { stdin } = process;
  if (!stdin.isTTY) return undefined;
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  stdin.on("data", take);
  stdin.resume();
  return () => {
    stdin.off("data", take);
    stdin.setRawMode(false);
    stdin.pause();
  };
}

/** Byte by byte, so that what follows is left for the command. */
function firstLine(): string {
  const bytes: number[] = [];
  const one = Buffer.alloc(1);
  while (readByte(one) === 1 && one[0] !== 10) bytes.push(one[0] as number);
  return Buffer.from(bytes).toString("utf8").replace(/\r$/, "");
}

function readByte(one: Buffer): number {
  for (;;) {
    try {
      return readSync(0, one);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return 0;
      Atomics.wait(NEVER, 0, 0, 10);
    }
  }
}

function onInterrupt(handle: (signal: "SIGINT" | "SIGTERM") => void): () => void {
  process.on("SIGINT", handle);
  process.on("SIGTERM", handle);
  return () => {
    process.off("SIGINT", handle);
    process.off("SIGTERM", handle);
  };
}

/** `outputs` as in Node's `stdio`: where the child's stdout and stderr go. */
export function startChild(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  outputs: "inherit" | "pipe",
  take: (data: Buffer) => void = () => undefined,
): Child {
  const [program = "", ...args] = words;
  const { spawn } = process.getBuiltinModule("node:child_process");
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", outputs, outputs],
  });
  child.stdout?.on("data", take);
  child.stderr?.on("data", take);
  const ended = new Promise<ChildEnd>((resolve) => {
    child.on("error", (error) => resolve({ exitCode: 1, error: startError(program, error) }));
    child.on("close", (code, signal) => resolve(endOf(code, signal)));
  });
  return { ended, kill: (signal) => void child.kill(signal) };
}

function endOf(code: number | null, signal: NodeJS.Signals | null): ChildEnd {
  if (signal !== null) {
    const name = SIGNAL_TEXTS[signal] ?? String(constants.signals[signal]);
    return { exitCode: 255, error: `signal: ${name}` };
  }
  return { exitCode: code ?? 1, error: code === 0 ? undefined : `exit status ${code ?? 1}` };
}

const SIGNAL_TEXTS: Readonly<Record<string, string>> = {
  SIGTERM: "terminated",
  SIGKILL: "killed",
  SIGINT: "interrupt",
  SIGHUP: "hangup",
  SIGSEGV: "segmentation fault",
};

function startError(program: string, error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EACCES") return `fork/exec ${program}: permission denied`;
  if (code !== "ENOENT") return error.message;
  if (program.includes("/")) return `fork/exec ${program}: no such file or directory`;
  return `exec: ${JSON.stringify(program)}: executable file not found in $PATH`;
}
