/**
 * The members as this one knew them last, in a file beside the store: where to find the others when
 * the store, which has their table, is lost. Never a source of truth.
 */
import type { Disk, PeerMember } from "../seam/index.ts";
import { type DataDirectory, parentOf } from "./data-directory.ts";

/** Settles when it is durable. */
export async function writePeers(
  disk: Disk,
  { peers: path }: DataDirectory,
  members: readonly PeerMember[],
): Promise<void> {
  const draft = `${path}.tmp`;
  if (await disk.exists(draft)) await disk.remove(draft);
  const rows = members.map((member) => ({ ...member, id: member.id.toString(16) }));
  const file = await disk.open(draft, "create");
  try {
    await file.writeDurable(Buffer.from(JSON.stringify(rows)), 0);
  } finally {
    await file.close();
  }
  await disk.rename(draft, path);
  await disk.syncDirectory(parentOf(path));
}

/** Empty when there is none that can be read. */
export async function readPeers(disk: Disk, { peers: path }: DataDirectory): Promise<PeerMember[]> {
  if (!(await disk.exists(path))) return [];
  let rows: unknown;
  try {
    rows = JSON.parse((await disk.readFile(path)).toString());
  } catch {
    return [];
  }
  return Array.isArray(rows) ? rows.flatMap(memberOf) : [];
}

function memberOf(row: Partial<Record<keyof PeerMember, unknown>> | null): PeerMember[] {
  const { id, name, peerUrls, clientUrls, isLearner } = row ?? {};
  const isMember =
    typeof id === "string" &&
    /^[0-9a-f]{1,16}$/.test(id) &&
    typeof name === "string" &&
    isStrings(peerUrls) &&
    isStrings(clientUrls) &&
    typeof isLearner === "boolean";
  return isMember ? [{ id: BigInt(`0x${id}`), name, peerUrls, clientUrls, isLearner }] : [];
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
