/**
 * HTTP/1.1 whose bodies are streams, both sides of it: what members speak to each other (peer/).
 * For small questions on the client port there is http.ts.
 */
import type { PeerInfo } from "./net.ts";

/** By lower-case name; repeated ones joined with ", ". */
export type HttpHeaders = Readonly<Record<string, string>>;

/** What the reader of a body is told. Exactly one of `onEnd` and `onError` is the last call. */
export interface HttpBodyEvents {
  /** `chunk` belongs to the receiver and is never written to again. */
  onData(chunk: Buffer): void;
  onEnd(trailers: HttpHeaders): void;
  /** The connection broke, or `destroy` was called. */
  onError(error: Error): void;
}

/** A body that comes in. Nothing is read before `start`. */
export interface HttpBody {
  /** Silence of `silenceMs` ends the exchange with ETIMEDOUT; without it there is no limit. */
  start(events: HttpBodyEvents, silenceMs?: number): void;
  pause(): void;
  resume(): void;
  /** Ends the whole exchange and its connection. */
  destroy(): void;
}

/** A request whose head has arrived. */
export interface HttpStreamRequest {
  readonly method: string;
  /** Decoded from the target, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: HttpHeaders;
  readonly body: HttpBody;
  readonly peer: PeerInfo;
}

export interface HttpStreamEvents {
  /** Room again, after a `write` that returned false. */
  onDrain(): void;
  /** Once: the exchange is over, or its connection is. Nothing written later arrives. */
  onClose(): void;
}

/** The answer to one request. */
export interface HttpStreamResponse {
  /** Set by the handler before it returns; may stay unset. */
  events: HttpStreamEvents | undefined;
  /** An answer that is there as a whole. A body left unread ends the connection. */
  send(status: number, headers: HttpHeaders, body?: Buffer | string): void;
  /** Begins a body that lasts until `end`: sends the head at once. */
  writeHead(status: number, headers: HttpHeaders): void;
  /** One call is one write to the connection. `bytes` is given away; false = wait for onDrain. */
  write(bytes: Buffer): boolean;
  /** Bytes not yet with the kernel. */
  readonly bufferedBytes: number;
  end(): void;
  destroy(): void;
}

/** Answers each request once; what it throws or rejects with is answered with 500. */
export type HttpStreamHandler = (
  request: HttpStreamRequest,
  response: HttpStreamResponse,
) => void | Promise<void>;

export interface HttpClientRequest {
  readonly method: string;
  /** http, https (host and port), unix or unixs: as members advertise it. */
  readonly url: string;
  /** Path and query: "/raft/probing". */
  readonly target: string;
  readonly headers: HttpHeaders;
  /** A stream is read as fast as the connection takes it; its error ends the request. */
  readonly body?: Buffer | AsyncIterable<Buffer>;
  /** Asked for after the last chunk of a streamed body. */
  readonly trailers?: () => HttpHeaders;
  /** For connecting, TLS included. */
  readonly connectTimeoutMs: number;
  /** From the last byte of the request to the head of the answer. */
  readonly answerTimeoutMs: number;
  /** A streamed body that makes no progress for this long ends the request. */
  readonly writeTimeoutMs?: number;
  /**
   * A connection of its own, closed afterwards, instead of one that is kept for the next. Streamed
   * bodies have one anyway.
   */
  readonly isAlone?: boolean;
  readonly signal?: AbortSignal;
}

export interface HttpClientResponse {
  readonly status: number;
  readonly headers: HttpHeaders;
  /** To be read to its end or destroyed. */
  readonly body: HttpBody;
}

export interface HttpClient {
  /**
   * Settles with the head of the answer. Rejections carry the system's `code` where there is one
   * (ECONNREFUSED, ENOENT, ECONNRESET), and "ETIMEDOUT" for the limits above.
   */
  request(request: HttpClientRequest): Promise<HttpClientResponse>;
  /** Ends all connections. */
  close(): void;
}
