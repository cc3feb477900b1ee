/** The program behind `npm run sim`. */
import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { flagsOf, misused, positive } from "../harness/arguments.ts";
import { readCase, writeCase } from "./cases.ts";
import { FAULT_KINDS, type FaultKind } from "./faults/kinds.ts";
import { minimise } from "./minimise.ts";
import type { Figures, Outcome } from "./outcome.ts";
import type { Plan } from "./plan.ts";
import { oneLine, Totals } from "./report.ts";
import { simulate } from "./simulate.ts";

const USAGE = `npm run sim -- [options]
  --seed N       the first seed (default 1, or the one after the last of --results)
  --runs K       how many seeds (default 10)
  --minutes M    simulated minutes with faults, each run (default 1)
  --members N    1, 3 or 5 (default: the seed chooses)
  --faults a,b   only these kinds: ${FAULT_KINDS.join(" ")}
                 (--faults none: none at all)
  --trace FILE   every message, call, fault and log line of the (last) run
  --replay FILE  the run of a case that was kept, instead of seeds
  --results FILE one line for each run is added; the totals are of all its lines
  --out DIR      where a failing run's smallest case goes (default .cache/sim)
  --smaller K    runs spent on making a failing plan smaller (default 200)
  --quiet        only failures and totals`;

const LINES_SHOWN = 60;

function parse() {
  return flagsOf(
    {
      seed: { type: "string" },
      runs: { type: "string", default: "10" },
      minutes: { type: "string", default: "1" },
      members: { type: "string" },
      faults: { type: "string" },
      trace: { type: "string" },
      replay: { type: "string" },
      results: { type: "string" },
      out: { type: "string", default: ".cache/sim" },
      smaller: { type: "string", default: "200" },
      quiet: { type: "boolean", default: false },
    },
    USAGE,
  );
}

type Flags = ReturnType<typeof parse>;

function kindsOf(text: string): readonly FaultKind[] {
  if (text === "none") return [];
  return text.split(",").map((name) => {
    const kind = FAULT_KINDS.find((known) => known === name);
    return kind ?? misused(`--faults: there is no kind "${name}"`, USAGE);
  });
}

interface ResultLine {
  readonly seed: number;
  readonly commit: string;
  readonly members: number;
  readonly ok: boolean;
  readonly figures: Figures;
}

function resultsOf(path: string | undefined): ResultLine[] {
  if (path === undefined || !existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as ResultLine);
}

function commitNow(): string {
  const found = spawnSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" });
  return found.status === 0 ? found.stdout.trim() : "unknown";
}

/** Prints what is needed to see it again, and keeps the smallest plan that still fails so. */
async function explain(outcome: Outcome, commit: string, flags: Flags): Promise<void> {
  const { seed, plan, failure } = outcome;
  console.log(`\nseed ${seed}, commit ${commit}: ${failure?.check}\n${failure?.message}`);
  console.log("looking for a smaller plan ...");
  const stillFails = async (candidate: Plan) =>
    (await simulate({ seed, plan: candidate })).failure?.check === failure?.check;
  const smallest = await minimise(plan, stillFails, { runsMax: Number(flags.smaller) });
  const base = join(flags.out, `seed-${seed}-members-${plan.members}`);
  const check = failure?.check ?? "unknown";
  const story = failure?.message.split("\n")[0] ?? "";
  writeCase(`${base}.json`, { story, commit, check, plan: smallest.plan });
  const again = await simulate({ seed, plan: smallest.plan, traceFile: `${base}.trace` });
  console.log(
    `${plan.faults.length} faults became ${smallest.plan.faults.length} in ` +
      `${smallest.runs} runs:`,
  );
  for (const { atMs, kind, lengthMs } of smallest.plan.faults) {
    console.log(`  at ${atMs} ms ${kind} for ${lengthMs} ms`);
  }
  console.log(again.failure?.message.split("\n").slice(0, LINES_SHOWN).join("\n"));
  console.log(`again: npm run sim -- --replay ${base}.json\ntrace: ${base}.trace\n`);
}

async function replay(path: string, flags: Flags): Promise<boolean> {
  const kept = readCase(path);
  console.log(`${kept.story} (${kept.check}, commit ${kept.commit})`);
  const outcome = await simulate({
    seed: kept.plan.seed,
    plan: kept.plan,
    traceFile: flags.trace ?? path.replace(/\.json$/, ".trace"),
  });
  console.log(oneLine(outcome));
  if (outcome.failure !== undefined) console.log(outcome.failure.message);
  return outcome.ok;
}

async function runSeeds(flags: Flags): Promise<boolean> {
  const before = resultsOf(flags.results);
  const lastSeed = Math.max(0, ...before.map(({ seed }) => seed));
  const first = flags.seed === undefined ? lastSeed + 1 : positive("seed", flags.seed, USAGE);
  const count = positive("runs", flags.runs, USAGE);
  const commit = commitNow();
  const totals = new Totals();
  for (const line of before) totals.add(line);
  let isClean = true;
  for (let seed = first; seed < first + count; seed += 1) {
    const outcome = await simulate({
      seed,
      simulatedMs: positive("minutes", flags.minutes, USAGE) * 60_000,
      ...(flags.members === undefined
        ? {}
        : { members: positive("members", flags.members, USAGE) }),
      ...(flags.faults === undefined ? {} : { faults: kindsOf(flags.faults) }),
      ...(flags.trace === undefined ? {} : { traceFile: flags.trace }),
    });
    totals.add(outcome);
    if (!flags.quiet || !outcome.ok) console.log(oneLine(outcome));
    const { ok, figures, plan } = outcome;
    if (flags.results !== undefined) {
      const line: ResultLine = { seed, commit, members: plan.members, ok, figures };
      appendFileSync(flags.results, `${JSON.stringify(line)}\n`);
    }
    if (!ok) {
      isClean = false;
      await explain(outcome, commit, flags);
    }
  }
  console.log(totals.lines().join("\n"));
  return isClean;
}

const flags = parse();
const isClean =
  flags.replay === undefined ? await runSeeds(flags) : await replay(flags.replay, flags);
process.exitCode = isClean ? 0 : 1;
