/**
 * Assertions for what only a bug in Holdfast can break. They stay on in production.
 *
 * Never for data that a client, a peer, a disk or an operator can influence: that is checked input
 * and ends in a refusal. The message is static text, because a template string is built even when
 * the condition holds (about ten times the cost of the check).
 */
export class AssertionError extends Error {
  readonly context: unknown;

  constructor(message: string, context?: unknown) {
    super(context === undefined ? message : `${message}: ${JSON.stringify(context)}`);
    this.name = "AssertionError";
    this.context = context;
  }
}

export function assert(condition: boolean, message: string, context?: unknown): asserts condition {
  if (!condition) throw new AssertionError(message, context);
}

/** Closes a switch over a union: the compiler proves that no case is left. */
export function unreachable(value: never): never {
  throw new AssertionError("unreachable value", value);
}
