/** `npm run bench [-- flags]`: sets up what is missing, builds, and runs bench/main.ts. */
import { join } from "node:path";
import { nodePath, ROOT, runInForeground, setUp } from "./setup.mjs";

if (!setUp()) process.exit(1);
process.exitCode = await runInForeground(nodePath(), [
  join(ROOT, "bench", "main.ts"),
  ...process.argv.slice(2),
]);
