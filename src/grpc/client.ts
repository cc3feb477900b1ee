/**
 * A gRPC client on connections that were opened for it. No resolving, balancing or retry: see
 * client/.
 */
import { Code } from "../errors/index.ts";
import {
  type HeaderBlock,
  type HeaderList,
  Http2Connection,
  type Http2Events,
  PreparedHeaders,
  type Stream,
} from "../http2/index.ts";
import type { Clock, Connection, Timer, Timers } from "../seam/index.ts";
import { ClientCall, type ClientHost, type UnaryDone } from "./client-call.ts";
import { type ByteCounts, Driver } from "./driver.ts";
import { FlushQueue } from "./flush-queue.ts";
import { Keepalive } from "./keepalive.ts";
import {
  CLIENT_WAITING_CALLS_MAX,
  GRPC_LIMITS_DEFAULT,
  type GrpcLimits,
  TICK_MS,
} from "./limits.ts";
import { BufferBudget } from "./message-reader.ts";
import { formatTimeout } from "./status.ts";

export interface ClientOptions {
  /** `:authority`: host and port. */
  readonly authority: string;
  readonly scheme?: "http" | "https";
  readonly userAgent?: string;
  /** Fields sent with each call (name, value, ...), such as a token. */
  readonly metadata?: HeaderList;
  readonly limits?: Partial<GrpcLimits>;
  /** Missing: the server is never asked whether it is there. */
  readonly keepalive?: {
    readonly timeMs: number;
    readonly timeoutMs: number;
    readonly permitWithoutStream: boolean;
  };
  /** The server's settings have come: it is there, and calls go out at once. */
  readonly onReady?: () => void;
  /** The connection is gone; every call has been ended before. */
  readonly onClose?: (reason: string) => void;
  /** The server is going away: calls go on, new ones fail with UNAVAILABLE. */
  readonly onGoaway?: (code: number, debugText: string) => void;
}

export interface CallOptions {
  readonly timeoutMs?: number;
  /** Fields of this call alone: name, value, ... */
  readonly metadata?: HeaderList;
}

const NO_OPTIONS: CallOptions = {};
const CLIENT_LIMITS: GrpcLimits = {
  ...GRPC_LIMITS_DEFAULT,
  receiveMessageBytesMax: 0x7fff_ffff,
  bufferedBytesMax: 4 * 1024 * 1024 * 1024,
  socketBytesPause: Number.POSITIVE_INFINITY,
};

/** Clients of one event loop: one timer and one flush a turn for all of them. */
export class ClientGroup {
  readonly clock: Clock;
  readonly flushQueue: FlushQueue;
  readonly counts: ByteCounts = { receivedBytes: 0, sentBytes: 0 };
  readonly #clients = new Set<GrpcClient>();
  readonly #timers: Timers;
  #ticker: Timer | undefined = undefined;

  constructor(options: { clock: Clock; timers: Timers; flushQueue?: FlushQueue }) {
    this.clock = options.clock;
    this.#timers = options.timers;
    this.flushQueue = options.flushQueue ?? new FlushQueue();
  }

  /** Takes over a connection that was just opened, and its events. */
  open(connection: Connection, options: ClientOptions): GrpcClient {
    const client = new GrpcClient(this, connection, options, () => this.#remove(client));
    this.#clients.add(client);
    this.#ticker ??= this.#timers.every(TICK_MS, () => this.tick(this.clock.monotonicMs()));
    return client;
  }

  #remove(client: GrpcClient): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    this.#ticker?.cancel();
    this.#ticker = undefined;
  }

