/**
 * Who this member is and the members as it knew them last, in a file beside store and log: where to
 * find the others when one of these is lost. Never a source of truth.
 */
import type { Disk, PeerMember } from "../seam/index.ts";
import type { DataDirectory } from "./data-directory.ts";
import { unsealed, writeSealed } from "./sealed-file.ts";
import { readWhole } from "./whole-file.ts";

export interface KnownPeers {
  readonly clusterId: bigint;
  /** This member's. */
  readonly id: bigint;
  /** This one among them. */
  readonly members: readonly PeerMember[];
}

/** Settles when it is durable. */
export function writePeers(disk: Disk, { peers }: DataDirectory, known: KnownPeers): Promise<void> {
  const text = JSON.stringify(known, (_key, value: unknown) =>
    typeof value === "bigint" ? value.toString(16) : value,
  );
  return writeSealed(disk, peers, text);
}

/** Undefined when there is none that can be read. */
export async function readPeers(
  disk: Disk,
  { peers }: DataDirectory,
): Promise<KnownPeers | undefined> {
  const bytes = await readWhole(disk, peers);
  if (bytes === undefined) return undefined;
  let parsed: Partial<Record<keyof KnownPeers, unknown>> | null;
  try {
    parsed = JSON.parse(unsealed(bytes) ?? "") as typeof parsed;
  } catch {
    return undefined;
  }
  const { clusterId, id, members } = parsed ?? {};
  if (!isId(clusterId) || !isId(id) || !Array.isArray(members)) return undefined;
  const rows = members.flatMap(memberOf);
  return { clusterId: BigInt(`0x${clusterId}`), id: BigInt(`0x${id}`), members: rows };
}

function memberOf(row: Partial<Record<keyof PeerMember, unknown>> | null): PeerMember[] {
  const { id, name, peerUrls, clientUrls, isLearner } = row ?? {};
  const isMember =
    isId(id) &&
    typeof name === "string" &&
    isStrings(peerUrls) &&
    isStrings(clientUrls) &&
    typeof isLearner === "boolean";
  return isMember ? [{ id: BigInt(`0x${id}`), name, peerUrls, clientUrls, isLearner }] : [];
}

function isId(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{1,16}$/.test(value);
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
