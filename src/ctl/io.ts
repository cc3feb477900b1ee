/**
 * What a command needs of the process, so that tests run commands inside their own. Reading stdin
 * and listening to signals begin only when a command asks.
 */
export interface CtlIo {
  stdout(data: string | Uint8Array): void;
  stderr(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether stdout is a terminal, and its width. */
  readonly isTerminal: boolean;
  readonly columns: number;
  /** All of stdin. Rejects when it cannot be read. */
  readStdin(): Promise<Buffer>;
  /** Lines of stdin with their newline; the last may have none. */
  stdinLines(): AsyncIterable<string>;
  /** Asks at the terminal without showing what is typed. */
  readPassword(prompt: string): Promise<string>;
  /** Runs `handle` at each SIGINT and SIGTERM until the returned function is called. */
  onInterrupt(handle: () => void): () => void;
}
