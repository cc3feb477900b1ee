/** What a server connection keeps per stream: a gRPC call or a plain HTTP request. */
export interface Exchange {
  streamData(chunk: Buffer, lo: number, hi: number, endStream: boolean): void;
  /** The request ended with trailers, or with its headers. */
  streamEnd(): void;
  /** The peer reset the stream or the connection is gone. Nothing follows. */
  streamReset(): void;
  streamDrain(): void;
  /** The time is past `deadlineMs`. */
  expire(): void;
  readonly deadlineMs: number;
}
