/**
 * Puts at a steady rate by clients that try again: what a service sees of a cluster whose members
 * come and go. An attempt that is refused, or not answered in a while, is made again at the next
 * member. What is measured is the longest time in which no put of any client was acknowledged.
 */
import { Prng } from "../src/base/index.ts";
import { LatencyHistogram } from "./histogram.ts";
import { type Caller, KV_PUT } from "./load/channel.ts";
import { Http2Channel } from "./load/http2-channel.ts";
import { makeOperation } from "./load/operations.ts";

const TICK_MS = 1;
/** Under way at most; the clients behind them wait. */
const UNDER_WAY_MAX = 500;
/** Then an attempt is made again elsewhere, and its late answer still counts. */
const ATTEMPT_MS = 250;
const PUT_MS_MAX = 20_000;
const LOOK_MS = 10;
const SEED = 7;
const UNAVAILABLE = 14;

/** One member's connection, made again when it is lost. */
class Endpoint {
  readonly #port: number;
  #channel: Http2Channel | undefined;
  #isConnecting = false;
  #isClosed = false;

  constructor(port: number) {
    this.#port = port;
  }

  get channel(): Http2Channel | undefined {
    if (this.#channel?.isOpen === true) return this.#channel;
    this.#connect();
    return undefined;
  }

  #connect(): void {
    if (this.#isConnecting || this.#isClosed) return;
    this.#isConnecting = true;
    this.#channel?.close();
    this.#channel = undefined;
    Http2Channel.connect(this.#port).then(
      (channel) => {
        this.#isConnecting = false;
        if (this.#isClosed) channel.close();
        else this.#channel = channel;
      },
      () => {
        this.#isConnecting = false;
      },
    );
  }

  close(): void {
    this.#isClosed = true;
    this.#channel?.close();
  }
}

class Put {
  readonly message: Buffer;
  readonly startedMs: number;
  attemptMs = 0;
  endpoint: number;
  isDone = false;
  /** To be sent at the next tick. */
  isWaiting = true;

  constructor(message: Buffer, startedMs: number, endpoint: number) {
    this.message = message;
    this.startedMs = startedMs;
    this.endpoint = endpoint;
  }
}

class Attempt implements Caller {
  readonly #puts: RetryingPuts;
  readonly #put: Put;

  constructor(puts: RetryingPuts, put: Put) {
    this.#puts = puts;
    this.#put = put;
  }

  onMessage(): void {}

  onEnd(code: number, text: string): void {
    if (code === 0) this.#puts.acknowledged(this.#put);
    else this.#puts.refused(this.#put, code, text);
  }
}

export interface GapFigures {
  readonly gapMs: number;
  readonly meanMs: number;
  readonly retried: number;
  readonly failed: number;
  readonly acknowledged: number;
}

export class RetryingPuts {
  readonly #endpoints: Endpoint[];
  readonly #operation = makeOperation("put", new Prng(SEED), 0, 1);
  readonly #perTick: number;
  readonly #pending = new Set<Put>();
  readonly #timer: NodeJS.Timeout;
  readonly #histogram = new LatencyHistogram();
  #sent = 0;
  #startedMs = performance.now();
  #lookedMs = 0;
  #lastMs = performance.now();
  #gapMs = 0;
  #retried = 0;
  #failed = 0;
  #acknowledged = 0;
  #isEnding = false;
  lastRefusal = "";

  /** `rate` puts a second, spread over all members. */
  constructor(ports: readonly number[], rate: number) {
    this.#endpoints = ports.map((port) => new Endpoint(port));
    this.#perTick = rate / (1000 / TICK_MS);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Starts a measurement: figures from here on. */
  reset(): void {
    this.#lastMs = performance.now();
    this.#gapMs = 0;
    this.#retried = 0;
    this.#failed = 0;
    this.#acknowledged = 0;
    this.#histogram.reset();
  }

  /** Since the last reset. A gap that is still open counts. */
  figures(): GapFigures {
    return {
      gapMs: Math.max(this.#gapMs, performance.now() - this.#lastMs),
      meanMs: this.#histogram.meanMs,
      retried: this.#retried,
      failed: this.#failed,
      acknowledged: this.#acknowledged,
    };
  }

  /** Resolves after so many more acknowledged puts. */
  async more(count: number, timeoutMs = 60_000): Promise<void> {
    const wanted = this.#acknowledged + count;
    const giveUpAt = performance.now() + timeoutMs;
    while (this.#acknowledged < wanted) {
      if (performance.now() > giveUpAt) {
        throw new Error(`no put was acknowledged in ${timeoutMs} ms; ${this.lastRefusal}`);
      }
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
  }

  /** No new puts; those under way come to their end. */
  async stop(): Promise<void> {
    this.#isEnding = true;
    while (this.#pending.size > 0) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    clearInterval(this.#timer);
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  /** Ends at once, with whatever is under way. */
  abandon(): void {
    clearInterval(this.#timer);
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  acknowledged(put: Put): void {
    if (put.isDone) return;
    const nowMs = performance.now();
    this.#gapMs = Math.max(this.#gapMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    this.#acknowledged += 1;
    this.#histogram.record(nowMs - put.startedMs);
    this.#done(put);
  }

  refused(put: Put, code: number, text: string): void {
    if (put.isDone) return;
    this.lastRefusal = `${code}: ${text}`;
    this.#again(put);
  }

  #done(put: Put): void {
    put.isDone = true;
    this.#pending.delete(put);
  }

  #again(put: Put): void {
    if (put.isWaiting) return;
    this.#retried += 1;
    put.endpoint += 1;
    put.isWaiting = true;
  }

  #tick(): void {
    const nowMs = performance.now();
    const due = Math.floor(((nowMs - this.#startedMs) / TICK_MS) * this.#perTick);
    if (this.#isEnding || this.#pending.size >= UNDER_WAY_MAX) this.#sent = due;
    for (; this.#sent < due && this.#pending.size < UNDER_WAY_MAX; this.#sent += 1) {
      this.#operation.prepare(0);
      this.#pending.add(new Put(Buffer.from(this.#operation.message), nowMs, this.#sent));
    }
    if (nowMs - this.#lookedMs >= LOOK_MS) this.#look(nowMs);
    for (const put of this.#pending) if (put.isWaiting) this.#send(put, nowMs);
  }

  #look(nowMs: number): void {
    this.#lookedMs = nowMs;
    for (const put of this.#pending) {
      if (nowMs - put.startedMs > PUT_MS_MAX) {
        this.#failed += 1;
        this.#done(put);
      } else if (!put.isWaiting && nowMs - put.attemptMs > ATTEMPT_MS) this.#again(put);
    }
  }

  /** At the member whose turn it is, or the next one that is connected. */
  #send(put: Put, nowMs: number): void {
    const count = this.#endpoints.length;
    for (let step = 0; step < count; step += 1) {
      const endpoint = this.#endpoints[(put.endpoint + step) % count] as Endpoint;
      const { channel } = endpoint;
      if (channel === undefined) continue;
      put.endpoint += step;
      put.isWaiting = false;
      put.attemptMs = nowMs;
      channel.unary(KV_PUT, put.message, new Attempt(this, put));
      return;
    }
    this.lastRefusal = `${UNAVAILABLE}: no member is connected`;
  }
}
