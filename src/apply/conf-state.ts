/**
 * The row `confState` of table `meta`: raftpb.ConfState as JSON, under etcd's names (surface 19).
 * Its ids are bare numbers up to 2^64 - 1, which JSON.parse alone would round (DV-10).
 */
import type { ConfState } from "../wire/index.ts";

export const META_CONF_STATE = Buffer.from("confState");

export function encodeConfStateRow(state: ConfState): Buffer {
  const ids = (name: string, list: readonly bigint[]) =>
    list.length === 0 ? "" : `"${name}":[${list.join(",")}],`;
  const lists =
    ids("voters", state.voters) +
    ids("learners", state.learners) +
    ids("voters_outgoing", state.votersOutgoing) +
    ids("learners_next", state.learnersNext);
  return Buffer.from(`{${lists}"auto_leave":${state.autoLeave}}`);
}

/** Undefined when the row is none. */
export function decodeConfStateRow(row: Buffer): ConfState | undefined {
  const text = row.toString("utf8");
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  return {
    voters: idsOf(text, "voters"),
    learners: idsOf(text, "learners"),
    votersOutgoing: idsOf(text, "voters_outgoing"),
    learnersNext: idsOf(text, "learners_next"),
    autoLeave: /"auto_leave"\s*:\s*true/.test(text),
  };
}

function idsOf(text: string, name: string): bigint[] {
  const list = new RegExp(`"${name}"\\s*:\\s*\\[([\\d,\\s]*)\\]`).exec(text)?.[1] ?? "";
  return (list.match(/\d+/g) ?? []).map((id) => BigInt.asUintN(64, BigInt(id)));
}
