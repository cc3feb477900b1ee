/**
 * Log lines in the shape of etcd's: one JSON object with level, ts, caller, msg and the fields.
 *
 * Lines are written away from the event loop (LineWriter). `flush` waits for them, for the last
 * lines of a process.
 */
import { createRequire } from "node:module";
import type { pino } from "pino";
import type { LogFields, Logger, LogLevel } from "../seam/index.ts";
import { LineWriter } from "./line-writer.ts";

/** Bytes that may wait for one output. Beyond: lines are dropped. */
const LOG_BACKLOG_BYTES_MAX = 4 * 1024 * 1024;

export const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error", "panic", "fatal"];

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: "json" | "console";
  /** "stderr", "stdout", "default" (stderr), "systemd/journal" (stderr), or paths of files. */
  readonly outputs: readonly string[];
}

export interface HostLogger extends Logger {
  /** Resolves when what was logged is written, or cannot be within half a second. Never rejects. */
  flush(): Promise<void>;
  /** Whether lines come out on stderr. */
  readonly isOnStderr: boolean;
  /** Whether they come out nowhere else. */
  readonly isOnStderrAlone: boolean;
}

const FLUSH_LIMIT_MS = 500;

let anchorMs = Date.now() - performance.now();

/** Microseconds of the wall clock, which Date alone does not give; follows its jumps. */
function microsecondStamp(): string {
  const wall = Date.now();
  let now = anchorMs + performance.now();
  if (Math.abs(now - wall) > 2) {
    anchorMs = wall - performance.now();
    now = wall;
  }
  const whole = Math.floor(now);
  const micros = Math.floor((now - whole) * 1000);
  return `${new Date(whole).toISOString().slice(0, -1)}${String(micros).padStart(3, "0")}Z`;
}

function isStderr(name: string): boolean {
  return name === "default" || name === "stderr" || name === "systemd/journal";
}

function openOutput(name: string): LineWriter {
  if (name === "stdout") return new LineWriter(1, LOG_BACKLOG_BYTES_MAX);
  if (isStderr(name)) return new LineWriter(2, LOG_BACKLOG_BYTES_MAX);
  return LineWriter.open(name, LOG_BACKLOG_BYTES_MAX);
}

/** `time<TAB>level<TAB>caller<TAB>message<TAB>{fields}`, for people. */
function consoleLine(json: string): string {
  const { level, ts, caller, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const rest = Object.keys(fields).length === 0 ? "" : `\t${JSON.stringify(fields)}`;
  return `${String(ts)}\t${String(level)}\t${String(caller)}\t${String(msg)}${rest}\n`;
}

interface Outputs {
  flush(): Promise<void>;
  readonly isOnStderr: boolean;
  readonly isOnStderrAlone: boolean;
}

/**
 * Loaded with the first log: the command line tools have none, and it would be a third of the time
 * that they take to start.
 */
function loadPino(): typeof pino {
  return (createRequire(import.meta.url)("pino") as { readonly pino: typeof pino }).pino;
}

class PinoLogger implements HostLogger {
  readonly #root: pino.Logger<"panic">;
  readonly #pino: pino.Logger<"panic">;
  readonly #outputs: Outputs;

  constructor(root: pino.Logger<"panic">, caller: string, outputs: Outputs) {
    this.#root = root;
    this.#pino = root.child({ caller });
    this.#outputs = outputs;
  }

  get isOnStderr(): boolean {
    return this.#outputs.isOnStderr;
  }

  get isOnStderrAlone(): boolean {
    return this.#outputs.isOnStderrAlone;
  }

  debug(message: string, fields?: LogFields): void {
    if (this.isEnabled("debug")) this.#pino.debug({ msg: message, ...fields });
  }

  info(message: string, fields?: LogFields): void {
    if (this.isEnabled("info")) this.#pino.info({ msg: message, ...fields });
  }

  warn(message: string, fields?: LogFields): void {
    if (this.isEnabled("warn")) this.#pino.warn({ msg: message, ...fields });
  }

  error(message: string, fields?: LogFields): void {
    if (this.isEnabled("error")) this.#pino.error({ msg: message, ...fields });
  }

  isEnabled(level: LogLevel): boolean {
    return this.#pino.isLevelEnabled(level);
  }

  child(caller: string): Logger {
    return new PinoLogger(this.#root, caller, this.#outputs);
  }

  flush(): Promise<void> {
    return this.#outputs.flush();
  }
}

/** Opens the outputs. Throws when a file cannot be opened. */
export function openLog(options: LogOptions): HostLogger {
  const outputs = [...new Set(options.outputs)].map(openOutput);
  const format = options.format === "console" ? consoleLine : (line: string): string => line;
  const write = (line: string): void => {
    const text = format(line);
    for (const output of outputs) output.write(text);
  };
  const flush = async (): Promise<void> => {
    await Promise.all(outputs.map((output) => output.flush(FLUSH_LIMIT_MS)));
  };
  const root = loadPino()<"panic">(
    {
      base: null,
      level: options.level,
      // Lines carry `msg` as their first field; pino's own message is not used.
      messageKey: "message",
      errorKey: "",
      serializers: { error: (value: unknown) => (value instanceof Error ? value.message : value) },
      customLevels: { panic: 55 },
      timestamp: () => `,"ts":"${microsecondStamp()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  return new PinoLogger(root, "server", {
    flush,
    isOnStderr: options.outputs.some(isStderr),
    isOnStderrAlone: options.outputs.every(isStderr),
  });
}
