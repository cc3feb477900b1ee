/**
 * What a command needs of the process, so that tests run commands inside their own. Reading stdin
 * and listening to signals begin only when a command asks.
 */
export interface CtlIo {
  stdout(data: string | Uint8Array): void;
  stderr(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether stdout is a terminal, and its size now. */
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly rows: number;
  /** All of stdin. Rejects when it cannot be read. */
  readStdin(): Promise<Buffer>;
  /** Lines of stdin with their newline; the last may have none. */
  stdinLines(): AsyncIterable<string>;
  /** Asks at the terminal without showing what is typed. */
  readPassword(prompt: string): Promise<string>;
  /**
   * Hands out what is typed, letter by letter and without showing it, until the returned function
   * is called; Ctrl-C is a letter then. Undefined when stdin is no terminal.
   */
  onTyped(take: (text: string) => void): (() => void) | undefined;
  /** Runs `handle` at each SIGINT and SIGTERM until the returned function is called. */
  onInterrupt(handle: (signal: "SIGINT" | "SIGTERM") => void): () => void;
  /**
   * Starts a program with our environment and `env` beside it, our stdout and stderr, and nothing
   * to read.
   */
  start(words: readonly string[], env: Readonly<Record<string, string>>): Child;
}

/** A program that was started. */
export interface Child {
  /** How it ended. Never rejects. */
  readonly ended: Promise<ChildEnd>;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

export interface ChildEnd {
  readonly exitCode: number;
  /** In Go's words: `exit status 1`, `signal: killed`; undefined when all went well. */
  readonly error: string | undefined;
}
