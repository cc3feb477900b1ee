/**
 * What a recovery leaves in the store that it made, in the table that concerns this member alone:
 * who its cluster was, and where everything before it is kept. It counts as long as nothing has
 * been applied since, so that a recovery that is asked for twice is done once.
 */
import { decodeMemberRecord, encodeMemberRecord, type MemberRecord } from "../apply/index.ts";
import type { Backend } from "../backend/index.ts";

const KEY = Buffer.from("disaster", "latin1");

export interface RecoveryMark {
  readonly before: {
    readonly memberId: bigint;
    readonly clusterId: bigint;
    /** At the end of its log. */
    readonly revision: number;
    readonly keys: number;
    readonly members: readonly MemberRecord[];
  };
  /** The directory that holds what was there before. */
  readonly keptDirectory: string;
  readonly keptWalDirectory: string | undefined;
}

/** Together with the caller's next commit. */
export function putMark(backend: Backend, mark: RecoveryMark): void {
  const { before } = mark;
  const row = {
    ...backend.applied,
    memberId: before.memberId.toString(16),
    clusterId: before.clusterId.toString(16),
    revision: before.revision,
    keys: before.keys,
    members: before.members.map(encodeMemberRecord),
    keptDirectory: mark.keptDirectory,
    keptWalDirectory: mark.keptWalDirectory,
  };
  backend.put("local", KEY, Buffer.from(JSON.stringify(row)));
}

/** Undefined when there is none, or the store has gone on since. */
export function readMark(backend: Backend): RecoveryMark | undefined {
  const text = backend.get("local", KEY)?.toString();
  if (text === undefined) return undefined;
  const row = JSON.parse(text) as Row;
  if (row.index !== backend.applied.index || row.term !== backend.applied.term) return undefined;
  return {
    before: {
      memberId: BigInt(`0x${row.memberId}`),
      clusterId: BigInt(`0x${row.clusterId}`),
      revision: row.revision,
      keys: row.keys,
      members: row.members.flatMap((member) => decodeMemberRecord(member) ?? []),
    },
    keptDirectory: row.keptDirectory,
    keptWalDirectory: row.keptWalDirectory,
  };
}

interface Row {
  readonly index: number;
  readonly term: number;
  readonly memberId: string;
  readonly clusterId: string;
  readonly revision: number;
  readonly keys: number;
  readonly members: readonly string[];
  readonly keptDirectory: string;
  readonly keptWalDirectory?: string;
}
