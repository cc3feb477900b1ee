/** HTTP/1.1 by node:http, for connections that the listener accepted and sniffed. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { GRPC_OVERHEAD_BYTES, REQUEST_BYTES_MAX } from "../base/index.ts";
import type { HttpHandler, HttpRequest, HttpResponse, Logger } from "../seam/index.ts";
import { AcceptedServer } from "./accepted-server.ts";
import { joinHeaders } from "./http-body.ts";
import { peerOf } from "./socket-connection.ts";

/**
 * Largest body. The JSON form of the largest request (base64, names) is about 4/3 of it. Beyond:
 * 413, and the connection is closed without reading on.
 */
const BODY_BYTES_MAX = 2 * (REQUEST_BYTES_MAX + GRPC_OVERHEAD_BYTES);

export class Http1Server {
  /** Takes connections, and is closed, by the listener. */
  readonly server: AcceptedServer;
  readonly #handler: HttpHandler;
  readonly #logger: Logger;

  constructor(handler: HttpHandler, options: { headersTimeoutMs: number; logger: Logger }) {
    this.#handler = handler;
    this.#logger = options.logger;
    const requestTimeoutMs = options.headersTimeoutMs;
    const { headersTimeoutMs } = options;
    this.server = new AcceptedServer(
      { headersTimeoutMs, requestTimeoutMs },
      (request, response) => void this.#onRequest(request, response),
    );
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const target = targetOf(request.url ?? "/");
      if (target === undefined) return send(response, plain(400, "400 bad request target\n"));
      const body = await readBody(request);
      if (body === undefined) {
        response.setHeader("connection", "close");
        return send(response, plain(413, "413 request body too large\n"));
      }
      const answer = await this.#handler(neutral(request, target, body));
      send(response, answer);
    } catch (error) {
      if (response.destroyed || response.headersSent) return void response.destroy();
      this.#logger.error("HTTP request failed", { url: request.url, error });
      send(response, plain(500, "500 internal error\n"));
    }
  }
}

function targetOf(target: string): URL | undefined {
  return URL.parse(target, "http://localhost") ?? undefined;
}

function neutral(request: IncomingMessage, target: URL, body: Buffer): HttpRequest {
  return {
    method: request.method ?? "GET",
    path: target.pathname,
    query: target.searchParams,
    headers: joinHeaders(request.headers),
    body,
    peer: peerOf(request.socket),
  };
}

/** undefined when it is larger than BODY_BYTES_MAX. Rejects when the client goes away. */
function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= BODY_BYTES_MAX) return void chunks.push(chunk);
      chunks.length = 0;
      request.removeAllListeners("data");
      request.pause();
      resolve(undefined);
    });
    request.on("end", () => resolve(Buffer.concat(chunks, length)));
    request.on("error", reject);
    request.on("close", () => reject(new Error("the client went away")));
  });
}

function plain(status: number, body: string): HttpResponse {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body };
}

function send(response: ServerResponse, answer: HttpResponse): void {
  response.writeHead(answer.status, {
    ...answer.headers,
    "content-length": Buffer.byteLength(answer.body),
  });
  response.end(answer.body);
}
