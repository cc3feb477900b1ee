/**
 * gRPC as the services see it. Nothing here knows a service, a socket or a clock.
 *
 * The unary path makes no promise, timer or closure: a handler gets the call and the request bytes
 * and answers, now or later, with `respond` or `fail`. A `ServerCall` is valid until it was
 * answered or `cancelled` is set; answering a cancelled call is allowed and does nothing.
 */
import type { Code } from "../errors/index.ts";
import type { PeerInfo } from "../seam/index.ts";

export interface ServerCall {
  /** "/etcdserverpb.KV/Put". */
  readonly path: string;
  readonly peer: PeerInfo;
  /** Monotonic milliseconds at which the client gives up; Infinity when it did not say. */
  readonly deadlineMs: number;
  readonly cancelled: boolean;
  /** First value of a request header, ASCII, by lower-case name. */
  metadata(name: string): string | undefined;
  /** The same for a name that ends in `-bin`, decoded. */
  metadataBinary(name: string): Buffer | undefined;
  /** All fields of the request's header block, pseudo-header fields first. */
  metadataAll(): readonly { readonly name: string; readonly value: string }[];
  /** A field of the response's header; before the first message. */
  addHeader(name: string, value: string): void;
  /** A field of the trailers; before the end. */
  addTrailer(name: string, value: string): void;

  /** Unary and client streaming: the one response. `message` is copied before this returns. */
  respond(message: Uint8Array): void;
  /** Ends the call with a status other than OK, at any time. */
  fail(code: Code, message: string): void;

  /**
   * Streaming: one message, copied. False = more than the window's worth is waiting: wait for
   * `onDrain`.
   */
  send(message: Uint8Array): boolean;
  /**
   * One message of known length in pieces, so that a large one is never held whole: after
   * `beginMessage(n)`, calls of `sendPiece` whose lengths sum to n. Also for a unary answer.
   */
  beginMessage(lengthBytes: number): boolean;
  sendPiece(piece: Uint8Array): boolean;
  /** Streaming: status OK after all that was sent. */
  end(): void;
  /** Bytes accepted by `send` and not yet given to the connection (flow control holds them). */
  readonly queuedBytes: number;
}

/** Events of a streaming call, each optional; set by the handler before it returns. */
export interface ServerStream extends ServerCall {
  /**
   * `message` belongs to the receiver. While `pauseMessages` holds, the client is not given window.
   */
  onMessage: ((message: Buffer) => void) | undefined;
  onHalfClose: (() => void) | undefined;
  onDrain: (() => void) | undefined;
  /** The client cancelled, its deadline passed, or the connection is gone. Once. */
  onCancel: (() => void) | undefined;
  /** The call is over, in whatever way; before `onCancel`. Once. */
  onEnd: (() => void) | undefined;
  pauseMessages(): void;
  resumeMessages(): void;
}

export type Method =
  /**
   * `call.onDrain`/`onCancel` may be set too (a large answer in pieces). `request` belongs to the
   * handler.
   */
  | { readonly kind: "unary"; readonly handle: (call: ServerStream, request: Buffer) => void }
  /** Server, client and bidirectional streaming: the messages come by `onMessage`. */
  | {
      readonly kind: "stream";
      /** For metrics: `grpc_type`. Taken as bidirectional when missing. */
      readonly type?: "client_stream" | "server_stream" | "bidi_stream";
      readonly handle: (call: ServerStream) => void;
    };

/** By full path. */
export type MethodTable = ReadonlyMap<string, Method>;
