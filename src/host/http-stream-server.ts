/** seam/HttpStreamHandler by node:http, for connections that the listener accepted and sniffed. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type {
  HttpHeaders,
  HttpStreamEvents,
  HttpStreamHandler,
  HttpStreamRequest,
  HttpStreamResponse,
  Logger,
} from "../seam/index.ts";
import { AcceptedServer } from "./accepted-server.ts";
import { IncomingBody, joinHeaders } from "./http-body.ts";
import { peerOf } from "./socket-connection.ts";

export class HttpStreamServer {
  /** Takes connections, and is closed, by the listener. */
  readonly server: AcceptedServer;
  readonly #handler: HttpStreamHandler;
  readonly #logger: Logger;

  constructor(handler: HttpStreamHandler, options: { headersTimeoutMs: number; logger: Logger }) {
    this.#handler = handler;
    this.#logger = options.logger;
    // A body may last for hours; its reader bounds the silence in it.
    const requestTimeoutMs = 0;
    const { headersTimeoutMs } = options;
    this.server = new AcceptedServer(
      { headersTimeoutMs, requestTimeoutMs },
      (request, response) => void this.#onRequest(request, response),
    );
  }

  async #onRequest(message: IncomingMessage, answer: ServerResponse): Promise<void> {
    const response = new StreamResponse(message, answer);
    try {
      const target = URL.parse(message.url ?? "/", "http://localhost");
      if (target === null) return response.send(400, PLAIN, "400 bad request target\n");
      await this.#handler(neutral(message, target), response);
    } catch (error) {
      if (answer.destroyed || answer.headersSent) return void answer.destroy();
      this.#logger.error("HTTP request failed", {
        url: message.url,
        error: (error as Error).message,
      });
      response.send(500, PLAIN, "500 internal error\n");
    }
  }
}

const PLAIN = { "content-type": "text/plain; charset=utf-8" };

function neutral(message: IncomingMessage, target: URL): HttpStreamRequest {
  return {
    method: message.method ?? "GET",
    path: target.pathname,
    query: target.searchParams,
    headers: joinHeaders(message.headers),
    body: new IncomingBody(message),
    peer: peerOf(message.socket),
  };
}

class StreamResponse implements HttpStreamResponse {
  events: HttpStreamEvents | undefined;
  readonly #message: IncomingMessage;
  readonly #answer: ServerResponse;

  constructor(message: IncomingMessage, answer: ServerResponse) {
    this.#message = message;
    this.#answer = answer;
    answer.on("drain", () => this.events?.onDrain());
    answer.on("close", () => this.events?.onClose());
    answer.on("error", () => undefined);
  }

  send(status: number, headers: HttpHeaders, body: Buffer | string = ""): void {
    const answer = this.#answer;
    if (answer.destroyed || answer.headersSent) return;
    // What was not read of the request is not read to find the next one.
    if (!this.#message.complete) answer.setHeader("connection", "close");
    answer.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) });
    answer.end(body);
  }

  writeHead(status: number, headers: HttpHeaders): void {
    const answer = this.#answer;
    // The body ends with the connection, so that a write is its bytes and nothing else.
    answer.useChunkedEncodingByDefault = false;
    answer.shouldKeepAlive = false;
    answer.writeHead(status, headers);
    answer.flushHeaders();
  }

  write(bytes: Buffer): boolean {
    return this.#answer.write(bytes);
  }

  get bufferedBytes(): number {
    return this.#answer.writableLength;
  }

  end(): void {
    this.#answer.end();
  }

  destroy(): void {
    this.#answer.destroy();
  }
}
