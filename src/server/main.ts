/**
 * The program: a verb is another program, else it is the server. Each is loaded only when it is
 * called, so that the command line tools do not wait for a server that nobody wants.
 */
import { print, STDERR, STDOUT } from "./print.ts";

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
      stdout: (text) => print(STDOUT, text),
      stderr: (text) => print(STDERR, text),
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
      stdout: (text) => print(STDOUT, text),
      stderr: (text) => print(STDERR, text),
    });
  },
};

const verb = VERBS[process.argv[2] ?? ""];
if (verb === undefined) await (await import("./serve.ts")).serve(process.argv.slice(2));
else process.exitCode = await verb(process.argv.slice(3));
