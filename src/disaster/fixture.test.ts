/** Data directories of members that a disaster has left, for the tests of this room. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { encodeMemberRecord } from "../apply/index.ts";
import { openLmdbBackend, openStoreReadOnly } from "../backend/index.ts";
import { openDataDirectory, Replay } from "../datadir/index.ts";
import { hostDisk, systemClock } from "../host/index.ts";
import { createWal } from "../wal/index.ts";
import {
  ConfChangeType,
  emptyPutRequest,
  encodeConfChange,
  type Entry,
  EntryType,
  marshal,
  marshalRaftRequest,
  type RaftOperation,
} from "../wire/index.ts";
import { turn } from "./survivor.ts";

export const CLUSTER_ID = 0xc1n;
export const TERM = 4;

export function temporary(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "holdfast-disaster-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export interface MemberOptions {
  readonly id?: bigint;
  readonly members?: readonly bigint[];
  /** Puts in the log, each of a key of its own. */
  readonly puts?: number;
  /** Of the last of them, which only the log has. */
  readonly unapplied?: number;
  /** Entries that the log does not call committed. */
  readonly uncommitted?: number;
  readonly term?: number;
  readonly walDirectory?: string;
}

/** Makes one; its cluster's members are m1, m2 and m3, and it is m1, unless said otherwise. */
export async function makeMember(directory: string, options: MemberOptions = {}): Promise<void> {
  const { id = 1n, members = [1n, 2n, 3n], puts = 20, unapplied = 5, uncommitted = 2 } = options;
  const entries = logOf(members, puts, options.term ?? TERM);
  const paths = await openDataDirectory(hostDisk, directory, options.walDirectory);
  const last = entries.at(-1) as Entry;
  const hardState = { term: last.term, vote: 2n, commit: last.index - uncommitted };
  const metadata = { nodeId: id, clusterId: CLUSTER_ID };
  const founding = { entries, hardState };
  const wal = await createWal(hostDisk, paths.wal, metadata, {
    clock: systemClock,
    founding,
    segmentBytes: 1_000_000,
  });
  await wal.close();
  const backend = await openLmdbBackend({ directory: paths.store });
  const replay = await Replay.open(backend, turn);
  await replay.apply(entries.slice(0, entries.length - unapplied));
  await backend.close();
}

function logOf(members: readonly bigint[], puts: number, term: number): Entry[] {
  const entries: Entry[] = [];
  const add = (type: number, data: Buffer): void => {
    entries.push({
      type,
      term: entries.length < members.length ? 1 : term,
      index: entries.length + 1,
      data,
    });
  };
  for (const id of members) add(EntryType.CONF_CHANGE, founder(id));
  for (const id of members) {
    const attributes = { name: `m${id}`, clientUrls: [`http://10.0.0.${id}:2379`] };
    add(EntryType.NORMAL, request({ kind: "memberAttributesSet", memberId: id, attributes }));
  }
  for (let at = 0; at < puts; at += 1) {
    const key = `key ${String(at).padStart(4, "0")}`;
    const put = { ...emptyPutRequest(), key, value: Buffer.from(`the value of ${key}`) };
    add(EntryType.NORMAL, request({ kind: "put", put }));
  }
  return entries;
}

function founder(id: bigint): Buffer {
  const peerUrls = [`http://10.0.0.${id}:2380`];
  const record = { id, peerUrls, isLearner: false, name: "", clientUrls: [] };
  const context = Buffer.from(encodeMemberRecord(record));
  return marshal(encodeConfChange, { id: 0n, type: ConfChangeType.ADD_NODE, nodeId: id, context });
}

function request(operation: RaftOperation): Buffer {
  const header = { memberPrefix: 0, sequence: 0, username: "", authRevision: 0 };
  return marshalRaftRequest({ header, operation });
}

/** The records of a store's keys, as revision and value in hex. */
export async function recordsOf(directory: string): Promise<Map<string, string>> {
  const backend = await openStoreReadOnly(`${directory}/member/store`);
  try {
    const rows = backend.scan("key", Buffer.alloc(0), undefined, 1e6);
    return new Map(rows.map(({ key, value }) => [key.toString("hex"), value.toString("hex")]));
  } finally {
    await backend.close();
  }
}
