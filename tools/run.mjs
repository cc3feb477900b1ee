/** `node tools/run.mjs FILE [arguments]`: sets up missing packages and runs a program. */
import { nodePath, ROOT, runInForeground, setUpPackages } from "./setup.mjs";

/** Most of what simulations allocate dies young: with room for it, collecting costs half. */
const FLAGS = ["--max-semi-space-size=64"];

process.chdir(ROOT);
setUpPackages();
const args = [...FLAGS, ...process.argv.slice(2)];
process.exitCode = await runInForeground(nodePath(), args, process.env);
