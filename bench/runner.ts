/** Runs one case once on one server, from a fresh data directory to its figures. */
import type {
  CaseSpec,
  Figures,
  LargeReadCase,
  RequestCase,
  RestartCase,
  WatchCase,
} from "./cases.ts";
import { VALUE_BYTES } from "./cases.ts";
import { GeneratorProcess } from "./generator-process.ts";
import type { Job, RequestsJob } from "./load/jobs.ts";
import { PeakWatch, readMemory } from "./process-stats.ts";
import { type RunningServer, ServerHome, type ServerProgram } from "./targets.ts";

const READY_SECONDS = 60;
/** After a load, so that background work of the load (commits, collections) is not measured. */
const SETTLE_MS = 2_000;
const PEAK_WATCH_MS = 5;

export interface RunSettings {
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly rate: number;
  /** Other keys in each round, the same for both servers. */
  readonly seed: number;
  /** Parent of the data directory. */
  readonly directory: string | undefined;
}

export async function runCase(
  spec: CaseSpec,
  program: ServerProgram,
  settings: RunSettings,
): Promise<Figures> {
  const home = await ServerHome.make(program, settings.directory);
  const generator = new GeneratorProcess();
  try {
    const bench = new Bench(home, generator, settings);
    await bench.start();
    switch (spec.kind) {
      case "requests":
        return await bench.requests(spec);
      case "watch":
        return await bench.watch(spec);
      case "restart":
        return await bench.restart(spec);
      case "large-read":
        return await bench.largeRead(spec);
      default:
        throw new Error(`${spec.name} needs several members`);
    }
  } finally {
    generator.stop();
    await home.remove();
  }
}

class Bench {
  readonly #home: ServerHome;
  readonly #generator: GeneratorProcess;
  readonly #settings: RunSettings;
  #server: RunningServer | undefined;

  constructor(home: ServerHome, generator: GeneratorProcess, settings: RunSettings) {
    this.#home = home;
    this.#generator = generator;
    this.#settings = settings;
  }

  get #running(): RunningServer {
    if (this.#server === undefined) throw new Error("no server was started");
    return this.#server;
  }

  /** Starts the server and waits until it serves; returns what that took. */
  async start(): Promise<number> {
    const server = await this.#home.start();
    this.#server = server;
    const { restartMs } = await this.#ask(this.#generator, {
      kind: "await-ready",
      port: server.port,
      startedNs: String(server.startedNs),
      timeoutSeconds: READY_SECONDS,
    });
    return restartMs ?? Number.NaN;
  }

  /**
   * Ends the server and starts it on the same data. After a load this puts both servers into the
   * state of one that has its data for long: etcd 3.4 copies a buffer at each read that keeps the
   * size of its largest batch of writes, which makes reads after a bulk load five times as slow.
   */
  async #restart(): Promise<number> {
    await this.#running.stop();
    return await this.start();
  }

  /** A job's figures, or the server's end if that comes first. */
  #ask(generator: GeneratorProcess, job: Job): Promise<Figures> {
    return Promise.race([generator.ask(job), this.#running.ended]);
  }

  async requests(spec: RequestCase): Promise<Figures> {
    if (spec.preloadKeys > 0) {
      await this.#preload(spec.preloadKeys, VALUE_BYTES, "ordered");
      await this.#restart();
    }
    const figures = await this.#ask(this.#generator, this.#requestsJob(spec, this.#settings.rate));
    return { ...figures, peakRss: readMemory(this.#running.pid).peakRssBytes };
  }

  #requestsJob(
    spec: Pick<RequestCase, "operation" | "clients" | "connections" | "preloadKeys">,
    rate: number,
  ): RequestsJob {
    return {
      kind: "requests",
      port: this.#running.port,
      ports: [this.#running.port],
      operation: spec.operation,
      clients: spec.clients,
      connections: spec.connections,
      preloadKeys: spec.preloadKeys,
      warmupSeconds: this.#settings.warmupSeconds,
      seconds: this.#settings.seconds,
      rate,
      serverPids: [this.#running.pid],
      seed: this.#settings.seed,
    };
  }

  async watch(spec: WatchCase): Promise<Figures> {
    const figures = await this.#ask(this.#generator, {
      kind: "watch",
      port: this.#running.port,
      ports: [this.#running.port],
      watchers: spec.watchers,
      connections: spec.connections,
      aheadMax: spec.aheadMax,
      warmupSeconds: this.#settings.warmupSeconds,
      seconds: this.#settings.seconds,
      serverPids: [this.#running.pid],
    });
    return { ...figures, peakRss: readMemory(this.#running.pid).peakRssBytes };
  }

  async restart(spec: RestartCase): Promise<Figures> {
    const loadSeconds = await this.#preload(spec.keys, VALUE_BYTES, "scattered");
    const loaded = readMemory(this.#running.pid);
    const restartMs = await this.#restart();
    await pause(SETTLE_MS);
    const restarted = readMemory(this.#running.pid);
    return {
      loadSeconds,
      restartMs,
      rssAfterLoad: loaded.rssBytes,
      rssAfterRestart: restarted.rssBytes,
      peakRss: Math.max(loaded.peakRssBytes, restarted.peakRssBytes),
    };
  }

  async largeRead(spec: LargeReadCase): Promise<Figures> {
    await this.#preload(spec.keys, spec.valueBytes, "ordered");
    await this.#restart();
    const put = { operation: "put", clients: 1, connections: 1, preloadKeys: 0 } as const;
    const idle = await this.#ask(this.#generator, this.#requestsJob(put, 0));
    const before = readMemory(this.#running.pid);
    const peak = new PeakWatch(this.#running.pid, PEAK_WATCH_MS);
    const reader = new GeneratorProcess();
    try {
      const reading = this.#ask(reader, {
        kind: "large-read",
        port: this.#running.port,
        keys: spec.keys,
        seconds: this.#settings.warmupSeconds + this.#settings.seconds + 1,
      });
      const writing = this.#ask(this.#generator, this.#requestsJob(put, 0));
      const [busy, ranges] = await Promise.all([writing, reading]);
      const idleMean = idle.mean ?? Number.NaN;
      const busyMean = busy.mean ?? Number.NaN;
      const { peakRssBytes } = readMemory(this.#running.pid);
      return {
        ...ranges,
        idleMean,
        busyMean,
        slowdown: busyMean / idleMean,
        p99: busy.p99 ?? Number.NaN,
        max: busy.max ?? Number.NaN,
        growth: peak.stop() - before.anonymousBytes,
        growthWithFiles: peakRssBytes - before.rssBytes,
        peakRss: peakRssBytes,
      };
    } finally {
      peak.stop();
      reader.stop();
    }
  }

  async #preload(
    keys: number,
    valueBytes: number,
    order: "ordered" | "scattered",
  ): Promise<number> {
    const { port } = this.#running;
    const job = { kind: "preload", port, keys, valueBytes, order } as const;
    const { loadSeconds } = await this.#ask(this.#generator, job);
    await pause(SETTLE_MS);
    return loadSeconds ?? Number.NaN;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
