/** The command line of `npm run bench`. */
import { parseArgs } from "node:util";
import { CASES, type CaseSpec } from "./cases.ts";

export type TargetName = "etcd" | "holdfast";

export interface BenchArgs {
  readonly cases: readonly CaseSpec[];
  readonly targets: readonly TargetName[];
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly rounds: number;
  /** Requests per second of the fixed-rate mode; 0 = closed loop. */
  readonly rate: number;
  /** Connections of a case at most. */
  readonly connectionsMax: number;
  /** Whether the generator is run against a server that answers at once. */
  readonly hasNullRun: boolean;
  readonly jsonPath: string | undefined;
  /** Files that `--json` wrote: their figures instead of a run. */
  readonly fromPaths: readonly string[];
  readonly writesResults: boolean;
  /** Where Holdfast's CPU profiles go. */
  readonly profileDirectory: string | undefined;
  /** Parent of the data directories. */
  readonly directory: string | undefined;
  readonly etcdPath: string;
  readonly holdfastPath: string | undefined;
}

export class UsageError extends Error {}

export const USAGE = `npm run bench -- [flags]
  --cases A,B        these cases, or "all" (default: all); a name or the start of one
  --members N        of "all" the cases with N members: 1 or 3 (default 1)
  --target T         holdfast, etcd or both (default both)
  --seconds N        measured window of a case (default 5)
  --warmup N         seconds before it that do not count (default 3)
  --rounds N         times that each case runs on each target, in turn (default 2)
  --rate N           requests per second at fixed times, instead of as fast as answers come
  --connections N    at most N connections, with all clients on them (default 100)
  --no-null          leave out the generator's own ceiling (its run against a null server)
  --json FILE        all figures of all rounds as JSON
  --from A,B         run nothing: the tables of figures that --json wrote, put together
  --write            put the tables into bench/RESULTS.md
  --profile DIR      write Holdfast's CPU profiles there (they slow it down a little)
  --directory DIR    where the data directories are made (default: the temporary directory)
  --etcd FILE        etcd's program (default /usr/bin/etcd)
  --holdfast FILE    Holdfast's program (default bin/holdfast)
  --list             name the cases and end
  --help             this
`;

const OPTIONS = {
  cases: { type: "string", default: "all" },
  members: { type: "string", default: "1" },
  target: { type: "string", default: "both" },
  seconds: { type: "string", default: "5" },
  warmup: { type: "string", default: "3" },
  rounds: { type: "string", default: "2" },
  rate: { type: "string", default: "0" },
  connections: { type: "string", default: "100" },
  "no-null": { type: "boolean", default: false },
  json: { type: "string" },
  from: { type: "string" },
  write: { type: "boolean", default: false },
  profile: { type: "string" },
  directory: { type: "string" },
  etcd: { type: "string", default: "/usr/bin/etcd" },
  holdfast: { type: "string" },
} as const;

/** Errors: UsageError with one line that says what was found and what is wanted. */
export function parseBenchArgs(args: readonly string[]): BenchArgs {
  const values = parse(args);
  return {
    cases: selectCases(values.cases, membersOf(values.members)),
    targets: targetsOf(values.target),
    seconds: numberOf("--seconds", values.seconds, 0.1, 3600),
    warmupSeconds: numberOf("--warmup", values.warmup, 0, 3600),
    rounds: wholeOf("--rounds", values.rounds, 1, 100),
    rate: numberOf("--rate", values.rate, 0, 10_000_000),
    connectionsMax: wholeOf("--connections", values.connections, 1, 10_000),
    hasNullRun: !values["no-null"],
    jsonPath: values.json,
    fromPaths: values.from === undefined ? [] : values.from.split(","),
    writesResults: values.write,
    profileDirectory: values.profile,
    directory: values.directory,
    etcdPath: values.etcd,
    holdfastPath: values.holdfast,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** In the order of CASES, each once. A name that no case has may be the start of several. */
export function selectCases(list: string, members = 1): CaseSpec[] {
  const wanted = new Set<CaseSpec>();
  for (const name of list.split(",").map((text) => text.trim())) {
    const exact = CASES.filter((spec) => spec.name === name);
    const found =
      name === "all"
        ? CASES.filter((spec) => spec.isExtra !== true && (spec.members ?? 1) === members)
        : exact.length > 0
          ? exact
          : CASES.filter((spec) => name !== "" && spec.name.startsWith(name));
    if (found.length === 0) {
      const known = CASES.map((spec) => spec.name).join(", ");
      throw new UsageError(`--cases: there is no case "${name}"; there are ${known}`);
    }
    for (const spec of found) wanted.add(spec);
  }
  return CASES.filter((spec) => wanted.has(spec));
}

function membersOf(text: string): number {
  if (CASES.some((spec) => String(spec.members ?? 1) === text)) return Number(text);
  throw new UsageError(`--members "${text}" is neither 1 nor 3`);
}

function targetsOf(text: string): TargetName[] {
  if (text === "both") return ["etcd", "holdfast"];
  if (text === "etcd" || text === "holdfast") return [text];
  throw new UsageError(`--target "${text}" is none of holdfast, etcd, both`);
}

function numberOf(flag: string, text: string, least: number, most: number): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value >= least && value <= most) return value;
  throw new UsageError(`${flag} "${text}" is not a number from ${least} to ${most}`);
}

function wholeOf(flag: string, text: string, least: number, most: number): number {
  const value = numberOf(flag, text, least, most);
  if (Number.isInteger(value)) return value;
  throw new UsageError(`${flag} "${text}" is not a whole number`);
}
