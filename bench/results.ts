/** The page that keeps the figures: bench/RESULTS.md. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

export interface RunFacts {
  readonly date: string;
  readonly command: string;
  readonly machine: string;
  readonly node: string;
  readonly etcd: string;
  readonly holdfast: string;
}

export function collectFacts(args: readonly string[], etcdPath: string): RunFacts {
  const cores = cpus();
  const gigabytes = Math.round(totalmem() / 1024 ** 3);
  const model = cores[0]?.model.trim() ?? "unknown processor";
  return {
    date: new Date().toISOString().slice(0, 16).replace("T", " "),
    command: ["npm run bench", ...(args.length > 0 ? ["--", ...args] : [])].join(" "),
    machine: `${cores.length} cores (${model}), ${gigabytes} GB, Linux ${release()}`,
    node: process.version,
    etcd: firstMatch(etcdPath, ["--version"], /etcd Version: (\S+)/),
    holdfast: holdfastVersion(),
  };
}

function firstMatch(program: string, args: readonly string[], pattern: RegExp): string {
  const { stdout } = spawnSync(program, args, { encoding: "utf8" });
  return pattern.exec(stdout ?? "")?.[1] ?? "unknown";
}

function holdfastVersion(): string {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(manifest) as { version: string };
  const commit = firstMatch("git", ["rev-parse", "--short", "HEAD"], /^([0-9a-f]+)/);
  return `${version} (${commit})`;
}

export function resultsPage(facts: RunFacts, tables: string): string {
  return `# Side by side with etcd

Written by \`${facts.command}\` on ${facts.date} UTC; README.md says what each case does and how to
read the figures.

Machine: ${facts.machine}; Node ${facts.node}; etcd ${facts.etcd}; Holdfast ${facts.holdfast}.
Servers and generator share the cores.

${tables}`;
}
