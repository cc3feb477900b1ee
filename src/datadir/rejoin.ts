/**
 * A member that lost what it promised comes back under a new id, with nothing but what the others
 * send it. Its old data is moved aside, never deleted at once:
 *
 *   <data>/rejoin.json                          as whom it comes back, sealed; until it is a voter
 *   <data>/member.quarantine-<time>-<reason>    the old data; the newest three are kept
 *   <log>.quarantine-<time>-<reason>            segments of a log that has a directory of its own
 *
 * All are names in directories that exist, since a data directory is often a volume of its own. The
 * note is durable before anything is moved, so that each start goes on where a crash has come.
 */
import type { Disk, PeerMember } from "../seam/index.ts";
import { DataDirectoryError } from "./data-directory.ts";
import { unsealed, writeSealed } from "./sealed-file.ts";
import { readWhole } from "./whole-file.ts";

/** Copies of data that were moved aside. Beyond: the oldest go. */
const KEPT_MAX = 3;
const MARK = ".quarantine-";
/** The note, in the data directory. */
export const REJOIN_NOTE = "rejoin.json";

export interface Rejoin {
  /** `moving`: the old data may still be in its place. */
  readonly stage: "moving" | "joining";
  /** "20261121T162200Z-time-travel": behind the mark of what is moved aside. */
  readonly label: string;
  readonly clusterId: bigint;
  /** That the member had. */
  readonly oldId: bigint;
  /** That it has from now on. */
  readonly id: bigint;
  /** All members, as the leader told them. */
  readonly members: readonly PeerMember[];
}

export async function writeRejoin(disk: Disk, root: string, rejoin: Rejoin): Promise<void> {
  const text = JSON.stringify(rejoin, (_key, value: unknown) =>
    typeof value === "bigint" ? `0x${value.toString(16)}` : value,
  );
  await writeSealed(disk, pathIn(root), text);
}

export async function removeRejoin(disk: Disk, root: string): Promise<void> {
  await disk.remove(pathIn(root));
  await disk.syncDirectory(root);
}

/** At a start, before anything else is looked at: moves aside what is to be. */
export async function resumeRejoin(
  disk: Disk,
  root: string,
  walDirectory: string | undefined,
): Promise<Rejoin | undefined> {
  const found = await readRejoin(disk, root);
  if (found === undefined || found.stage === "joining") return found;
  await moveAside(disk, root, { name: "member", label: found.label });
  if (walDirectory !== undefined && (await disk.exists(walDirectory))) {
    for (const name of await disk.list(walDirectory)) {
      if (name.includes(MARK)) continue;
      await moveAside(disk, walDirectory, { name, label: found.label });
    }
    await dropOld(disk, walDirectory, isSegment);
  }
  await dropOld(disk, root, (name) => name.startsWith(`member${MARK}`));
  const joining: Rejoin = { ...found, stage: "joining" };
  await writeRejoin(disk, root, joining);
  return joining;
}

function isSegment(name: string): boolean {
  return name.includes(MARK);
}

async function moveAside(
  disk: Disk,
  directory: string,
  { name, label }: { readonly name: string; readonly label: string },
): Promise<void> {
  if (!(await disk.exists(`${directory}/${name}`))) return;
  await disk.rename(`${directory}/${name}`, `${directory}/${name}${MARK}${label}`);
  await disk.syncDirectory(directory);
}

/** Labels begin with their time. */
async function dropOld(
  disk: Disk,
  directory: string,
  isAside: (name: string) => boolean,
): Promise<void> {
  const names = (await disk.list(directory)).filter(isAside);
  const labels = new Set(names.map((name) => name.slice(name.indexOf(MARK) + MARK.length)));
  const kept = [...labels].sort().slice(-KEPT_MAX);
  for (const name of names) {
    if (!kept.some((label) => name.endsWith(label))) await disk.remove(`${directory}/${name}`);
  }
  await disk.syncDirectory(directory);
}

async function readRejoin(disk: Disk, root: string): Promise<Rejoin | undefined> {
  const path = pathIn(root);
  const bytes = await readWhole(disk, path);
  if (bytes === undefined) return undefined;
  try {
    const parsed = JSON.parse(unsealed(bytes) ?? "") as Rejoin & { members: PeerMember[] };
    return {
      stage: parsed.stage,
      label: parsed.label,
      clusterId: BigInt(parsed.clusterId),
      oldId: BigInt(parsed.oldId),
      id: BigInt(parsed.id),
      members: parsed.members.map((member) => ({ ...member, id: BigInt(member.id) })),
    };
  } catch (error) {
    throw new DataDirectoryError(
      `${path} cannot be read (${(error as Error).message}); it says as whom this member comes ` +
        "back to its cluster: remove the file, remove the member, add it anew and start it with " +
        "an empty data directory",
    );
  }
}

function pathIn(root: string): string {
  return `${root}/${REJOIN_NOTE}`;
}
