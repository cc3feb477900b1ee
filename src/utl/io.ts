/** What the command line needs of the process, and how it ends. */

export interface UtlIo {
  stdout(text: string): void;
  stderr(text: string): void;
}

/** etcdutl's exit codes. */
export const Exit = { SUCCESS: 0, ERROR: 1, BAD_FEATURE: 3, BAD_ARGS: 128 } as const;

/** Ends the command with `Error: <message>` on stderr and a code. */
export class UtlError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = Exit.ERROR) {
    super(message);
    this.name = "UtlError";
    this.exitCode = exitCode;
  }
}
