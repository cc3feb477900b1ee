/** Runs one case once on one cluster, from fresh data directories to its figures. */
import type {
  CaseSpec,
  CatchUpCase,
  FailoverCase,
  Figures,
  RequestCase,
  WatchCase,
} from "./cases.ts";
import { VALUE_BYTES } from "./cases.ts";
import { ClusterHome, pause } from "./cluster-home.ts";
import { GeneratorProcess } from "./generator-process.ts";
import type { Job } from "./load/jobs.ts";
import { PeakWatch, readMemory } from "./process-stats.ts";
import { median } from "./ratio.ts";
import { type GapFigures, RetryingPuts } from "./retrying-puts.ts";
import type { RunSettings } from "./runner.ts";
import type { ServerProgram } from "./targets.ts";

const SETTLE_MS = 2_000;
/** Three processes share the cores, so that each takes longer to be warm. */
const WARMUP_FACTOR = 2;
/** Puts a second beside which members come and go; a gap is known to a millisecond. */
const FAILOVER_RATE = 1_000;
/** Between two faults, so that etcd's health of a member that came back is not in doubt. */
const BETWEEN_MS = 1_500;
const ACKNOWLEDGED_AFTER = 200;
const CATCH_UP_RATE = 500;
/** Small, so that the log holds more entries than are kept for a member that fell behind. */
const CATCH_UP_PUTS_PER_TXN = 10;
/** etcd 3.4's default of 100 000 would send the whole log instead of a snapshot. */
const CATCH_UP_FLAGS = ["--snapshot-count=1000"];
const CATCH_UP_MS_MAX = 600_000;
const STATUS_EVERY_MS = 20;
const PEAK_WATCH_MS = 5;

export async function runClusterCase(
  spec: CaseSpec,
  program: ServerProgram,
  settings: RunSettings,
): Promise<Figures> {
  const flags = spec.kind === "catch-up" ? CATCH_UP_FLAGS : [];
  const home = await ClusterHome.make(program, spec.members ?? 1, settings.directory, flags);
  const generator = new GeneratorProcess();
  try {
    await home.start();
    const bench = new ClusterBench(home, generator, settings);
    switch (spec.kind) {
      case "requests":
        return await bench.requests(spec);
      case "watch":
        return await bench.watch(spec);
      case "failover":
        return await bench.failover(spec);
      case "catch-up":
        return await bench.catchUp(spec);
      default:
        throw new Error(`${spec.name} is for one member`);
    }
  } finally {
    generator.stop();
    await home.remove();
  }
}

class ClusterBench {
  readonly #home: ClusterHome;
  readonly #generator: GeneratorProcess;
  readonly #settings: RunSettings;

  constructor(home: ClusterHome, generator: GeneratorProcess, settings: RunSettings) {
    this.#home = home;
    this.#generator = generator;
    this.#settings = settings;
  }

  /** A job's figures, or the end of a member if that comes first. */
  #ask(job: Job): Promise<Figures> {
    return Promise.race([this.#generator.ask(job), this.#home.ended]);
  }

  /** Of the member that used most. */
  #peakRss(): number {
    return Math.max(...this.#home.pids.map((pid) => readMemory(pid).peakRssBytes));
  }

  async requests(spec: RequestCase): Promise<Figures> {
    if (spec.preloadKeys > 0) {
      await this.#preload(spec.preloadKeys, VALUE_BYTES);
      await this.#home.restart();
    }
    const leader = await this.#home.leader();
    const others = this.#home.ports.filter((port) => port !== leader.clientPort);
    // One client alone is always at the leader, so that no two runs differ by chance.
    let ports = [leader.clientPort, ...others];
    if (spec.spread === "leader") ports = [leader.clientPort];
    else if (spec.spread === "follower") ports = others.slice(0, 1);
    const figures = await this.#ask({
      kind: "requests",
      port: leader.clientPort,
      ports,
      operation: spec.operation,
      clients: spec.clients,
      connections: spec.connections,
      preloadKeys: spec.preloadKeys,
      warmupSeconds: WARMUP_FACTOR * this.#settings.warmupSeconds,
      seconds: this.#settings.seconds,
      rate: this.#settings.rate,
      serverPids: this.#home.pids,
      seed: this.#settings.seed,
    });
    return { ...figures, peakRss: this.#peakRss() };
  }

