/**
 * What a developer needs to find out why a state differs: the entries among which is the first that
 * had another effect, and what they did here. The leader and the member that differs write a file
 * each; the first row that is not in both is the cause.
 */
import { writeWhole } from "../datadir/index.ts";
import type { Disk } from "../seam/index.ts";
import { decodeRaftRequest, type Entry, EntryType } from "../wire/index.ts";
import type { Effect } from "./effect-log.ts";

/** The state was the same at `after`, and another one at `upTo`. */
export interface DivergenceRange {
  readonly after: number;
  readonly upTo: number;
}

export interface Divergence extends DivergenceRange {
  /** Whose state differs, and who writes this: ids in hex. */
  readonly member: string;
  readonly writer: string;
  readonly entries: readonly Entry[];
  readonly effects: readonly Effect[];
}

/** Files that are kept. */
const FILES_MAX = 10;
const NAME = /^diverge-(\d+)-[0-9a-f]+\.json$/;

/** Settles with the file's path. `directory` exists. */
export async function writeDivergence(
  disk: Disk,
  directory: string,
  divergence: Divergence,
): Promise<string> {
  const path = `${directory}/diverge-${divergence.after + 1}-${divergence.member}.json`;
  await writeWhole(disk, path, Buffer.from(textOf(divergence)));
  const names = (await disk.list(directory)).filter((name) => NAME.test(name));
  const age = (name: string): number => Number(NAME.exec(name)?.[1]);
  names.sort((a, b) => age(a) - age(b));
  for (const name of names.slice(0, -FILES_MAX)) await disk.remove(`${directory}/${name}`);
  await disk.syncDirectory(directory);
  return path;
}

function textOf({ entries, effects, ...head }: Divergence): string {
  const rows = {
    ...head,
    entries: entries.map(entryOf),
    effects: effects.map(({ index, table, key, checksum }) => ({
      index,
      table,
      key: table === "key" ? revisionOf(key) : key.toString("latin1"),
      checksum: (checksum >>> 0).toString(16).padStart(8, "0"),
    })),
  };
  return `${JSON.stringify(rows, printable, 2)}\n`;
}

function entryOf({ index, term, type, data }: Entry): unknown {
  if (type !== EntryType.NORMAL) return { index, term, change: data.toString("hex") };
  if (data.length === 0) return { index, term, empty: true };
  try {
    return { index, term, request: decodeRaftRequest(data) };
  } catch {
    return { index, term, unreadable: data.toString("hex") };
  }
}

/** "12.0", with a mark behind it for a deletion. */
function revisionOf(key: Buffer): string {
  if (key.length < 17) return key.toString("hex");
  const mark = key.length > 17 ? " deleted" : "";
  return `${key.readBigUInt64BE(0)}.${key.readBigUInt64BE(9)}${mark}`;
}

/** Numbers of 64 bits and bytes as text; JSON.stringify has made objects of buffers before. */
function printable(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  const bytes = value as { type?: unknown; data?: unknown } | null;
  if (bytes?.type === "Buffer" && Array.isArray(bytes.data)) {
    return Buffer.from(bytes.data as number[]).toString("latin1");
  }
  return value;
}
