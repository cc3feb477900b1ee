/**
 * `npm run mutants [-- --only NAME --seeds N --first N --source DIR]`: looks for every mutant and
 * prints which were caught, by which check, after how many seeds. Exits with 1 when one lives.
 */
import { parseArgs } from "node:util";
import { MUTANTS } from "./list.ts";
import { Copy, ROOT } from "./mutant.ts";
import { hunt } from "./runner.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    seeds: { type: "string", default: "1000" },
    first: { type: "string", default: "1" },
    minutes: { type: "string", default: "30" },
    /** The sources to mutate: this repository. */
    source: { type: "string", default: ROOT },
    texts: { type: "boolean", default: false },
  },
});

const only = values.only?.split(",");
const chosen = MUTANTS.filter(
  ({ name }) => only === undefined || only.some((one) => name.includes(one)),
);
if (chosen.length === 0) {
  console.error(
    `no mutant "${values.only}"; there are ${MUTANTS.map(({ name }) => name).join(", ")}`,
  );
  process.exit(2);
}
const copy = new Copy(values.source);
process.on("exit", () => copy.dispose());
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
let living = 0;
console.log("| mutant | caught by | after | seconds |\n|---|---|---|---|");
for (const mutant of chosen) {
  const { found, seconds } = await hunt(copy, mutant, {
    firstSeed: Number(values.first),
    seeds: Number(values.seeds),
    minutesMax: Number(values.minutes),
  });
  const by = found.isCaught ? found.check : "**lives**";
  console.log(`| ${mutant.name} | ${by} | ${found.tried} | ${seconds.toFixed(1)} |`);
  if (values.texts) console.log(`${mutant.story}\n${found.text}\n`);
  if (!found.isCaught) living += 1;
}
console.log(`${chosen.length} mutants, ${living} live`);
process.exitCode = living === 0 ? 0 : 1;
