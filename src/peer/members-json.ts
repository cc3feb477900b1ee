/**
 * The members of a cluster as JSON (surface 15.5). Ids are bare numbers of up to 64 bits, which
 * JSON.parse would round, so they are taken from the text.
 */
import type { PeerMember } from "../seam/index.ts";

export function encodeMembers(members: readonly PeerMember[]): string {
  return `[${members.map(encodeMember).join(",")}]`;
}

function encodeMember({ id, peerUrls, isLearner, name, clientUrls }: PeerMember): string {
  const rest = JSON.stringify({
    peerURLs: peerUrls,
    ...(isLearner ? { isLearner } : {}),
    ...(name === "" ? {} : { name }),
    ...(clientUrls.length === 0 ? {} : { clientURLs: clientUrls }),
  });
  return `{"id":${id},${rest.slice(1)}`;
}

/** Throws an Error that says what is wrong. */
export function decodeMembers(text: string): PeerMember[] {
  const rows: unknown = JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
    typeof value === "number" && context?.source !== undefined && /^\d+$/.test(context.source)
      ? BigInt(context.source)
      : value,
  );
  if (rows === null) return [];
  if (!Array.isArray(rows)) throw new Error("the list of members is not an array");
  return rows.map(decodeMember);
}

function decodeMember(row: unknown): PeerMember {
  const { id, peerURLs, isLearner, name, clientURLs } = (row ?? {}) as Record<string, unknown>;
  if (typeof id !== "bigint" || id <= 0n || id >= 1n << 64n) {
    throw new Error("a member in the list has no id");
  }
  return {
    id,
    name: typeof name === "string" ? name : "",
    peerUrls: strings(peerURLs),
    clientUrls: strings(clientURLs),
    isLearner: isLearner === true,
  };
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
