/**
 * Makes the data directory of a member of a new cluster from a snapshot file (UT-03, UT-04).
 *
 * Every member of the new cluster is made from the same file, with the same list of members and the
 * same token, and so begins at the same point: the one that founders reach with an entry for each
 * member (RA-06). Keys, leases, users and alarms are the snapshot's; who was a member, and which
 * version the old cluster had agreed on, is not.
 *
 * The entries themselves are not in the log, which begins after a snapshot at that point: nobody
 * must ever be brought up from them alone, without the store.
 *
 * The log is made last and at once: a data directory without one is no member.
 */
import { encodeConfStateRow, encodeMemberRecord, META_CONF_STATE } from "../apply/index.ts";
import { type Backend, META_DIGEST } from "../backend/index.ts";
import type { Clock, Digests, Disk, Timers } from "../seam/index.ts";
import { CHECKSUM_BYTES, SnapshotCorrupt, verifySnapshotFile } from "../snapshot/index.ts";
import { createWal } from "../wal/index.ts";
import { emptyConfState } from "../wire/index.ts";
import { bumpRevision } from "./bump-revision.ts";
import { DataDirectoryError, openDataDirectory, pathsOf } from "./data-directory.ts";
import { deriveClusterId, deriveMemberId, formatId } from "./ids.ts";
import { importStore } from "./import-store.ts";

const DIGEST_KEY = Buffer.from(META_DIGEST, "latin1");

export interface RestoreMember {
  readonly name: string;
  /** All URLs given for the name: they make its id (ID-05). */
  readonly peerUrls: readonly string[];
}

export interface RestoreOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly digests: Digests;
  readonly openBackend: (directory: string) => Promise<Backend>;
  readonly snapshotPath: string;
  /** Missing or empty. */
  readonly dataDirectory: string;
  /** Missing; undefined = within the data directory. */
  readonly walDirectory: string | undefined;
  readonly name: string;
  /** Each member of the new cluster, this one among them. */
  readonly members: readonly RestoreMember[];
  readonly clusterToken: string;
  /** Takes a file without a checksum, or with a wrong one: a copy of etcd's `db` has none. */
  readonly skipHashCheck: boolean;
  /**
   * Raises the revision by so much and counts everything before as compacted, so that clients which
   * have seen more than the snapshot holds are told; 0 = no.
   */
  readonly revisionBump: number;
}

export interface RestoredMember {
  readonly id: bigint;
  readonly clusterId: bigint;
  /** By id. */
  readonly members: readonly (RestoreMember & { readonly id: bigint })[];
  /** Of the restored store, the bump included. */
  readonly revision: number;
}

/**
 * Settles when the member can be started. Rejects with DataDirectoryError (what the operator gave
 * does not fit), SnapshotCorrupt or SnapshotRefused (the file), and with what the disk throws; then
 * what it has made is removed again.
 */
export async function restoreSnapshot(options: RestoreOptions): Promise<RestoredMember> {
  const { disk } = options;
  const { members, clusterId, own } = identify(options);
  await checkPlace(options);
  await checkFile(options);
  const paths = pathsOf(options.dataDirectory, options.walDirectory);
  try {
    await openDataDirectory(disk, options.dataDirectory, options.walDirectory);
    const revision = await restoreStore(options, paths.store, members);
    await makeLog(options, paths.wal, { members, clusterId, nodeId: own.id });
    return { id: own.id, clusterId, members, revision };
  } catch (error) {
    for (const path of [paths.wal, `${paths.wal}.tmp`, `${paths.root}/member`]) {
      if (await disk.exists(path)) await disk.remove(path);
    }
    throw error;
  }
}

type Identified = RestoredMember["members"][number];

function identify(options: RestoreOptions): {
  members: Identified[];
  clusterId: bigint;
  own: Identified;
} {
  const { digests, clusterToken, name } = options;
  const members = options.members.map((member) => ({
    ...member,
    id: deriveMemberId(member.peerUrls, clusterToken, digests),
  }));
  const own = members.find((member) => member.name === name);
  if (own === undefined) {
    throw new DataDirectoryError(
      `couldn't find local name "${name}" in the initial cluster configuration`,
    );
  }
  members.sort((a, b) => (a.id < b.id ? -1 : 1));
  const ids = members.map(({ id }) => id);
  if (new Set(ids).size !== ids.length) {
    throw new DataDirectoryError(`two members of the new cluster have the same peer URLs`);
  }
  return { members, clusterId: deriveClusterId(ids, digests), own };
}

