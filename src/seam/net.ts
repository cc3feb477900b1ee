/** Who is at the other end of a connection. */
export interface PeerInfo {
  /** `host:port`, or the path of a unix socket. */
  readonly address: string;
  /** Subject common name of a verified client certificate. */
  readonly certificateCommonName?: string;
  readonly isTls: boolean;
}

/** What an owner of a connection is told. Never called after `onClose`. */
export interface ConnectionEvents {
  /** `chunk` belongs to the receiver and is never written to again. */
  onData(chunk: Buffer): void;
  /** Everything written so far was handed to the kernel, after a `write` that returned false. */
  onDrain(): void;
  /** Once; `error` is missing on an orderly end. */
  onClose(error?: Error): void;
}

/** A byte stream, plain or TLS. */
export interface Connection {
  readonly peer: PeerInfo;
  /** Set by the owner before it returns from the listener's callback. */
  events: ConnectionEvents;
  /** Queues bytes; false asks the caller to wait for `onDrain`. `bytes` is given away. */
  write(bytes: Uint8Array): boolean;
  /** Bytes queued here and not yet with the kernel. */
  readonly bufferedBytes: number;
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes. */
  end(): void;
  /** Closes at once and drops what is queued. */
  destroy(): void;
}

export interface Listener {
  /** With the real port where 0 was asked for. */
  readonly url: string;
  /** Stops accepting; open connections go on. */
  close(): Promise<void>;
}
