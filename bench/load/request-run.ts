/**
 * One measured run of requests: a closed loop of callers, or fixed times.
 *
 * Closed loop: each client sends its next request when the last was answered, as etcd's benchmark
 * does. A server that stalls is then asked less, so its stall shows in few latencies only.
 * Fixed rate: request k is due at start + k / rate whatever the server does, and its latency counts
 * from then on, so that a stall shows in every request that it delays (no coordinated omission).
 */
import { LatencyHistogram } from "../histogram.ts";
import { sumCpuMicros } from "../process-stats.ts";
import type { Figures } from "../cases.ts";
import type { Caller } from "./channel.ts";

/** How often a run that gets no answers looks at the clock; also the steps of the fixed rate. */
const TICK_MS = 1;
const FAILED_MAX = 1_000;
/** What a run waits for its last answers. */
const DRAIN_MS = 10_000;

export interface RunOptions {
  readonly clients: number;
  /** Sends the next request of a client; its answer comes by `onMessage` and `onEnd`. */
  readonly send: (client: number, caller: Caller) => void;
  readonly accepts: (client: number, bytes: Buffer, lo: number, hi: number) => boolean;
  /** A stream's answer ends at its message; a unary call's at its end. */
  readonly isStream: boolean;
  readonly warmupSeconds: number;
  readonly seconds: number;
  readonly rate: number;
  /** The servers' processes, for their CPU time. */
  readonly serverPids: readonly number[];
}

class Client implements Caller {
  readonly index: number;
  startedMs = 0;
  #isGood = false;
  readonly #run: RequestRun;

  constructor(index: number, run: RequestRun) {
    this.index = index;
    this.#run = run;
  }

  onMessage(bytes: Buffer, lo: number, hi: number): void {
    this.#isGood = this.#run.accepts(this.index, bytes, lo, hi);
    if (this.#run.isStream) this.#run.answered(this, this.#isGood, "unexpected response");
  }

  onEnd(code: number, text: string): void {
    const isGood = code === 0 && this.#isGood && !this.#run.isStream;
    this.#isGood = false;
    this.#run.answered(this, isGood, code === 0 ? "unexpected response" : `${code}: ${text}`);
  }
}

export class RequestRun {
  readonly accepts: (client: number, bytes: Buffer, lo: number, hi: number) => boolean;
  readonly isStream: boolean;
  readonly #options: RunOptions;
  readonly #histogram = new LatencyHistogram();
  readonly #done: Promise<Figures>;
  #resolve: (figures: Figures) => void = () => {};
  #reject: (error: Error) => void = () => {};
  #phase: "warm-up" | "window" | "drain" | "over" = "warm-up";
  #phaseEndsMs = 0;
  #windowStartedMs = 0;
  #serverCpuMicros = 0;
  #ownCpuMicros = 0;
  #underWay = 0;
  #failed = 0;
  #figures: Figures = {};
  #timer: NodeJS.Timeout | undefined;
  /** Fixed rate: the number of the next request, and clients with nothing to do. */
  #nextDue = 0;
  #originMs = 0;
  readonly #idle: Client[] = [];

  constructor(options: RunOptions) {
    this.#options = options;
    this.accepts = options.accepts;
    this.isStream = options.isStream;
    this.#done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Resolves after the last answer. Rejects when requests fail again and again. */
  start(): Promise<Figures> {
    const nowMs = performance.now();
    this.#originMs = nowMs;
    this.#phaseEndsMs = nowMs + this.#options.warmupSeconds * 1000;
    const clients: Client[] = [];
    for (let index = 0; index < this.#options.clients; index += 1) {
      clients.push(new Client(index, this));
    }
    if (this.#options.rate > 0) this.#idle.push(...clients);
    else for (const client of clients) this.#send(client, nowMs);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    return this.#done;
  }

  answered(client: Client, isGood: boolean, text: string): void {
    if (this.#phase === "over") return;
    const nowMs = performance.now();
    this.#underWay -= 1;
    if (!isGood) this.#count(text);
    else if (this.#phase === "window") this.#histogram.record(nowMs - client.startedMs);
    if (nowMs >= this.#phaseEndsMs) this.#endPhase(nowMs);
    if (this.#isEnding()) this.#drain();
    else if (this.#options.rate === 0) this.#send(client, nowMs);
    else {
      this.#idle.push(client);
      this.#sendDue(nowMs);
    }
  }

  #isEnding(): boolean {
    return this.#phase === "drain" || this.#phase === "over";
  }

  #send(client: Client, startedMs: number): void {
    client.startedMs = startedMs;
    this.#underWay += 1;
    this.#options.send(client.index, client);
  }

  #sendDue(nowMs: number): void {
    const stepMs = 1000 / this.#options.rate;
    while (this.#idle.length > 0) {
      const dueMs = this.#originMs + this.#nextDue * stepMs;
      if (dueMs > nowMs) return;
      this.#nextDue += 1;
      this.#send(this.#idle.pop() as Client, dueMs);
    }
  }

  #count(text: string): void {
    this.#failed += 1;
    if (this.#failed < FAILED_MAX) return;
    this.#finish(new Error(`${this.#failed} requests failed, the last with "${text}"`));
  }

  #tick(): void {
    const nowMs = performance.now();
    if (nowMs >= this.#phaseEndsMs) this.#endPhase(nowMs);
    if (this.#phase === "drain") this.#drain();
    else if (this.#options.rate > 0) this.#sendDue(nowMs);
  }

  #endPhase(nowMs: number): void {
    if (this.#phase === "warm-up") {
      this.#phase = "window";
      this.#windowStartedMs = nowMs;
      this.#phaseEndsMs = nowMs + this.#options.seconds * 1000;
      this.#histogram.reset();
      this.#serverCpuMicros = sumCpuMicros(this.#options.serverPids);
      this.#ownCpuMicros = ownCpuMicros();
    } else if (this.#phase === "window") {
      this.#phase = "drain";
      this.#phaseEndsMs = nowMs + DRAIN_MS;
      this.#figures = this.#measure(nowMs - this.#windowStartedMs);
    } else if (this.#phase === "drain") {
      this.#finish(new Error(`${this.#underWay} requests were never answered`));
    }
  }

  #measure(windowMs: number): Figures {
    const histogram = this.#histogram;
    const serverCpuMicros = sumCpuMicros(this.#options.serverPids) - this.#serverCpuMicros;
    return {
      throughput: histogram.count / (windowMs / 1000),
      mean: histogram.meanMs,
      p50: histogram.percentileMs(0.5),
      p99: histogram.percentileMs(0.99),
      p999: histogram.percentileMs(0.999),
      max: histogram.maxMs,
      cpu: serverCpuMicros / histogram.count,
      generatorBusy: (ownCpuMicros() - this.#ownCpuMicros) / (windowMs * 1000),
    };
  }

  #drain(): void {
    if (this.#underWay === 0) this.#finish();
  }

  #finish(error?: Error): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    clearInterval(this.#timer);
    if (error === undefined) this.#resolve({ ...this.#figures, failed: this.#failed });
    else this.#reject(error);
  }
}

export function ownCpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
