/**
 * A plain HTTP request over HTTP/2 (FR-11): /health, /version, /metrics, the JSON gateway. Not hot.
 */
import type { HeaderBlock, Http2Connection, Stream } from "../http2/index.ts";
import type { HttpHandler, HttpRequest, HttpResponse, Logger, PeerInfo } from "../seam/index.ts";
import type { Exchange } from "./exchange.ts";

export interface HttpExchangeOptions {
  readonly http2: Http2Connection<Exchange>;
  readonly peer: PeerInfo;
  readonly handler: HttpHandler;
  readonly bodyBytesMax: number;
  readonly logger: Logger;
}

export class HttpExchange implements Exchange {
  readonly deadlineMs = Number.POSITIVE_INFINITY;
  readonly #options: HttpExchangeOptions;
  readonly #stream: Stream<Exchange>;
  readonly #block: HeaderBlock;
  #parts: Buffer[] = [];
  #bodyBytes = 0;
  #isAnswered = false;

  constructor(options: HttpExchangeOptions, stream: Stream<Exchange>, block: HeaderBlock) {
    this.#options = options;
    this.#stream = stream;
    this.#block = block;
  }

  streamData(chunk: Buffer, lo: number, hi: number, endStream: boolean): void {
    if (this.#isAnswered) return;
    this.#bodyBytes += hi - lo;
    if (this.#bodyBytes > this.#options.bodyBytesMax) {
      this.#parts = [];
      this.#send(plain(413, "413 request body too large\n"));
      return;
    }
    if (hi > lo) this.#parts.push(chunk.subarray(lo, hi));
    if (endStream) this.streamEnd();
  }

  streamEnd(): void {
    if (this.#isAnswered) return;
    const target = URL.parse(this.#block.path ?? "", "http://localhost");
    if (target === null) {
      this.#send(plain(400, "400 bad request target\n"));
      return;
    }
    const request: HttpRequest = {
      method: this.#block.method ?? "GET",
      path: target.pathname,
      query: target.searchParams,
      headers: this.#headers(),
      body: Buffer.concat(this.#parts),
      peer: this.#options.peer,
    };
    this.#parts = [];
    void this.#answer(request);
  }

  async #answer(request: HttpRequest): Promise<void> {
    try {
      this.#send(await this.#options.handler(request));
    } catch (error) {
      this.#options.logger.error("HTTP request failed", { url: request.path, error });
      this.#send(plain(500, "500 internal error\n"));
    }
  }

  #headers(): Record<string, string> {
    const headers: Record<string, string> = Object.create(null) as Record<string, string>;
    const { authority } = this.#block;
    if (authority !== undefined) headers["host"] = authority;
    for (const { name, value } of this.#block.fields) {
      if (name[0] === ":") continue;
      const before = headers[name];
      headers[name] =
        before === undefined ? value : `${before}${name === "cookie" ? "; " : ", "}${value}`;
    }
    return headers;
  }

  #send(response: HttpResponse): void {
    if (this.#isAnswered || this.#stream.isClosed) return;
    this.#isAnswered = true;
    const { http2 } = this.#options;
    const { body } = response;
    const bytes = typeof body === "string" ? Buffer.from(body, "utf8") : body;
    const list = [":status", String(response.status)];
    for (const [name, value] of Object.entries(response.headers)) {
      list.push(name.toLowerCase(), value);
    }
    list.push("content-length", String(bytes.length));
    const hasBody = bytes.length > 0 && this.#block.method !== "HEAD";
    http2.sendHeaders(this.#stream, list, !hasBody);
    if (hasBody) http2.sendData(this.#stream, bytes, true);
  }

  streamReset(): void {
    this.#isAnswered = true;
    this.#parts = [];
  }

  streamDrain(): void {}

  expire(): void {}
}

function plain(status: number, body: string): HttpResponse {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body };
}
