/** How a command ends: etcdctl's exit codes, and the one error class that carries them. */

export const Exit = {
  SUCCESS: 0,
  ERROR: 1,
  /** The server cannot be reached, or broke off. */
  BAD_CONNECTION: 2,
  /** What was typed into `txn` or `watch -i` cannot be read. */
  INVALID_INPUT: 3,
  /** A good flag with a value that is not supported. */
  BAD_FEATURE: 4,
  /** Also: the cluster is not healthy. */
  INTERRUPTED: 5,
  IO: 6,
  BAD_ARGS: 128,
} as const;

/** As a shell shows a program that the signal ended. */
export function exitCodeOfSignal(signal: "SIGINT" | "SIGTERM"): number {
  return signal === "SIGINT" ? 130 : 143;
}

/** Ends the command with `Error: <message>` on stderr and a code. `cause`: the client's error. */
export class CtlError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = Exit.ERROR, cause?: unknown) {
    super(message, { cause });
    this.name = "CtlError";
    this.exitCode = exitCode;
  }
}

/** Ends the command with a code, everything having been said. */
export class CtlExit extends CtlError {
  constructor(exitCode: number) {
    super("", exitCode);
    this.name = "CtlExit";
  }
}
