import type { Code } from "./code.ts";

/**
 * A refusal that a client sees: a gRPC code and etcd's exact text. The rows of the table are shared
 * constants, so making and comparing one costs nothing and carries no stack; only rooms above the
 * hot path throw them.
 */
export class EtcdError extends Error {
  readonly id: string;
  readonly code: Code;

  constructor(id: string, code: Code, message: string) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = limit;
    this.name = "EtcdError";
    this.id = id;
    this.code = code;
  }
}
