/**
 * The program: a verb is another program, else it is the server. Each is loaded only when it is
 * called, so that the command line tools do not wait for a server that nobody wants.
 */
import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { printAll, STDERR, STDOUT } from "./print.ts";

// What V8 made of the files, kept beside them for the next start; where nothing can be written,
// each start compiles anew (decision 0031).
enableCompileCache(join(import.meta.dirname, "..", "..", ".cache", "code"));

/** The other programs of the family. */
const VERBS: Readonly<Record<string, (parts: readonly string[]) => Promise<number>>> = {
  ctl: async (parts) => {
    const { processIo, runCtl } = await import("../ctl/index.ts");
    return runCtl(parts, processIo());
  },
  dev: async (parts) => (await import("../dev/index.ts")).runDev(parts),
  disaster: async (parts) => {
    const { runDisaster } = await import("../disaster/index.ts");
    return runDisaster(parts, {
      stdout: (text) => printAll(STDOUT, text),
      stderr: (text) => printAll(STDERR, text),
      isTerminal: process.stderr.isTTY,
    });
  },
  health: async (parts) => {
    const { processIo, runCtl } = await import("../ctl/index.ts");
    return runCtl(["health", ...parts], processIo());
  },
  utl: async (parts) => {
    const { runUtl } = await import("../utl/index.ts");
    return runUtl(parts, {
      stdout: (text) => printAll(STDOUT, text),
      stderr: (text) => printAll(STDERR, text),
    });
  },
};

const verb = VERBS[process.argv[2] ?? ""];
if (verb === undefined) await runServer(process.argv.slice(2));
else process.exitCode = await verb(process.argv.slice(3));

async function runServer(parts: readonly string[]): Promise<void> {
  const { textFor } = await import("./texts.ts");
  const text = textFor(parts);
  if (text !== undefined) printAll(STDOUT, text);
  else await (await import("./serve.ts")).serve(parts);
}