  async #preload(keys: number, valueBytes: number, putsPerTxn?: number): Promise<void> {
    const { clientPort: port } = await this.#home.leader();
    const more = putsPerTxn === undefined ? {} : { putsPerTxn };
    await this.#ask({ kind: "preload", port, keys, valueBytes, order: "ordered", ...more });
    await pause(SETTLE_MS);
  }

  async watch(spec: WatchCase): Promise<Figures> {
    const { ports } = this.#home;
    const figures = await this.#ask({
      kind: "watch",
      port: ports[0] as number,
      ports,
      watchers: spec.watchers,
      connections: spec.connections,
      aheadMax: spec.aheadMax,
      warmupSeconds: WARMUP_FACTOR * this.#settings.warmupSeconds,
      seconds: this.#settings.seconds,
      serverPids: this.#home.pids,
    });
    return { ...figures, peakRss: this.#peakRss() };
  }

  async failover(spec: FailoverCase): Promise<Figures> {
    const puts = new RetryingPuts(this.#home.ports, FAILOVER_RATE);
    try {
      await puts.more(FAILOVER_RATE * Math.max(0.1, this.#settings.warmupSeconds));
      const rounds: GapFigures[] = [];
      const startedMs = performance.now();
      for (let time = 0; time < spec.times; time += 1) {
        const doomed = spec.way === "rolling" ? this.#home.members : [await this.#home.leader()];
        for (const member of doomed) {
          puts.reset();
          if (spec.way === "kill") await member.kill();
          else await member.stop();
          await puts.more(ACKNOWLEDGED_AFTER);
          // Starting a process takes the cores from the others: not part of the gap at a fault.
          const atFault = puts.figures();
          member.launch();
          await member.ready();
          const whole = puts.figures();
          rounds.push(spec.way === "rolling" ? whole : { ...whole, gapMs: atFault.gapMs });
          if (spec.way !== "rolling") await pause(BETWEEN_MS);
        }
      }
      const rollMs = performance.now() - startedMs;
      puts.reset();
      await puts.stop();
      const gaps = rounds.map((round) => round.gapMs);
      const sum = (of: (round: GapFigures) => number): number =>
        rounds.reduce((total, round) => total + of(round), 0);
      return {
        gap: median(gaps),
        gapWorst: Math.max(...gaps),
        retried: sum((round) => round.retried),
        lostWrites: sum((round) => round.failed) + puts.figures().failed,
        ...(spec.way === "rolling" ? { rollSeconds: rollMs / 1000 } : {}),
      };
    } finally {
      puts.abandon();
    }
  }

  async catchUp(spec: CatchUpCase): Promise<Figures> {
    const loadedMs = performance.now();
    await this.#preload(spec.keys, spec.valueBytes, CATCH_UP_PUTS_PER_TXN);
    const loadSeconds = (performance.now() - loadedMs - SETTLE_MS) / 1000;
    const puts = new RetryingPuts(this.#home.ports, CATCH_UP_RATE);
    const learner = await this.#home.learner();
    try {
      await puts.more(CATCH_UP_RATE * Math.max(0.1, this.#settings.warmupSeconds));
      puts.reset();
      await pause(this.#settings.seconds * 1000);
      const idle = puts.figures();
      const goal = (await (await this.#home.leader()).status())?.index ?? 0n;
      puts.reset();
      const memory = this.#home.pids.map((pid) => ({
        before: readMemory(pid).anonymousBytes,
        watch: new PeakWatch(pid, PEAK_WATCH_MS),
      }));
      const startedMs = performance.now();
      const { ended } = learner.launch();
      const caughtUp = async (): Promise<void> => {
        while (((await learner.status())?.appliedIndex ?? 0n) < goal) {
          if (performance.now() - startedMs > CATCH_UP_MS_MAX) throw new Error("never caught up");
          await pause(STATUS_EVERY_MS);
        }
      };
      await Promise.race([caughtUp(), ended, this.#home.ended]).finally(() => {
        for (const { watch } of memory) watch.stop();
      });
      const catchUpSeconds = (performance.now() - startedMs) / 1000;
      const busy = puts.figures();
      return {
        loadSeconds,
        catchUpSeconds,
        idleMean: idle.meanMs,
        putSlowdown: busy.meanMs / idle.meanMs,
        gap: busy.gapMs,
        lostWrites: busy.failed,
        growth: Math.max(...memory.map(({ before, watch }) => watch.stop() - before)),
        peakRss: this.#peakRss(),
      };
    } finally {
      puts.abandon();
      await learner.kill();
    }
  }
}
