import { Code, codeName, type ErrorId, errors } from "../errors/index.ts";

const idByText: ReadonlyMap<string, ErrorId> = new Map(
  Object.entries(errors).map(([id, row]) => [row.message, id as ErrorId]),
);

/**
 * A call that did not succeed. `message` is the server's text as sent (etcd's exact one), or what
 * gRPC clients say where the server said nothing: "context canceled", "context deadline exceeded".
 */
export class ClientError extends Error {
  override readonly name = "ClientError";
  /** The gRPC status code. */
  readonly code: Code;
  /** Whose answer it was; undefined when no endpoint was reached. */
  readonly endpoint: string | undefined;
  /** What else is known: the failure of the last connection, for an operator to read. */
  readonly detail: string | undefined;
  /**
   * True when the server has certainly not acted on the request, because it never got or refused
   * it unread. False: it may or may not have acted.
   */
  readonly isUnprocessed: boolean;

  constructor(
    code: Code,
    message: string,
    more: { endpoint?: string; detail?: string; isUnprocessed?: boolean } = {},
  ) {
    super(message);
    this.code = code;
    this.endpoint = more.endpoint;
    this.detail = more.detail;
    this.isUnprocessed = more.isUnprocessed ?? false;
  }

  /** Which refusal of etcd's table this is, such as "Compacted"; undefined for other texts. */
  get id(): ErrorId | undefined {
    return idByText.get(this.message);
  }

  /** As Go's clients print it: `rpc error: code = Unavailable desc = ...`. */
  get statusText(): string {
    return `rpc error: code = ${codeName(this.code)} desc = ${this.message}`;
  }
}

/** Whether `error` is that refusal: `isRefusal(error, "LeaseNotFound")`. */
export function isRefusal(error: unknown, id: ErrorId): boolean {
  return error instanceof ClientError && error.message === errors[id].message;
}

export function cancelled(): ClientError {
  return new ClientError(Code.CANCELLED, "context canceled");
}

export function deadlineExceeded(detail?: string): ClientError {
  const more = detail === undefined ? {} : { detail };
  return new ClientError(Code.DEADLINE_EXCEEDED, "context deadline exceeded", more);
}

export function closing(): ClientError {
  const text = "grpc: the client connection is closing";
  return new ClientError(Code.CANCELLED, text, { isUnprocessed: true });
}
