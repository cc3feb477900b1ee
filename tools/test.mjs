/**
 * `npm test [-- pattern ...]`: sets up, checks types, lint and format, and runs the tests.
 *
 * With patterns only the matching test files run, without the checks; a pattern that is in no
 * file's path selects tests by name instead. `--long` raises the run counts of the suites that
 * have one, `--seed N` fixes the seed of every random test, `--minutes N` ends the run in time.
 */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { bin, fail, filesBelow, nodePath, ROOT, runInForeground, say, setUp } from "./setup.mjs";

const LONG = {
  FUZZ_RUNS: "200000",
  PROP_RUNS: "20000",
  CRASH_RUNS: "50",
  ROBUSTNESS_RUNS: "20",
  DIFF_RUNS: "100000",
  SIM_SEEDS: "1000",
  SIM_MS: "60000",
  LIVES_SCHEDULES: "10000",
  TIME_TRAVEL_RUNS: "100",
  TIME_TRAVEL_HISTORIES: "1000",
  CARE_RUNS: "50",
  BYTES_RUNS: "50",
  HEAL_MB: "100",
  LONG_SUITE: "1",
};
const CONCURRENCY = "2";
/** A file that takes longer hangs. */
const FILE_MINUTES_MAX = { short: 10, long: 90 };

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        long: { type: "boolean", default: false },
        seed: { type: "string" },
        minutes: { type: "string" },
        "check-only": { type: "boolean", default: false },
      },
    });
  } catch (error) {
    return fail(`${error.message}; known are --long, --seed N, --minutes N, --check-only`, 2);
  }
}

/** The three checks, each by its own program; all run, so that one run shows everything. */
function check() {
  const checks = [
    ["types", bin("tsc"), ["-p", "tsconfig.json"]],
    ["lint", bin("oxlint"), ["--type-aware", "--quiet"]],
    ["format", bin("biome"), ["format", "."]],
  ];
  const failed = [];
  for (const [name, program, args] of checks) {
    const result = spawnSync(program, args, { cwd: ROOT, encoding: "utf8" });
    if (result.status === 0) continue;
    process.stdout.write(`${result.stdout}${result.stderr}`);
    failed.push(name);
  }
  if (failed.length > 0) say(`checks failed: ${failed.join(", ")}`);
  else say("types, lint and format are in order");
  return failed.length === 0;
}

/** The files to run, and the arguments that select tests by name. */
function select(patterns) {
  const all = ["src", "test", "tools", "bench"]
    .flatMap((directory) => filesBelow(directory))
    .filter((path) => path.endsWith(".test.ts"));
  if (patterns.length === 0) return { files: all, names: [] };
  const files = all.filter((path) => patterns.some((pattern) => path.includes(pattern)));
  if (files.length > 0) return { files, names: [] };
  return { files: all, names: patterns.map((pattern) => `--test-name-pattern=${pattern}`) };
}

const { values, positionals } = parse();
process.chdir(ROOT);
const built = setUp();

const env = { ...process.env };
if (values.long) for (const [name, value] of Object.entries(LONG)) env[name] ??= value;
if (values.seed !== undefined) env.SEED = values.seed;
else if (values.long) env.SEED ??= String(randomInt(2 ** 31));
const shown = [...Object.keys(LONG), "SEED"].filter((name) => env[name] !== undefined);
if (shown.length > 0) say(shown.map((name) => `${name}=${env[name]}`).join(" "));

const narrowed = positionals.length > 0;
const passed = narrowed || (check() && built);
if (values["check-only"]) process.exit(passed ? 0 : 1);

const { files, names } = select(positionals);
const timeoutMs = (values.long ? FILE_MINUTES_MAX.long : FILE_MINUTES_MAX.short) * 60_000;
const limits = [`--test-concurrency=${CONCURRENCY}`, `--test-timeout=${timeoutMs}`];
const args = ["--test", ...limits, ...names, ...files];
let timer;
if (values.minutes !== undefined) {
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) fail(`--minutes "${values.minutes}" is not a positive number`, 2);
  timer = setTimeout(() => {
    say(`the time budget of ${minutes} minutes is spent: ending the run`);
    process.kill(process.pid, "SIGTERM");
  }, minutes * 60_000);
}
const code = await runInForeground(nodePath(), args, env);
clearTimeout(timer);
process.exitCode = code !== 0 ? code : passed ? 0 : 1;
