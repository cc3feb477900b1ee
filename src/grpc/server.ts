/** A gRPC server: its methods, and the connections that were given to it. */
import type { Clock, Connection, HttpHandler, Logger, Timer, Timers } from "../seam/index.ts";
import { FlushQueue } from "./flush-queue.ts";
import { KEEPALIVE_DEFAULT, type KeepaliveOptions } from "./keepalive.ts";
import { GRPC_LIMITS_DEFAULT, type GrpcLimits, TICK_MS } from "./limits.ts";
import { MethodStats, ServerStats } from "./method-stats.ts";
import type { MethodEntry, Registry } from "./request-head.ts";
import { GrpcServerConnection } from "./server-connection.ts";
import type { MethodTable } from "./types.ts";

export interface GrpcServerOptions {
  readonly methods: MethodTable;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Requests that are not gRPC (FR-11). Without it they get status 415. */
  readonly onHttpRequest?: HttpHandler;
  readonly limits?: Partial<GrpcLimits>;
  readonly keepalive?: Partial<KeepaliveOptions>;
  /** Shared with others who write once a turn; made when missing. */
  readonly flushQueue?: FlushQueue;
}

/** What all connections of a server have in common. */
export interface ServerShared {
  readonly registry: Registry;
  readonly limits: GrpcLimits;
  readonly keepalive: KeepaliveOptions;
  readonly flushQueue: FlushQueue;
  readonly stats: ServerStats;
}

export class GrpcServer {
  readonly stats: ServerStats;
  readonly #options: GrpcServerOptions;
  readonly #shared: ServerShared;
  readonly #connections = new Set<GrpcServerConnection>();
  readonly #ticker: Timer;
  #isDraining = false;
  #onIdle: (() => void) | undefined = undefined;

  constructor(options: GrpcServerOptions) {
    const entries = new Map<string, MethodEntry>();
    const services = new Set<string>();
    const stats = new Map<string, MethodStats>();
    for (const [path, method] of options.methods) {
      const type = method.kind === "unary" ? "unary" : (method.type ?? "bidi_stream");
      const methodStats = new MethodStats(path, type);
      entries.set(path, { method, stats: methodStats });
      services.add(methodStats.service);
      stats.set(path, methodStats);
    }
    this.stats = new ServerStats(stats);
    this.#options = options;
    this.#shared = {
      registry: { entries, services },
      limits: { ...GRPC_LIMITS_DEFAULT, ...options.limits },
      keepalive: { ...KEEPALIVE_DEFAULT, ...options.keepalive },
      flushQueue: options.flushQueue ?? new FlushQueue(),
      stats: this.stats,
    };
    this.#ticker = options.timers.every(TICK_MS, () => this.tick(options.clock.monotonicMs()));
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Takes a connection whose first bytes are HTTP/2's preface, and its events. */
  serve(connection: Connection): void {
    const served = new GrpcServerConnection(connection, this.#options, this.#shared, (gone) =>
      this.#onGone(gone),
    );
    this.#connections.add(served);
    this.stats.connections = this.#connections.size;
    if (this.#isDraining) served.drain();
  }

  #onGone(connection: GrpcServerConnection): void {
    this.#connections.delete(connection);
    this.stats.connections = this.#connections.size;
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#connections.size > 0 || this.#onIdle === undefined) return;
    const onIdle = this.#onIdle;
    this.#onIdle = undefined;
    this.#ticker.cancel();
    onIdle();
  }

  /** Deadlines, keepalive, flood counters. Called by a timer of its own. */
  tick(nowMs: number): void {
    for (const connection of this.#connections) connection.tick(nowMs);
  }

  /** No new calls; connections close as their calls end. `onIdle`: all have. */
  drain(onIdle: () => void): void {
    this.#isDraining = true;
    this.#onIdle = onIdle;
    for (const connection of this.#connections) connection.drain();
    this.#checkIdle();
  }

  /** Ends every call and connection; what was written before still goes out. */
  close(): void {
    this.#ticker.cancel();
    for (const connection of this.#connections) connection.close();
    this.#shared.flushQueue.flushNow();
  }
}
