/**
 * Answers as text that two servers should agree on: ids of cluster and member, raft terms and the
 * seconds that a lease has left are theirs alone and are masked; everything else stays.
 */
import type { Answer } from "../harness/client.ts";

const MASKED = new Set(["clusterId", "memberId", "raftTerm"]);

/** Buffers as latin1 text, bigints as decimal text, so that a difference can be read. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    const text = Buffer.from(value).toString("latin1");
    return text.length <= 80 ? text : `${text.slice(0, 40)}... ${text.length} bytes`;
  }
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const out: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    if (!MASKED.has(name) && item !== undefined) out[name] = plain(item);
  }
  return out;
}

/** One line for an answer or a refusal. */
export function lineOf<T>(
  answer: Answer<T>,
  view: (value: T) => unknown = (value) => value,
): string {
  if (!answer.ok) return `refused ${answer.refusal.code}: ${answer.refusal.message}`;
  return JSON.stringify(plain(view(answer.value)));
}

/** Seconds left of a lease: "some" when they can be right, the number when they cannot. */
export function remaining(ttl: bigint, grantedTtl: bigint): bigint | "some" {
  return ttl > 0n && ttl <= grantedTtl ? "some" : ttl;
}
