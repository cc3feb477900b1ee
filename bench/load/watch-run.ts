/**
 * One writer and many watchers of one key. The writer puts, waits until all watchers together have
 * had as many events as it allows to be missing, and puts again; what counts are events delivered.
 *
 * With `aheadMax` 1 each put is on its way to all watchers before the next one is made: that
 * measures the fan-out of single events. A larger one lets a server join several events in one
 * message to a watcher that lags.
 */
import {
  emptyPutRequest,
  encodePutRequest,
  encodeWatchRequest,
  marshal,
} from "../../src/wire/index.ts";
import { type Figures, WATCH_VALUE_BYTES } from "../cases.ts";
import { LatencyHistogram } from "../histogram.ts";
import { sumCpuMicros } from "../process-stats.ts";
import { type Caller, type Channel, KV_PUT, type OpenStream, WATCH } from "./channel.ts";
import { Http2Channel } from "./http2-channel.ts";
import type { WatchJob } from "./jobs.ts";
import { ownCpuMicros } from "./request-run.ts";
import { connectAll } from "./requests.ts";
import { readWatchResponse, watchSummary } from "./watch-response.ts";

const KEY = "watched!";
const TICK_MS = 5;
const SETUP_MS = 60_000;

export async function runWatch(job: WatchJob): Promise<Figures> {
  const channels = await connectAll(job.ports, job.connections);
  const writer = await Http2Channel.connect(job.port);
  try {
    const run = new WatchRun(job, writer);
    await run.watch(channels);
    return await run.start();
  } finally {
    for (const channel of [...channels, writer]) channel.close();
  }
}

class WatchRun {
  readonly #job: WatchJob;
  readonly #writer: Channel;
  readonly #put: Buffer;
  readonly #histogram = new LatencyHistogram();
  #created = 0;
  #onCreated: () => void = () => {};
  #puts = 0;
  #isPutUnderWay = false;
  /** Of puts whose events have not all come, oldest first. */
  readonly #putMs: number[] = [];
  #putsDelivered = 0;
  #delivered = 0;
  #phase: "warm-up" | "window" | "over" = "warm-up";
  #phaseEndsMs = 0;
  #windowStartedMs = 0;
  #deliveredBefore = 0;
  #serverCpuMicros = 0;
  #ownCpuMicros = 0;
  #resolve: (figures: Figures) => void = () => {};
  #reject: (error: Error) => void = () => {};
  #timer: NodeJS.Timeout | undefined;

  constructor(job: WatchJob, writer: Channel) {
    this.#job = job;
    this.#writer = writer;
    const value = Buffer.alloc(WATCH_VALUE_BYTES, "v");
    this.#put = marshal(encodePutRequest, { ...emptyPutRequest(), key: KEY, value });
  }

  /** Resolves when every watcher is registered. */
  async watch(channels: readonly Channel[]): Promise<void> {
    const create = marshal(encodeWatchRequest, {
      kind: "create",
      create: {
        key: KEY,
        rangeEnd: "",
        startRevision: 0,
        progressNotify: false,
        filters: [],
        prevKv: false,
        watchId: 0,
        fragment: false,
      },
    });
    const created = new Promise<void>((resolve, reject) => {
      this.#onCreated = resolve;
      this.#reject = reject;
      const message = "not all watchers were registered in time";
      setTimeout(() => reject(new Error(message)), SETUP_MS).unref();
    });
    const caller: Caller = {
      onMessage: (bytes, lo, hi) => this.#received(bytes, lo, hi),
      onEnd: (code, text) => this.#fail(`a watch stream ended: ${code}: ${text}`),
    };
    const streams: OpenStream[] = channels.map((channel) => channel.stream(WATCH, caller));
    for (let watcher = 0; watcher < this.#job.watchers; watcher += 1) {
      (streams[watcher % streams.length] as OpenStream).send(create);
    }
    await created;
  }

  start(): Promise<Figures> {
    const done = new Promise<Figures>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#phaseEndsMs = performance.now() + this.#job.warmupSeconds * 1000;
    this.#timer = setInterval(() => this.#tick(performance.now()), TICK_MS);
    this.#write();
    return done;
  }

  readonly #putCaller: Caller = {
    onMessage() {},
    onEnd: (code, text) => {
      if (code !== 0) this.#fail(`a put failed: ${code}: ${text}`);
      this.#isPutUnderWay = false;
      this.#write();
    },
  };

  #write(): void {
    if (this.#isPutUnderWay || this.#phase === "over") return;
    if (this.#puts - this.#putsDelivered >= this.#job.aheadMax) return;
    this.#isPutUnderWay = true;
    this.#puts += 1;
    this.#putMs.push(performance.now());
    this.#writer.unary(KV_PUT, this.#put, this.#putCaller);
  }

  #received(bytes: Buffer, lo: number, hi: number): void {
    readWatchResponse(bytes, lo, hi, watchSummary);
    if (watchSummary.created && !watchSummary.canceled) {
      this.#created += 1;
      if (this.#created === this.#job.watchers) this.#onCreated();
      return;
    }
    if (watchSummary.canceled) {
      this.#fail("a watch was canceled");
      return;
    }
    this.#delivered += watchSummary.events;
    if (this.#delivered < (this.#putsDelivered + 1) * this.#job.watchers) return;
    const nowMs = performance.now();
    while (this.#delivered >= (this.#putsDelivered + 1) * this.#job.watchers) {
      this.#putsDelivered += 1;
      const putMs = this.#putMs.shift() ?? nowMs;
      if (this.#phase === "window") this.#histogram.record(nowMs - putMs);
    }
    this.#tick(nowMs);
    this.#write();
  }

  #tick(nowMs: number): void {
    if (nowMs < this.#phaseEndsMs || this.#phase === "over") return;
    if (this.#phase === "warm-up") {
      this.#phase = "window";
      this.#windowStartedMs = nowMs;
      this.#phaseEndsMs = nowMs + this.#job.seconds * 1000;
      this.#deliveredBefore = this.#delivered;
      this.#serverCpuMicros = sumCpuMicros(this.#job.serverPids);
      this.#ownCpuMicros = ownCpuMicros();
      return;
    }
    this.#phase = "over";
    clearInterval(this.#timer);
    this.#resolve(this.#measure(nowMs - this.#windowStartedMs));
  }

  #measure(windowMs: number): Figures {
    const events = this.#delivered - this.#deliveredBefore;
    const histogram = this.#histogram;
    return {
      throughput: events / (windowMs / 1000),
      mean: histogram.meanMs,
      p50: histogram.percentileMs(0.5),
      p99: histogram.percentileMs(0.99),
      p999: histogram.percentileMs(0.999),
      max: histogram.maxMs,
      cpu: (sumCpuMicros(this.#job.serverPids) - this.#serverCpuMicros) / events,
      generatorBusy: (ownCpuMicros() - this.#ownCpuMicros) / (windowMs * 1000),
      failed: 0,
    };
  }

  #fail(message: string): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    clearInterval(this.#timer);
    this.#reject(new Error(message));
  }
}
