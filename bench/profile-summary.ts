/**
 * Where a program spent its time: `node bench/profile-summary.ts FILE.cpuprofile ... [--top N]
 * [--skip S]`.
 *
 * Reads what `node --cpu-prof` writes and prints self time per room (folder), per file and per
 * function, as shares of the time that the thread was not idle. `--skip` leaves out the first S
 * seconds of each profile, in which a server mostly loads its modules.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { table } from "./report.ts";

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
  };
}

/** The parts of Chrome's CPU profile format that are used here. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /**
   * Ids of the nodes that were on top of the stack, and the time since the sample before, in us.
   */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface ProfileSummary {
  readonly busyMicros: number;
  readonly idleMicros: number;
  /** Self time in us by name, largest first. */
  readonly rooms: readonly (readonly [string, number])[];
  readonly files: readonly (readonly [string, number])[];
  readonly functions: readonly (readonly [string, number])[];
}

export function summarize(profiles: readonly CpuProfile[], skipSeconds = 0): ProfileSummary {
  const rooms = new Map<string, number>();
  const files = new Map<string, number>();
  const functions = new Map<string, number>();
  let busyMicros = 0;
  let idleMicros = 0;
  for (const profile of profiles) {
    const frames = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
    let skipMicros = skipSeconds * 1e6;
    for (const [position, id] of profile.samples.entries()) {
      const micros = Math.max(0, profile.timeDeltas[position] ?? 0);
      skipMicros -= micros;
      if (skipMicros >= 0) continue;
      const frame = frames.get(id);
      if (frame === undefined) continue;
      if (frame.functionName === "(idle)") {
        idleMicros += micros;
        continue;
      }
      busyMicros += micros;
      const file = fileOf(frame.url);
      const name = frame.functionName === "" ? "(anonymous)" : frame.functionName;
      const place = frame.url === "" ? name : `${name} ${file}:${frame.lineNumber + 1}`;
      add(functions, place, micros);
      add(files, frame.url === "" ? name : file, micros);
      add(rooms, frame.url === "" ? name : roomOf(file), micros);
    }
  }
  return {
    busyMicros,
    idleMicros,
    rooms: sorted(rooms),
    files: sorted(files),
    functions: sorted(functions),
  };
}

function add(into: Map<string, number>, name: string, micros: number): void {
  into.set(name, (into.get(name) ?? 0) + micros);
}

function sorted(map: Map<string, number>): [string, number][] {
  return [...map].toSorted((a, b) => b[1] - a[1]);
}

/** "src/wal/log.ts" from any URL of a checkout or a package; what is Node's stays as it is. */
export function fileOf(url: string): string {
  const found = /(?:^|\/)((?:src|dist|bench|node_modules)\/.+)$/.exec(url);
  return found?.[1] ?? url;
}

export function roomOf(file: string): string {
  const parts = file.split("/");
  if (parts[0] === "src" || parts[0] === "dist") return parts.length > 2 ? (parts[1] ?? "") : file;
  if (parts[0] === "node_modules") return `node_modules/${parts[1] ?? ""}`;
  if (parts[0] === "bench") return "bench";
  return file.startsWith("node:") ? "node" : file;
}

export function showSummary(summary: ProfileSummary, top: number): string {
  const share = (micros: number): string => `${((micros / summary.busyMicros) * 100).toFixed(1)} %`;
  const rows = (list: readonly (readonly [string, number])[]): string[][] =>
    list.slice(0, top).map(([name, micros]) => [name, share(micros), (micros / 1000).toFixed(0)]);
  const total = summary.busyMicros + summary.idleMicros;
  const busy = total === 0 ? 0 : (summary.busyMicros / total) * 100;
  return [
    `busy ${(summary.busyMicros / 1e6).toFixed(2)} s, ${busy.toFixed(0)} % of the time profiled`,
    table(["room", "self", "ms"], rows(summary.rooms)),
    table(["file", "self", "ms"], rows(summary.files)),
    table(["function", "self", "ms"], rows(summary.functions)),
  ].join("\n\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      top: { type: "string", default: "25" },
      skip: { type: "string", default: "0" },
    },
  });
  if (positionals.length === 0) throw new Error("give at least one .cpuprofile file");
  const profiles = positionals.map((path) => JSON.parse(readFileSync(path, "utf8")) as CpuProfile);
  process.stdout.write(
    `${showSummary(summarize(profiles, Number(values.skip)), Number(values.top))}\n`,
  );
}
