/**
 * `npm run explore [-- --depth N --seconds S --terms T ...]`: every state of three members up to a
 * depth. Says how many there are; exits with 1 when one of them breaks a promise of Raft.
 */
import { parseArgs } from "node:util";
import { explore, type ExploreOptions } from "./explorer.ts";
import { SCOPES } from "./scopes.ts";

const { values } = parseArgs({
  options: {
    scope: { type: "string" },
    depth: { type: "string" },
    seconds: { type: "string", default: "60" },
    states: { type: "string", default: "3000000" },
    terms: { type: "string" },
    crashes: { type: "string" },
  },
});

const chosen = SCOPES.filter(({ name }) => values.scope === undefined || values.scope === name);
if (chosen.length === 0) {
  console.error(
    `there is no scope "${values.scope}"; there are ${SCOPES.map(({ name }) => name).join(", ")}`,
  );
  process.exit(2);
}
for (const { name, options } of chosen) {
  const asked: ExploreOptions = {
    ...options,
    depthMax: Number(values.depth ?? 1_000),
    secondsMax: Number(values.seconds),
    statesMax: Number(values.states),
    termMax: Number(values.terms ?? options.termMax),
    crashesMax: Number(values.crashes ?? options.crashesMax),
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
