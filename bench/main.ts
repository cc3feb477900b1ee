/**
 * `npm run bench`: runs every selected case on etcd and on Holdfast in turn (A B A B), then on a
 * null server for the generator's own ceiling, and prints ratios. README.md explains the method.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BenchArgs, parseBenchArgs, type TargetName, USAGE, UsageError } from "./args.ts";
import { type CaseSpec, CASES } from "./cases.ts";
import { runClusterCase } from "./cluster-runner.ts";
import { report, type Sample } from "./report.ts";
import { collectFacts, resultsPage, type RunFacts } from "./results.ts";
import { runCase, type RunSettings } from "./runner.ts";
import {
  abandonAll,
  etcdProgram,
  holdfastProgram,
  nullProgram,
  type ServerProgram,
} from "./targets.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const RESULTS = fileURLToPath(new URL("RESULTS.md", import.meta.url));
const NULL_SECONDS_MAX = 3;

class Progress {
  readonly #total: number;
  #done = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /** On a terminal only: a line that the next one replaces. */
  step(text: string): void {
    this.#done += 1;
    if (process.stderr.isTTY)
      process.stderr.write(`\r\u001b[K[${this.#done}/${this.#total}] ${text}`);
  }

  line(text: string): void {
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
    process.stderr.write(`${text}\n`);
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  }
}

class Suite {
  readonly samples: Sample[] = [];
  failures = 0;
  readonly #args: BenchArgs;
  readonly #progress: Progress;

  constructor(args: BenchArgs) {
    this.#args = args;
    const nulls = args.hasNullRun ? args.cases.filter(hasNullRun).length : 0;
    const runs = args.cases.length * args.rounds * args.targets.length;
    this.#progress = new Progress(runs + nulls);
  }

  async run(): Promise<void> {
    for (const spec of this.#args.cases) {
      for (let round = 1; round <= this.#args.rounds; round += 1) {
        for (const target of this.#args.targets) await this.#measure(spec, target, round);
      }
      if (this.#args.hasNullRun && hasNullRun(spec)) await this.#measure(spec, "null", 1);
    }
    this.#progress.clear();
  }

  async #measure(spec: CaseSpec, target: Sample["target"], round: number): Promise<void> {
    const { seconds, warmupSeconds, directory } = this.#args;
    const isNull = target === "null";
    this.#progress.step(`${spec.name}, round ${round}, ${target}`);
    const settings: RunSettings = {
      seconds: isNull ? Math.min(seconds, NULL_SECONDS_MAX) : seconds,
      warmupSeconds,
      rate: isNull ? 0 : this.#args.rate,
      seed: round,
      directory,
    };
    try {
      const program = isNull ? nullProgram() : this.#program(target, spec, round);
      // The null server keeps nothing, so that one of it stands for any number of members.
      const runs = isNull || (spec.members ?? 1) === 1 ? runCase : runClusterCase;
      const figures = await runs(this.#limited(spec), program, settings);
      this.samples.push({ caseName: spec.name, target, round, figures });
    } catch (error) {
      this.failures += 1;
      const why = error instanceof Error ? error.message : String(error);
      this.#progress.line(`bench: ${spec.name}, round ${round}, ${target} failed: ${why}`);
    }
  }

  #program(target: TargetName, spec: CaseSpec, round: number): ServerProgram {
    if (target === "etcd") return etcdProgram(this.#args.etcdPath);
    const path = this.#args.holdfastPath ?? join(ROOT, "bin", "holdfast");
    const { profileDirectory } = this.#args;
    if (profileDirectory === undefined) return holdfastProgram(path, undefined);
    const into = join(profileDirectory, `${spec.name}-${round}`);
    mkdirSync(into, { recursive: true });
    return holdfastProgram(path, into);
  }

  #limited(spec: CaseSpec): CaseSpec {
    if (spec.kind !== "requests" && spec.kind !== "watch") return spec;
    return { ...spec, connections: Math.min(spec.connections, this.#args.connectionsMax) };
  }
}

function hasNullRun(spec: CaseSpec): boolean {
  return spec.kind === "requests" || spec.kind === "watch";
}

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes("--help")) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (argv.includes("--list")) {
    process.stdout.write(CASES.map((spec) => `${spec.name.padEnd(20)}${spec.title}\n`).join(""));
    return 0;
  }
  const args = parseBenchArgs(argv);
  const { facts, samples, failures } =
    args.fromPaths.length > 0 ? readRuns(args.fromPaths) : await measure(args, argv);
  const tables = report(samples);
  process.stdout.write(`${facts.machine}; Node ${facts.node}; etcd ${facts.etcd}\n\n${tables}`);
  if (args.jsonPath !== undefined) {
    writeFileSync(args.jsonPath, `${JSON.stringify({ facts, samples }, null, 2)}\n`);
  }
  if (args.writesResults) writeFileSync(RESULTS, resultsPage(facts, tables));
  return failures === 0 ? 0 : 1;
}

interface Run {
  readonly facts: RunFacts;
  readonly samples: readonly Sample[];
  readonly failures: number;
}

async function measure(args: BenchArgs, argv: readonly string[]): Promise<Run> {
  const suite = new Suite(args);
  await suite.run();
  const { samples, failures } = suite;
  return { facts: collectFacts(argv, args.etcdPath), samples, failures };
}

/** Facts are those of the last file; a case that stands in several keeps its last figures. */
function readRuns(paths: readonly string[]): Run {
  let samples: Sample[] = [];
  let facts: RunFacts | undefined;
  for (const path of paths) {
    const run = JSON.parse(readFileSync(path, "utf8")) as Run;
    const names = new Set(run.samples.map((sample) => sample.caseName));
    samples = [...samples.filter((sample) => !names.has(sample.caseName)), ...run.samples];
    facts = run.facts;
  }
  if (facts === undefined) throw new UsageError("--from names no file");
  return { facts, samples, failures: 0 };
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.on(signal, () => {
    abandonAll();
    process.exit(code);
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`bench: ${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
