/**
 * Bytes from outside that are not what they claim to be. The text is static and the position is a
 * field, so making one costs the same whatever the input; it carries no stack.
 *
 * Errors: the reader's caller turns it into its protocol's own refusal; it never ends a process.
 */
export class MalformedError extends Error {
  /** Byte position in the input at which reading stopped. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = limit;
    this.name = "MalformedError";
    this.offset = offset;
  }
}
