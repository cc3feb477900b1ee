/** `npm run sim -- --seed N --runs K --minutes M ...`: clusters from seeds, on simulated time. */
import { nodePath, ROOT, runInForeground, setUpPackages } from "./setup.mjs";

/** Most of what a run allocates dies young: with room for it, collecting costs half. */
const FLAGS = ["--max-semi-space-size=64"];

process.chdir(ROOT);
setUpPackages();
const args = [...FLAGS, "test/sim/main.ts", ...process.argv.slice(2)];
process.exitCode = await runInForeground(nodePath(), args, process.env);
