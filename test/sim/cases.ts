/** Failing runs that are kept: each a file with its plan, what it found and its story. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plan } from "./plan.ts";

export const REGRESSIONS = join(dirname(fileURLToPath(import.meta.url)), "regressions");

export interface SimulationCase {
  /** What went wrong, and why, in a sentence or two. */
  readonly story: string;
  /** The sources on which it failed. */
  readonly commit: string;
  readonly check: string;
  readonly plan: Plan;
}

export function readCase(path: string): SimulationCase {
  return JSON.parse(readFileSync(path, "utf8")) as SimulationCase;
}

export function writeCase(path: string, found: SimulationCase): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(found, undefined, 2)}\n`);
}

/** Name -> case, sorted. */
export function regressions(): [string, SimulationCase][] {
  if (!existsSync(REGRESSIONS)) return [];
  return readdirSync(REGRESSIONS)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => [name.replace(/\.json$/, ""), readCase(join(REGRESSIONS, name))]);
}
