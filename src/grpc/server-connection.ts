/** gRPC's server side of one HTTP/2 connection: streams become calls. */
import {
  ErrorCode,
  type HeaderBlock,
  Http2Connection,
  type Http2Events,
  PreparedHeaders,
  type Stream,
} from "../http2/index.ts";
import type { Connection, HttpHandler, Logger, PeerInfo } from "../seam/index.ts";
import { Driver } from "./driver.ts";
import type { Exchange } from "./exchange.ts";
import { HttpExchange } from "./http-exchange.ts";
import { Keepalive } from "./keepalive.ts";
import type { GrpcLimits } from "./limits.ts";
import { BufferBudget } from "./message-reader.ts";
import { type Registry, RequestHead } from "./request-head.ts";
import { Call, type CallHost, newResponseHeaders } from "./server-call.ts";
import type { GrpcServerOptions, ServerShared } from "./server.ts";
import { encodeStatusMessage } from "./status.ts";

export class GrpcServerConnection implements Http2Events<Exchange>, CallHost {
  readonly http2: Http2Connection<Exchange>;
  readonly peer: PeerInfo;
  readonly limits: GrpcLimits;
  readonly budget: BufferBudget;
  readonly responseHeaders = newResponseHeaders();
  readonly okTrailers = new PreparedHeaders(["grpc-status", "0"]);
  readonly #registry: Registry;
  readonly #onHttpRequest: HttpHandler | undefined;
  readonly #logger: Logger;
  readonly #keepalive: Keepalive;
  readonly #driver: Driver;
  /** No call's deadline is before this. */
  #deadlineNextMs = Number.POSITIVE_INFINITY;

  /** `onGone` is called once, when the byte stream is closed. */
  constructor(
    connection: Connection,
    options: GrpcServerOptions,
    shared: ServerShared,
    onGone: (connection: GrpcServerConnection) => void,
  ) {
    this.peer = connection.peer;
    this.limits = shared.limits;
    this.budget = new BufferBudget(shared.limits.bufferedBytesMax);
    this.#registry = shared.registry;
    this.#onHttpRequest = options.onHttpRequest;
    this.#logger = options.logger;
    this.#keepalive = new Keepalive(shared.keepalive);
    this.http2 = new Http2Connection({ role: "server", limits: this.limits.http2, events: this });
    this.#driver = new Driver(this.http2, {
      connection,
      clock: options.clock,
      flushQueue: shared.flushQueue,
      counts: shared.stats,
      pauseBytes: this.limits.socketBytesPause,
      onGone: () => onGone(this),
    });
    this.http2.start(this.#driver.nowMs);
  }

  onHeaders(stream: Stream<Exchange>, block: HeaderBlock, endStream: boolean): void {
    if (stream.context !== undefined) {
      stream.context.streamEnd();
      return;
    }
    const head = this.#head(block);
    const { entry } = head;
    if (entry === undefined) {
      this.#withoutMethod(stream, block, head, endStream);
      return;
    }
    const call = new Call(this, stream, block, head, entry);
    stream.context = call;
    if (call.deadlineMs < this.#deadlineNextMs) this.#deadlineNextMs = call.deadlineMs;
    const { method } = entry;
    if (method.kind === "stream") method.handle(call);
    if (endStream) call.streamEnd();
  }

  #head(block: HeaderBlock): RequestHead {
    if (block.context instanceof RequestHead) return block.context;
    const head = new RequestHead(block, this.#registry);
    block.context = head;
    return head;
  }

  #withoutMethod(
    stream: Stream<Exchange>,
    block: HeaderBlock,
    head: RequestHead,
    endStream: boolean,
  ): void {
    const { refusal } = head;
    if (refusal !== undefined) {
      const status = ["grpc-status", String(refusal.code)];
      status.push("grpc-message", encodeStatusMessage(refusal.message));
      this.http2.sendHeaders(stream, [...this.responseHeaders.list, ...status], true);
      return;
    }
    if (this.#onHttpRequest === undefined) {
      this.http2.sendHeaders(stream, [":status", "415"], true);
      return;
    }
    const exchange = new HttpExchange(
      {
        http2: this.http2,
        peer: this.peer,
        handler: this.#onHttpRequest,
        bodyBytesMax: this.limits.httpBodyBytesMax,
        logger: this.#logger,
      },
      stream,
      block,
    );
    stream.context = exchange;
    if (endStream) exchange.streamEnd();
  }

  onData(stream: Stream<Exchange>, chunk: Buffer, lo: number, hi: number, end: boolean): void {
    stream.context?.streamData(chunk, lo, hi, end);
  }

  onReset(stream: Stream<Exchange>): void {
    stream.context?.streamReset();
  }

  onDrain(stream: Stream<Exchange>): void {
    stream.context?.streamDrain();
  }

  onPing(): void {
    const { http2 } = this;
    const hasSent = http2.sentSincePing;
    http2.sentSincePing = false;
    if (this.#keepalive.allowsPing(http2.nowMs, http2.streamCount, hasSent)) return;
    http2.fail(ErrorCode.ENHANCE_YOUR_CALM, "too_many_pings");
  }

  onPingAck(): void {}

  onGoaway(): void {}

  onSettings(): void {}

  onOutput(): void {
    this.#driver.requestFlush();
  }

  onClose(code: number, reason: string): void {
    if (code !== ErrorCode.NO_ERROR && code !== ErrorCode.CANCEL) {
      this.#logger.warn("closed an HTTP/2 connection", {
        "remote-addr": this.peer.address,
        code,
        reason,
      });
    }
    this.#driver.requestFlush();
  }

  tick(nowMs: number): void {
    const { http2 } = this;
    http2.tick(nowMs);
    this.#driver.tick(nowMs);
    if (http2.isClosed) return;
    if (nowMs >= this.#deadlineNextMs) this.#sweep(nowMs);
    switch (this.#keepalive.tick(nowMs, http2.receivedMs)) {
      case "ping":
        http2.sendPing(0);
        break;
      case "dead":
        this.#logger.info("closed a silent connection", { "remote-addr": this.peer.address });
        this.#driver.destroy();
        break;
      case "nothing":
        break;
    }
  }

  #sweep(nowMs: number): void {
    let next = Number.POSITIVE_INFINITY;
    for (const stream of this.http2.streams()) {
      const exchange = stream.context;
      if (exchange === undefined) continue;
      if (exchange.deadlineMs <= nowMs) exchange.expire();
      else if (exchange.deadlineMs < next) next = exchange.deadlineMs;
    }
    this.#deadlineNextMs = next;
  }

  /** GOAWAY; the connection closes when its calls are done. */
  drain(): void {
    this.http2.drain();
  }

  /** Ends every call and the connection. */
  close(): void {
    this.http2.fail(ErrorCode.NO_ERROR, "");
  }

  destroy(): void {
    this.#driver.destroy();
  }
}
