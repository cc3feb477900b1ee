/**
 * Rows of the tables `members` and `members_removed`: id in hex -> JSON (surface 15.5, 19). The id
 * in the JSON is a bare number up to 2^64 - 1, which JSON.parse alone would round (DV-10).
 */
import type { Backend } from "../backend/index.ts";
import type { MemberRecord } from "./types.ts";

const SCAN_ROWS = 1_000;
const EMPTY = Buffer.alloc(0);
const REMOVED = Buffer.from("removed");
/** A key of the object itself: one inside a string would have a backslash before its quotes. */
const BARE_ID = /"id"\s*:\s*(\d+)/;

export function encodeMemberRecord(member: MemberRecord): string {
  const rest = JSON.stringify({
    peerURLs: member.peerUrls,
    ...(member.isLearner ? { isLearner: true } : {}),
    ...(member.name === "" ? {} : { name: member.name }),
    ...(member.clientUrls.length === 0 ? {} : { clientURLs: member.clientUrls }),
  });
  return `{"id":${member.id},${rest.slice(1)}`;
}

/** Undefined when the text is not such an object. */
export function decodeMemberRecord(text: string): MemberRecord | undefined {
  const id = BARE_ID.exec(text)?.[1];
  if (id === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const row = parsed as Record<string, unknown>;
  return {
    id: BigInt.asUintN(64, BigInt(id)),
    peerUrls: stringsOf(row["peerURLs"]),
    isLearner: row["isLearner"] === true,
    name: typeof row["name"] === "string" ? row["name"] : "",
    clientUrls: stringsOf(row["clientURLs"]),
  };
}

function stringsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

export class MemberTable {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  get(id: bigint): MemberRecord | undefined {
    const row = this.#backend.get("members", rowKey(id));
    return row === undefined ? undefined : decodeMemberRecord(row.toString());
  }

  list(): MemberRecord[] {
    const members: MemberRecord[] = [];
    for (const row of this.#backend.scan("members", EMPTY, undefined, SCAN_ROWS)) {
      const member = decodeMemberRecord(row.value.toString());
      if (member !== undefined) members.push(member);
    }
    return members.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  put(member: MemberRecord): void {
    this.#backend.put("members", rowKey(member.id), Buffer.from(encodeMemberRecord(member)));
  }

  remove(id: bigint): void {
    this.#backend.delete("members", rowKey(id));
    this.#backend.put("members_removed", rowKey(id), REMOVED);
  }

  isRemoved(id: bigint): boolean {
    return this.#backend.get("members_removed", rowKey(id)) !== undefined;
  }
}

/** ID-04: lowercase hex without leading zeros. */
function rowKey(id: bigint): Buffer {
  return Buffer.from(BigInt.asUintN(64, id).toString(16));
}
