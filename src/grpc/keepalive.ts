/**
 * Keepalive of one connection, both halves: what we ask of a silent peer (FR-06), and how often a
 * client may ask us (FR-05). Times are monotonic milliseconds handed in.
 */

/** Defaults are etcd's. */
export interface KeepaliveOptions {
  /** Silence after which the peer is asked whether it is there; Infinity = never. */
  readonly timeMs: number;
  /** How long it has to show any sign of life. Beyond: the connection is dropped. */
  readonly timeoutMs: number;
  /** Least time between PINGs of a client. More often, three times over: `too_many_pings`. */
  readonly minTimeMs: number;
  /** Whether a client may ask while it has no stream open. */
  readonly permitWithoutStream: boolean;
}

export const KEEPALIVE_DEFAULT: KeepaliveOptions = {
  timeMs: 2 * 60 * 60 * 1000,
  timeoutMs: 20_000,
  minTimeMs: 5_000,
  permitWithoutStream: false,
};

/** What grpc-go lets pass before it takes PINGs for abuse. */
const PING_STRIKES_MAX = 2;
/** A client without streams may ask this seldom in any case. */
const IDLE_PING_MS = 2 * 60 * 60 * 1000;

export class Keepalive {
  readonly #options: KeepaliveOptions;
  #strikes = 0;
  #lastPingMs = Number.NEGATIVE_INFINITY;
  /** When our PING went out; -1 while none is unanswered. */
  #askedMs = -1;

  constructor(options: KeepaliveOptions) {
    this.#options = options;
  }

  /**
   * A PING of the client has come. `hasSent`: we sent it headers or data since the one before, so
   * it has a reason to measure. False: it does this too often.
   */
  allowsPing(nowMs: number, streamCount: number, hasSent: boolean): boolean {
    const sinceMs = nowMs - this.#lastPingMs;
    this.#lastPingMs = nowMs;
    if (hasSent) {
      this.#strikes = 0;
      return true;
    }
    const isIdle = streamCount === 0 && !this.#options.permitWithoutStream;
    if (sinceMs < (isIdle ? IDLE_PING_MS : this.#options.minTimeMs)) this.#strikes += 1;
    return this.#strikes <= PING_STRIKES_MAX;
  }

  /** What to do now, when bytes last came at `receivedMs`. */
  tick(nowMs: number, receivedMs: number): "nothing" | "ping" | "dead" {
    if (this.#askedMs >= 0) {
      if (receivedMs > this.#askedMs) this.#askedMs = -1;
      else return nowMs - this.#askedMs >= this.#options.timeoutMs ? "dead" : "nothing";
    }
    if (nowMs - receivedMs < this.#options.timeMs) return "nothing";
    this.#askedMs = nowMs;
    return "ping";
  }
}