  tick(nowMs: number): void {
    for (const client of this.#clients) client.tick(nowMs);
  }

  close(): void {
    for (const client of this.#clients) client.close();
    this.flushQueue.flushNow();
  }
}

export class GrpcClient implements Http2Events<ClientCall>, ClientHost {
  readonly http2: Http2Connection<ClientCall>;
  readonly limits: GrpcLimits;
  readonly budget: BufferBudget;
  closeReason = "connection closed";
  readonly #group: ClientGroup;
  readonly #options: ClientOptions;
  readonly #driver: Driver;
  readonly #prepared = new Map<string, PreparedHeaders>();
  readonly #keepalive: Keepalive | undefined;
  /** Calls that wait for the server's stream limit, oldest first from `#waitingHead`. */
  #waiting: ClientCall[] = [];
  #waitingHead = 0;
  #isReady = false;
  #deadlineNextMs = Number.POSITIVE_INFINITY;

  /** By `ClientGroup.open`. */
  constructor(
    group: ClientGroup,
    connection: Connection,
    options: ClientOptions,
    onGone: () => void,
  ) {
    this.#group = group;
    this.#options = options;
    this.limits = { ...CLIENT_LIMITS, ...options.limits };
    this.budget = new BufferBudget(this.limits.bufferedBytesMax);
    if (options.keepalive !== undefined) {
      this.#keepalive = new Keepalive({ ...options.keepalive, minTimeMs: 0 });
    }
    this.http2 = new Http2Connection({ role: "client", limits: this.limits.http2, events: this });
    this.#driver = new Driver(this.http2, {
      connection,
      clock: group.clock,
      flushQueue: group.flushQueue,
      counts: group.counts,
      pauseBytes: this.limits.socketBytesPause,
      onGone: () => {
        onGone();
        options.onClose?.(this.closeReason);
      },
    });
    this.http2.start(this.#driver.nowMs);
  }

  /** No new calls can be made. */
  get isClosed(): boolean {
    return this.http2.isGoingAway;
  }

  /**
   * A unary call. `message` is copied before this returns. `onDone` is called once, maybe before
   * this returns when the connection is closed.
   */
  unary(
    path: string,
    message: Uint8Array,
    onDone: UnaryDone,
    options: CallOptions = NO_OPTIONS,
  ): ClientCall {
    const call = this.#call(path, options, onDone);
    if (this.http2.canOpenStream && this.#waiting.length === 0) call.startWith(message);
    else this.#wait(call, message);
    return call;
  }

  /** A streaming call; its events are set on what is returned. */
  stream(path: string, options: CallOptions = NO_OPTIONS): ClientCall {
    const call = this.#call(path, options, undefined);
    if (this.http2.canOpenStream && this.#waiting.length === 0) call.start();
    else this.#wait(call, undefined);
    return call;
  }

  #call(path: string, options: CallOptions, onDone: UnaryDone | undefined): ClientCall {
    let prepared = this.#prepared.get(path);
    if (prepared === undefined) {
      prepared = this.#prepare(path);
      this.#prepared.set(path, prepared);
    }
    const { timeoutMs } = options;
    let extra = options.metadata;
    let deadlineMs = Number.POSITIVE_INFINITY;
    if (timeoutMs !== undefined) {
      deadlineMs = this.#driver.nowMs + timeoutMs;
      if (deadlineMs < this.#deadlineNextMs) this.#deadlineNextMs = deadlineMs;
      extra = ["grpc-timeout", formatTimeout(timeoutMs), ...(extra ?? [])];
    }
    return new ClientCall(this, prepared, { deadlineMs, extra, ...(onDone && { onDone }) });
  }

  #prepare(path: string): PreparedHeaders {
    const { authority, scheme, userAgent, metadata } = this.#options;
    const list = [":method", "POST", ":scheme", scheme ?? "http", ":path", path];
    list.push(":authority", authority, "content-type", "application/grpc");
    list.push("user-agent", userAgent ?? "holdfast", "te", "trailers", ...(metadata ?? []));
    return new PreparedHeaders(list);
  }

  #wait(call: ClientCall, message: Uint8Array | undefined): void {
    call.wait(message);
    if (this.isClosed) {
      const refuse = (): void => call.refuse(Code.UNAVAILABLE, this.closeReason);
      // The events of a stream are not set yet: it is told at the end of the turn.
      if (message !== undefined) refuse();
      else this.#group.flushQueue.add({ flush: refuse });
      return;
    }
    this.#waiting.push(call);
    if (this.#waiting.length - this.#waitingHead > CLIENT_WAITING_CALLS_MAX) {
      call.refuse(Code.RESOURCE_EXHAUSTED, "too many calls wait for a stream");
    }
  }

  callEnded(): void {
    if (this.#waiting.length > 0) this.#startWaiting();
  }

  #startWaiting(): void {
    while (this.#waitingHead < this.#waiting.length && this.http2.canOpenStream) {
      const call = this.#waiting[this.#waitingHead] as ClientCall;
      this.#waitingHead += 1;
      if (!call.isDone) call.start();
    }
    if (this.#waitingHead * 2 < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#waitingHead);
    this.#waitingHead = 0;
  }

  #refuseWaiting(): void {
    const waiting = this.#waiting.slice(this.#waitingHead);
    this.#waiting = [];
    this.#waitingHead = 0;
    for (const call of waiting) call.refuse(Code.UNAVAILABLE, this.closeReason);
  }

  onHeaders(stream: Stream<ClientCall>, block: HeaderBlock, endStream: boolean): void {
    stream.context?.streamHeaders(block, endStream);
  }

  onData(stream: Stream<ClientCall>, chunk: Buffer, lo: number, hi: number, end: boolean): void {
    stream.context?.streamData(chunk, lo, hi, end);
  }

  onReset(stream: Stream<ClientCall>, code: number): void {
    stream.context?.streamReset(code);
  }

  onDrain(stream: Stream<ClientCall>): void {
    stream.context?.onDrain?.();
  }

  onPing(): void {}

  onPingAck(): void {}

  onGoaway(code: number, _lastStreamId: number, debugText: string): void {
    this.closeReason = `the server is going away: ${debugText === "" ? `code ${code}` : debugText}`;
    this.#refuseWaiting();
    this.#options.onGoaway?.(code, debugText);
  }

  onSettings(): void {
    this.#startWaiting();
    if (this.#isReady) return;
    this.#isReady = true;
    this.#options.onReady?.();
  }

  onOutput(): void {
    this.#driver.requestFlush();
  }

  onClose(_code: number, reason: string): void {
    this.closeReason = reason;
    this.#refuseWaiting();
    this.#driver.requestFlush();
  }

  tick(nowMs: number): void {
    const { http2 } = this;
    http2.tick(nowMs);
    this.#driver.tick(nowMs);
    if (http2.isClosed) {
      this.#refuseWaiting();
      return;
    }
    if (nowMs >= this.#deadlineNextMs) this.#sweep(nowMs);
    const keepalive = this.#keepalive;
    const isNeeded = http2.streamCount > 0 || this.#options.keepalive?.permitWithoutStream === true;
    if (keepalive === undefined || !isNeeded) return;
    const next = keepalive.tick(nowMs, http2.receivedMs);
    if (next === "ping") http2.sendPing(0);
    if (next === "dead") {
      this.closeReason = "keepalive ping failed to receive ACK within timeout";
      this.#driver.destroy();
    }
  }

  #sweep(nowMs: number): void {
    const calls: ClientCall[] = this.#waiting.slice(this.#waitingHead);
    for (const { context } of this.http2.streams()) if (context !== undefined) calls.push(context);
    let next = Number.POSITIVE_INFINITY;
    for (const call of calls) {
      if (call.deadlineMs <= nowMs) call.expire();
      else if (call.deadlineMs < next) next = call.deadlineMs;
    }
    this.#deadlineNextMs = Math.min(
      next,
      this.#deadlineNextMs > nowMs ? this.#deadlineNextMs : next,
    );
  }

  /** Ends every call with UNAVAILABLE and closes the connection. */
  close(): void {
    this.closeReason = "the client is closing";
    this.http2.fail(0, this.closeReason);
  }
}