async function checkPlace({ disk, dataDirectory, walDirectory }: RestoreOptions): Promise<void> {
  const names = (await disk.exists(dataDirectory)) ? await disk.list(dataDirectory) : [];
  // The lock of who is about to start here.
  if (names.some((name) => name !== "lock")) {
    throw new DataDirectoryError(`data-dir "${dataDirectory}" not empty or could not be read`);
  }
  if (walDirectory !== undefined && (await disk.exists(walDirectory))) {
    throw new DataDirectoryError(`wal-dir "${walDirectory}" exists`);
  }
}

async function checkFile(options: RestoreOptions): Promise<void> {
  if (options.skipHashCheck) return;
  const file = await options.disk.open(options.snapshotPath, "read");
  try {
    const { hasChecksum } = await verifySnapshotFile(file, options.digests.sha256());
    if (hasChecksum) return;
    throw new DataDirectoryError("snapshot missing hash but --skip-hash-check=false");
  } catch (error) {
    if (error instanceof SnapshotCorrupt && error.wanted.length === 2 * CHECKSUM_BYTES) {
      // What the file says is found at its end, what it should say is computed: etcd's other way.
      const expected = goBytes(error.found.replace("the checksum ", ""));
      const message = `expected sha256 ${expected}, got ${goBytes(error.wanted)}`;
      throw new DataDirectoryError(message, { cause: error });
    }
    throw error;
  } finally {
    await file.close();
  }
}

/** As Go shows a byte slice. */
function goBytes(hex: string): string {
  return `[${[...Buffer.from(hex, "hex")].join(" ")}]`;
}

async function restoreStore(
  options: RestoreOptions,
  directory: string,
  members: readonly Identified[],
): Promise<number> {
  const { revisionBump } = options;
  let revision = 0;
  await importStore({
    ...options,
    imagePath: options.snapshotPath,
    directory,
    newPoint: { index: members.length, term: 1 },
    keeps: (table, { key }) => {
      if (table === "key") revision = Number(key.readBigUInt64BE(0));
      // The history begins anew, and what the state comes to with it.
      if (table === "meta") return !key.equals(META_CONF_STATE) && !key.equals(DIGEST_KEY);
      return table !== "members" && table !== "members_removed" && table !== "cluster";
    },
    finish: (backend) => {
      for (const member of members) putMember(backend, member);
      const voters = members.map(({ id }) => id);
      const confState = encodeConfStateRow({ ...emptyConfState(), voters });
      backend.put("meta", META_CONF_STATE, confState);
      if (revisionBump === 0) return;
      revision += revisionBump;
      if (!Number.isSafeInteger(revision)) {
        throw new DataDirectoryError(`--bump-revision ${revisionBump} leads beyond 2^53`);
      }
      bumpRevision(backend, revision);
    },
  });
  return revision;
}

function putMember(backend: Backend, { id, name, peerUrls }: Identified): void {
  const record = { id, name, peerUrls: sorted(peerUrls), isLearner: false, clientUrls: [] };
  const value = Buffer.from(encodeMemberRecord(record));
  backend.put("members", Buffer.from(formatId(id), "latin1"), value);
}

async function makeLog(
  options: RestoreOptions,
  directory: string,
  cluster: {
    readonly members: readonly Identified[];
    readonly clusterId: bigint;
    readonly nodeId: bigint;
  },
): Promise<void> {
  const { disk, clock } = options;
  const { members, clusterId, nodeId } = cluster;
  const confState = { ...emptyConfState(), voters: members.map(({ id }) => id) };
  const snapshot = { index: members.length, term: 1, confState };
  const hardState = { term: 1, vote: (members[0] as Identified).id, commit: snapshot.index };
  const founding = { entries: [], hardState, snapshot };
  const wal = await createWal(disk, directory, { nodeId, clusterId }, { clock, founding });
  await wal.close();
}

function sorted(urls: readonly string[]): string[] {
  return [...urls].sort();
}
