/** `npm start [-- flags]`: sets up what is missing, builds, starts a member in the foreground. */
import { join } from "node:path";
import { ROOT, runInForeground, setUp } from "./setup.mjs";

if (!setUp()) process.exit(1);
process.exitCode = await runInForeground(join(ROOT, "bin", "holdfast"), process.argv.slice(2));
