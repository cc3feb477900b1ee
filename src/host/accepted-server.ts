import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { createServer } from "./node-http.ts";

const HEADERS_CHECK_PERIOD_MS_MAX = 10_000;

export interface AcceptedServerOptions {
  readonly headersTimeoutMs: number;
  /** For a whole request; 0 = none. */
  readonly requestTimeoutMs: number;
}

/** A server of node:http for connections that a listener of ours has accepted and sniffed. */
export class AcceptedServer {
  readonly #server: Server;

  constructor(
    options: AcceptedServerOptions,
    onRequest: (request: IncomingMessage, response: ServerResponse) => void,
  ) {
    const { headersTimeoutMs, requestTimeoutMs } = options;
    this.#server = createServer({
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: headersTimeoutMs,
      connectionsCheckingInterval: Math.min(headersTimeoutMs, HEADERS_CHECK_PERIOD_MS_MAX),
    });
    this.#server.on("request", onRequest);
    // The server never listens itself, and starts its header timeouts only at this event.
    this.#server.emit("listening");
  }

  /** Takes over a paused socket whose first bytes were put back. */
  accept(socket: Socket): void {
    this.#server.emit("connection", socket);
    socket.resume();
  }

  /** Ends keep-alive connections that have no request under way. */
  closeIdle(): void {
    this.#server.closeIdleConnections();
  }

  /** Ends the header timeouts; connections are their listener's to close. */
  close(): void {
    this.#server.close(() => {});
  }
}
