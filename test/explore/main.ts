/**
 * `npm run explore`: every state of three members up to a
 * depth. Says how many there are; exits with 1 when one of them breaks a promise of Raft.
 */
import { flagsOf, misused } from "../harness/arguments.ts";
import { explore, type ExploreOptions } from "./explorer.ts";
import { SCOPES } from "./scopes.ts";

const USAGE = `npm run explore -- [options]
  --scope S      only this one: ${SCOPES.map(({ name }) => name).join(" ")}
  --depth N      steps at most (default 1000)
  --seconds S    time at most, each scope (default 60)
  --states N     states at most, each scope (default 3000000)
  --terms T      terms at most (default: the scope's)
  --crashes N    crashes at most (default: the scope's)`;

const flags = flagsOf(
  {
    scope: { type: "string" },
    depth: { type: "string" },
    seconds: { type: "string", default: "60" },
    states: { type: "string", default: "3000000" },
    terms: { type: "string" },
    crashes: { type: "string" },
  },
  USAGE,
);

const chosen = SCOPES.filter(({ name }) => flags.scope === undefined || flags.scope === name);
if (chosen.length === 0) misused(`there is no scope "${flags.scope}"`, USAGE);
for (const { name, options } of chosen) {
  const asked: ExploreOptions = {
    ...options,
    depthMax: Number(flags.depth ?? 1_000),
    secondsMax: Number(flags.seconds),
    statesMax: Number(flags.states),
    termMax: Number(flags.terms ?? options.termMax),
    crashesMax: Number(flags.crashes ?? options.crashesMax),
  };
  const startedMs = performance.now();
  const { states, steps, depth, isComplete, localStates, breach } = explore(asked);
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  console.log(
    `${name}: ${states} states of the cluster, ${localStates} of single members, ${steps} steps, ` +
      `${isComplete ? `all there are (depth ${depth})` : `all up to depth ${depth}`}, ${seconds} s`,
  );
  if (breach === undefined) continue;
  console.log(`${breach.text}\n${breach.path.map((line) => `  ${line}`).join("\n")}`);
  process.exitCode = 1;
}
