/**
 * Runs inside a patched copy, in a process of its own: `node trial.ts NAME FIRST COUNT`. Prints one
 * line of JSON: what was found, at which seed; or that nothing was.
 */
import { spawnSync } from "node:child_process";
import { explore } from "../explore/explorer.ts";
import { SCOPES } from "../explore/scopes.ts";
import { makePlan } from "../sim/plan.ts";
import { simulate } from "../sim/simulate.ts";
import { mutantNamed } from "./list.ts";
import type { Trial } from "./mutant.ts";

export interface Found {
  readonly isCaught: boolean;
  /** Name of the check, or of the test. */
  readonly check: string;
  readonly text: string;
  /** Seeds that it took, or states, or tests. */
  readonly tried: string;
}

const SIMULATED_MS = 20_000;
const EXPLORE = { depthMax: 1_000, statesMax: 2_000_000, secondsMax: 60 };

async function simulated(
  trial: Extract<Trial, { kind: "simulate" }>,
  first: number,
  count: number,
): Promise<Found> {
  const { members, faults, simulatedMs = SIMULATED_MS, settings, traffic, profile } = trial;
  for (let seed = first; seed < first + count; seed += 1) {
    const made = makePlan({
      seed,
      simulatedMs,
      ...(members === undefined ? {} : { members }),
      ...(faults === undefined ? {} : { faults }),
    });
    const changes = profile === undefined ? {} : { changes: profile };
    const plan = {
      ...made,
      diskDelayMaxMs: trial.diskDelayMaxMs ?? made.diskDelayMaxMs,
      settings: { ...made.settings, ...settings },
      traffic: { ...made.traffic, ...traffic, ...changes },
    };
    const { failure } = await simulate({ seed, plan });
    if (failure === undefined) continue;
    const tried = `${seed - first + 1} seeds`;
    return { isCaught: true, check: failure.check, text: failure.message, tried };
  }
  return { isCaught: false, check: "", text: "", tried: `${count} seeds` };
}

function explored(scope: string): Found {
  const options = SCOPES.find(({ name }) => name === scope)?.options;
  if (options === undefined) throw new Error(`there is no scope "${scope}"`);
  const { breach, states } = explore({ ...options, ...EXPLORE });
  const [check = ""] = breach?.text.split(":") ?? [];
  const tried = `${states} states`;
  return {
    isCaught: breach !== undefined,
    check: `explorer: ${check}`,
    text: breach?.text ?? "",
    tried,
  };
}

function tested(file: string): Found {
  // The test runner tells its children that they are its children.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const result = spawnSync(process.execPath, ["--test", file], { encoding: "utf8", env });
  const text = /^✖ .*$/m.exec(result.stdout)?.[0] ?? "";
  return { isCaught: result.status !== 0, check: file, text, tried: "1 test file" };
}

async function main([name = "", first = "1", count = "100"]: string[]): Promise<void> {
  const { trial } = mutantNamed(name);
  let found: Found;
  if (trial.kind === "simulate") found = await simulated(trial, Number(first), Number(count));
  else found = trial.kind === "explore" ? explored(trial.scope) : tested(trial.file);
  console.log(JSON.stringify({ ...found, text: found.text.slice(0, 1_000) }));
  process.exit(0);
}

await main(process.argv.slice(2));
