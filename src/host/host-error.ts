/**
 * What an operator has to mend: a port in use, a bad certificate, a locked directory. The message
 * is one line: what was tried, what was found, what to do. It is shown without a stack.
 */
export class HostError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "HostError";
  }
}

/** `code` of a failed system call ("EADDRINUSE"), or the message of anything else. */
export function failureOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message ?? String(error);
}
