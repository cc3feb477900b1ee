/** One mutant after the other: patched into a copy, and looked for in a process of its own. */
import { spawn } from "node:child_process";
import type { Copy, Mutant } from "./mutant.ts";
import type { Found } from "./trial.ts";

export interface Hunt {
  readonly mutant: Mutant;
  readonly found: Found;
  readonly seconds: number;
}

export interface HuntOptions {
  readonly firstSeed: number;
  readonly seeds: number;
  /** What takes longer is given up, and not caught. */
  readonly minutesMax: number;
}

export async function hunt(copy: Copy, mutant: Mutant, options: HuntOptions): Promise<Hunt> {
  const startedMs = performance.now();
  const patch = copy.apply(mutant.patches);
  try {
    const found = await runTrial(copy, mutant, options);
    return { mutant, found, seconds: (performance.now() - startedMs) / 1_000 };
  } finally {
    patch.restore();
  }
}

function runTrial(copy: Copy, { name }: Mutant, options: HuntOptions): Promise<Found> {
  const { firstSeed, seeds, minutesMax } = options;
  // As `npm run sim` does it: what simulations allocate dies young.
  const flags = ["--max-semi-space-size=64"];
  const args = [...flags, "test/mutants/trial.ts", name, String(firstSeed), String(seeds)];
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: copy.root, env });
    const timer = setTimeout(() => child.kill("SIGKILL"), minutesMax * 60_000);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (bytes: Buffer) => (stdout += bytes.toString()));
    child.stderr.on("data", (bytes: Buffer) => (stderr += bytes.toString()));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const line = stdout.trim().split("\n").at(-1) ?? "";
      if (code === 0 && line.startsWith("{")) return resolve(JSON.parse(line) as Found);
      const isCaught = signal === null;
      const check = isCaught ? "crashed" : "";
      const tried = isCaught ? "1 process" : `${minutesMax} minutes`;
      resolve({ isCaught, check, text: stderr.slice(-1_000), tried });
    });
  });
}
