/**
 * One endpoint and the connection to it: opened when first wanted, opened again after each loss
 * with growing rests. A connection counts only when the server's HTTP/2 settings have come, so a
 * host that accepts and says nothing is a failed one.
 */
import type { ClientGroup, GrpcClient } from "../grpc/index.ts";
import type { Clock, Connection, Timer, Timers } from "../seam/index.ts";
import {
  CLIENT_API_VERSION,
  RECONNECT_MS_MAX,
  RECONNECT_MS_MIN,
  SILENT_MS,
  STABLE_MS,
} from "./limits.ts";

export interface Keepalive {
  readonly timeMs: number;
  readonly timeoutMs: number;
  /** Asks even while no call is open. Servers refuse it unless told to allow it (FR-05). */
  readonly permitWithoutStream: boolean;
}

/** A byte stream that begins to flow with `start`. */
export type Opened = Connection & { start(): void };

/** What links share. */
export interface LinkOptions {
  readonly group: ClientGroup;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Opens a byte stream; rejects, at once when `signal` is aborted. */
  readonly open: (endpoint: string, timeoutMs: number, signal: AbortSignal) => Promise<Opened>;
  /** A rest varied at random. */
  readonly jitter: (ms: number) => number;
  readonly connectTimeoutMs: number;
  readonly receiveBytesMax: number;
  readonly keepalive: Keepalive | undefined;
  readonly userAgent: string;
}

export interface LinkEvents {
  linkReady(link: Link): void;
  linkFailed(link: Link): void;
}

export class Link {
  /** With its scheme: "http://127.0.0.1:2379". */
  readonly endpoint: string;
  /** Set while calls can be made. */
  client: GrpcClient | undefined = undefined;
  /** Why it cannot be connected to; "" while that is not known. */
  failure = "";
  /** Until then it is asked only when there is no other. */
  suspectUntilMs = Number.NEGATIVE_INFINITY;
  readonly #options: LinkOptions;
  readonly #events: LinkEvents;
  /** Connections of which the server has said that it goes away: their calls end first. */
  readonly #leaving = new Set<GrpcClient>();
  #attempt: AbortController | undefined = undefined;
  #opening: GrpcClient | undefined = undefined;
  #timer: Timer | undefined = undefined;
  #failures = 0;
  #readySinceMs = 0;
  #isClosed = false;
  /** Unary calls under way, and when one was last answered or the first of them began. */
  #calls = 0;
  #answeredMs = 0;

  constructor(endpoint: string, options: LinkOptions, events: LinkEvents) {
    this.endpoint = endpoint;
    this.#options = options;
    this.#events = events;
  }

  get isIdle(): boolean {
    return this.client === undefined && this.#attempt === undefined && this.#timer === undefined;
  }

  callBegan(nowMs: number): void {
    if (this.#calls === 0) this.#answeredMs = nowMs;
    this.#calls += 1;
  }

  /** `isAnswered`: by the server, not by giving up. */
  callEnded(nowMs: number, isAnswered: boolean): void {
    this.#calls -= 1;
    if (isAnswered) this.#answeredMs = nowMs;
  }

  /** Others should be asked first: it lately could not serve, or does not answer at present. */
  isDoubtful(nowMs: number): boolean {
    if (this.suspectUntilMs > nowMs) return true;
    return this.#calls > 0 && nowMs - this.#answeredMs > SILENT_MS;
  }

  /** Begins to connect, unless that is under way. */
  wake(): void {
    if (this.isIdle && !this.#isClosed) this.#connect();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#attempt?.abort();
    for (const client of this.#leaving) client.close();
    this.#opening?.close();
    this.client?.close();
  }

  #connect(): void {
    const { open, connectTimeoutMs, timers } = this.#options;
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#timer = timers.after(connectTimeoutMs, () => {
      this.#fail(attempt, `no answer within ${connectTimeoutMs} ms`);
    });
    open(this.endpoint, connectTimeoutMs, attempt.signal).then(
      (connection) => this.#opened(attempt, connection),
      (error: unknown) => this.#fail(attempt, textOf(error)),
    );
  }

  #opened(attempt: AbortController, connection: Opened): void {
    if (this.#attempt !== attempt || this.#isClosed) {
      connection.destroy();
      return;
    }
    const { group, receiveBytesMax, keepalive, userAgent } = this.#options;
    const { scheme, authority } = partsOf(this.endpoint);
    const client: GrpcClient = group.open(connection, {
      authority,
      scheme,
      userAgent,
      metadata: ["client-api-version", CLIENT_API_VERSION],
      limits: { receiveMessageBytesMax: receiveBytesMax },
      ...(keepalive && { keepalive }),
      onReady: () => this.#ready(attempt, client),
      onGoaway: () => this.#leave(attempt, client),
      onClose: (reason) => this.#lost(attempt, client, reason),
    });
    this.#opening = client;
    connection.start();
  }

  #ready(attempt: AbortController, client: GrpcClient): void {
    if (this.#attempt !== attempt) return;
    this.#attempt = undefined;
    this.#opening = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.client = client;
    this.failure = "";
    this.#readySinceMs = this.#options.clock.monotonicMs();
    this.#events.linkReady(this);
  }

  /** The calls under way go on; new ones need a new connection. */
  #leave(attempt: AbortController, client: GrpcClient): void {
    if (this.client !== client) {
      this.#fail(attempt, client.closeReason);
      return;
    }
    this.#leaving.add(client);
    this.#gone();
  }

  #lost(attempt: AbortController, client: GrpcClient, reason: string): void {
    this.#leaving.delete(client);
    if (this.client === client) this.#gone();
    else this.#fail(attempt, reason);
  }

  /** The connection in use is no more: another is opened at once if it had held for a while. */
  #gone(): void {
    this.client = undefined;
    if (this.#isClosed) return;
    if (this.#options.clock.monotonicMs() - this.#readySinceMs >= STABLE_MS) {
      this.#failures = 0;
      this.#connect();
    } else {
      this.#rest();
    }
  }

  #fail(attempt: AbortController, reason: string): void {
    if (this.#attempt !== attempt) return;
    this.#attempt = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    const opening = this.#opening;
    this.#opening = undefined;
    attempt.abort();
    opening?.close();
    if (this.#isClosed) return;
    this.failure = reason;
    this.#rest();
    this.#events.linkFailed(this);
  }

  #rest(): void {
    const { timers, jitter } = this.#options;
    const restMs = Math.min(RECONNECT_MS_MIN * 2 ** this.#failures, RECONNECT_MS_MAX);
    this.#failures = Math.min(this.#failures + 1, 16);
    this.#timer = timers.after(jitter(restMs), () => {
      this.#timer = undefined;
      this.#connect();
    });
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `:scheme` and `:authority` of requests to an endpoint. */
function partsOf(endpoint: string): { scheme: "http" | "https"; authority: string } {
  const at = endpoint.indexOf("://");
  const name = endpoint.slice(0, at);
  const scheme = name.endsWith("s") ? "https" : "http";
  // What stands behind unix:// is a path, which is no authority.
  const authority = name.startsWith("unix") ? "localhost" : endpoint.slice(at + 3);
  return { scheme, authority };
}
