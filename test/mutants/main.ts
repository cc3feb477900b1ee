/**
 * `npm run mutants`: looks for every mutant and prints which were caught, by which check, after how
 * many seeds. Exits with 1 when one lives.
 */
import { flagsOf, misused } from "../harness/arguments.ts";
import { MUTANTS } from "./list.ts";
import { Copy, ROOT } from "./mutant.ts";
import { hunt } from "./runner.ts";

const USAGE = `npm run mutants -- [options]
  --only a,b     those whose names contain one of these
  --seeds N      looked at for each, at most (default 1000)
  --first N      the first seed (default 1)
  --minutes M    for each, at most (default 30)
  --source DIR   the sources to change a copy of (default: this repository)
  --texts        the story of each mutant, and what was found

There are: ${MUTANTS.map(({ name }) => name).join(" ")}`;

const flags = flagsOf(
  {
    only: { type: "string" },
    seeds: { type: "string", default: "1000" },
    first: { type: "string", default: "1" },
    minutes: { type: "string", default: "30" },
    source: { type: "string", default: ROOT },
    texts: { type: "boolean", default: false },
  },
  USAGE,
);

const only = flags.only?.split(",");
const chosen = MUTANTS.filter(
  ({ name }) => only === undefined || only.some((one) => name.includes(one)),
);
if (chosen.length === 0) misused(`no mutant "${flags.only}"`, USAGE);
const copy = new Copy(flags.source);
process.on("exit", () => copy.dispose());
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
let living = 0;
console.log("| mutant | caught by | after | seconds |\n|---|---|---|---|");
for (const mutant of chosen) {
  const { found, seconds } = await hunt(copy, mutant, {
    firstSeed: Number(flags.first),
    seeds: Number(flags.seeds),
    minutesMax: Number(flags.minutes),
  });
  const by = found.isCaught ? found.check : "**lives**";
  console.log(`| ${mutant.name} | ${by} | ${found.tried} | ${seconds.toFixed(1)} |`);
  if (flags.texts) console.log(`${mutant.story}\n${found.text}\n`);
  if (!found.isCaught) living += 1;
}
console.log(`${chosen.length} mutants, ${living} live`);
process.exitCode = living === 0 ? 0 : 1;
