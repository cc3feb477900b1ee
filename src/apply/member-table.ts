/**
 * Rows of the tables `members` and `members_removed`: id in hex -> JSON (surface 15.5, 19). The id
 * in the JSON is a bare number up to 2^64 - 1, which JSON.parse alone would round (DV-10).
 */
import type { Backend, Row } from "../backend/index.ts";
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

/**
 * The rows, and the same in memory: the removed ones are asked for with every message of a peer.
 * Nobody else writes these tables.
 */
export class MemberTable {
  readonly #backend: Backend;
  readonly #members = new Map<bigint, MemberRecord>();
  readonly #removed = new Set<bigint>();
  /** Ascending by id; made anew when one changed. */
  #list: readonly MemberRecord[] | undefined;

  constructor(backend: Backend) {
    this.#backend = backend;
    for (const row of rowsOf(backend, "members")) {
      const member = decodeMemberRecord(row.value.toString());
      if (member !== undefined) this.#members.set(member.id, member);
    }
    for (const row of rowsOf(backend, "members_removed")) {
      const id = idOf(row.key);
      if (id !== undefined) this.#removed.add(id);
    }
  }

  get(id: bigint): MemberRecord | undefined {
    return this.#members.get(id);
  }

  list(): readonly MemberRecord[] {
    this.#list ??= [...this.#members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    return this.#list;
  }

  put(member: MemberRecord): void {
    this.#backend.put("members", rowKey(member.id), Buffer.from(encodeMemberRecord(member)));
    this.#members.set(member.id, member);
    this.#list = undefined;
  }

  remove(id: bigint): void {
    this.#backend.delete("members", rowKey(id));
    this.#backend.put("members_removed", rowKey(id), REMOVED);
    this.#members.delete(id);
    this.#removed.add(id);
    this.#list = undefined;
  }

  isRemoved(id: bigint): boolean {
    return this.#removed.has(id);
  }
}

function* rowsOf(backend: Backend, table: "members" | "members_removed"): Generator<Row> {
  let lo: Buffer = EMPTY;
  for (;;) {
    const rows = backend.scan(table, lo, undefined, SCAN_ROWS);
    yield* rows;
    const last = rows.at(-1);
    if (rows.length < SCAN_ROWS || last === undefined) return;
    lo = Buffer.concat([last.key, Buffer.alloc(1)]);
  }
}

function idOf(key: Buffer): bigint | undefined {
  const text = key.toString("latin1");
  return /^[0-9a-f]{1,16}$/.test(text) ? BigInt(`0x${text}`) : undefined;
}

/** ID-04: lowercase hex without leading zeros. */
function rowKey(id: bigint): Buffer {
  return Buffer.from(BigInt.asUintN(64, id).toString(16));
}
