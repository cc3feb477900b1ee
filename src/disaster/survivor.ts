/**
 * What the data directory of one member tells about it, and whether it can be believed. Nothing in
 * it is changed. All of it is read: every record of the store with its checksum, the whole log with
 * its chain of checksums.
 *
 * Next: verdict.ts for what several of them say together.
 */
import { statSync } from "node:fs";
import { openAlarms } from "../alarm/index.ts";
import { CLUSTER_INCARNATION, decodeMemberRecord, type MemberRecord } from "../apply/index.ts";
import { type AppliedPoint, type Backend, openStoreReadOnly } from "../backend/index.ts";
import {
  changeMembers,
  type DataDirectory,
  findDataDirectory,
  lifePaths,
  readFloors,
  readLife,
  RECOVERY_READY,
  REJOIN_NOTE,
  requestOf,
} from "../datadir/index.ts";
import { type DirectoryLock, hostDisk, lockDirectory, systemTimers } from "../host/index.ts";
import { openStore } from "../mvcc/index.ts";
import { listSegments, readWal, walExists, WalReader } from "../wal/index.ts";
import type { Entry } from "../wire/index.ts";
import { readMark, type RecoveryMark } from "./mark.ts";
import { giveOwner } from "./owner.ts";

export interface Place {
  readonly directory: string;
  /** Undefined = within the data directory. */
  readonly walDirectory: string | undefined;
}

export interface LogFacts {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  /** Of the newest state, which may be later than that of the last entry. */
  readonly term: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** Known to be committed, to this member; never more than `lastIndex`. */
  readonly commit: number;
  /** When the log was last written to, as its file says. */
  readonly lastWriteMs: number;
  readonly sizeBytes: number;
  /** What the end of the log is like when a crash has torn it; undefined = whole. */
  readonly torn: string | undefined;
}

/** What it knew of the others' disks, and they of its own. */
export interface CareFacts {
  /** Some member is known to have acknowledged up to here, and it is committed; 0 = not known. */
  readonly committed: number;
  /** Why this member was kept out of its cluster; undefined = it was not. */
  readonly quarantine: string | undefined;
  /** It was being rebuilt from the others. */
  readonly isRejoining: boolean;
}

export interface StoreFacts {
  readonly applied: AppliedPoint;
  readonly revision: number;
  readonly compactRevision: number;
  readonly keys: number;
  /** As `etcdctl endpoint hashkv` at `revision`. */
  readonly hash: number;
  readonly sizeBytes: number;
  readonly incarnation: string | undefined;
  /** An alarm says that the data of some member is corrupt. */
  readonly isCorruptAlarmed: boolean;
  /** Of an earlier recovery, when nothing has happened since. */
  readonly mark: RecoveryMark | undefined;
}

export interface Survivor extends Place {
  /** What makes the directory unfit, each a sentence; empty = it is intact. */
  readonly faults: readonly string[];
  /** It could not be locked, so nothing of it was read: a process works on it. */
  readonly isLocked: boolean;
  /** A recovery was begun here and has only to be finished. */
  readonly isUnfinished: boolean;
  readonly log: LogFacts | undefined;
  readonly store: StoreFacts | undefined;
  readonly care: CareFacts;
  /** The members of its cluster as far as this one knows, by id. */
  readonly members: readonly MemberRecord[];
  /** Of the store's directory, within the data directory; undefined when there is none. */
  readonly storeDirectory: string | undefined;
}

const NOTHING_KNOWN: CareFacts = {
  committed: 0,
  quarantine: undefined,
  isRejoining: false,
};

export async function turn(): Promise<void> {
  await new Promise<void>((resolve) => systemTimers.soon(resolve));
}

/** As readSurvivor, with the directory's lock while it reads. */
export async function inspectSurvivor(place: Place): Promise<Survivor> {
  const { directory } = place;
  if (!(await hostDisk.exists(directory)))
    return unread(place, `there is no directory ${directory}`);
  let lock: DirectoryLock;
  try {
    lock = await lockDirectory(directory);
  } catch (error) {
    return { ...unread(place, messageOf(error)), isLocked: true };
  }
  try {
    return await readSurvivor(place);
  } finally {
    await lock.release();
    // Made by the lock, if it was not there: the member needs it.
    giveOwner(`${directory}/member`, `${directory}/lock`);
  }
}

/** Rejects when there is no such directory, or a process works on it: that one is named. */
export async function takeLock(directory: string): Promise<DirectoryLock> {
  if (!(await hostDisk.exists(directory))) throw new Error(`there is no directory ${directory}`);
  return await lockDirectory(directory);
}

/** Never rejects: what goes wrong is a fault. No process may work on the directory meanwhile. */
export async function readSurvivor(place: Place): Promise<Survivor> {
  const { directory, walDirectory } = place;
  try {
    if (await hostDisk.exists(`${directory}/${RECOVERY_READY}`)) {
      return { ...unread(place), isUnfinished: true };
    }
    const paths = await findDataDirectory(hostDisk, directory, walDirectory);
    return await new Inspection(place, paths).run();
  } catch (error) {
    return unread(place, messageOf(error));
  }
}

function unread(place: Place, ...faults: string[]): Survivor {
  return {
    ...place,
    faults,
    isLocked: false,
    isUnfinished: false,
    log: undefined,
    store: undefined,
    care: NOTHING_KNOWN,
    members: [],
    storeDirectory: undefined,
  };
}

/**
 * As `etcdctl endpoint hashkv --rev`; undefined when the store has compacted it or cannot be read.
 */
export async function hashAt(storeDirectory: string, revision: number) {
  try {
    const backend = await openStoreReadOnly(storeDirectory);
    try {
      const store = await openStore(backend, { yieldToLoop: turn });
      const outcome = await store.hashKv(revision);
      return typeof outcome === "string" ? undefined : outcome;
    } finally {
      await backend.close();
    }
  } catch {
    return undefined;
  }
}

class Inspection {
  readonly #place: Place;
  readonly #paths: DataDirectory;
  readonly #faults: string[] = [];
  readonly #members = new Map<bigint, MemberRecord>();
  #store: StoreFacts | undefined;
  #log: LogFacts | undefined;
  #care = NOTHING_KNOWN;
  #storeDirectory: string | undefined;

  constructor(place: Place, paths: DataDirectory) {
    this.#place = place;
    this.#paths = paths;
  }

  async run(): Promise<Survivor> {
    const { root, store, incoming, replaced } = this.#paths;
    const candidates: string[] = [];
    for (const path of [store, incoming, replaced]) {
      const isUsed = (await hostDisk.exists(path)) && (await hostDisk.list(path)).length > 0;
      if (isUsed) candidates.push(path);
    }
    if (candidates.length === 0) this.#faults.push(`there is no store in ${store}`);
    // A member that was stopped while it took in a snapshot has two: its log fits one of them.
    for (const candidate of candidates) {
      this.#faults.length = 0;
      this.#members.clear();
      this.#storeDirectory = candidate;
      await this.#try(() => this.#readStore(candidate));
      await this.#try(() => this.#readLog());
      if (this.#faults.length === 0) break;
    }
    await this.#try(() => this.#readCare());
    // LMDB makes a file beside the store's, if there is none.
    if (this.#storeDirectory !== undefined) giveOwner(`${root}/member`, this.#storeDirectory);
    return {
      ...this.#place,
      isLocked: false,
      isUnfinished: false,
      faults: this.#faults,
      log: this.#log,
      store: this.#store,
      care: this.#care,
      members: [...this.#members.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
      storeDirectory: this.#storeDirectory,
    };
  }

  async #try(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#faults.push(messageOf(error));
    }
  }

  async #readStore(directory: string): Promise<void> {
    this.#store = undefined;
    const backend = await openStoreReadOnly(directory);
    try {
      this.#readMembers(backend);
      const store = await openStore(backend, { yieldToLoop: turn });
      const outcome = await store.hashKv(0);
      this.#store = {
        applied: backend.applied,
        revision: store.currentRevision,
        compactRevision: store.compactRevision,
        keys: store.keyCount,
        hash: typeof outcome === "string" ? 0 : outcome.hash,
        sizeBytes: backend.sizeBytes().total,
        incarnation: backend.get("cluster", CLUSTER_INCARNATION)?.toString(),
        isCorruptAlarmed: openAlarms(backend).isCorrupt,
        mark: readMark(backend),
      };
    } finally {
      await backend.close();
    }
  }

  #readMembers(backend: Backend): void {
    for (const { value } of backend.scan("members", Buffer.alloc(0), undefined, MEMBERS_MAX)) {
      const member = decodeMemberRecord(value.toString());
      if (member !== undefined) this.#members.set(member.id, member);
    }
  }

  /** From where the store stands; without a store, to its end all the same. */
  async #readLog(): Promise<void> {
    this.#log = undefined;
    const { wal } = this.#paths;
    if (!(await walExists(hostDisk, wal))) {
      throw new Error(`there is no log in ${wal}; is it elsewhere (--wal-dir)?`);
    }
    const segments = await listSegments(hostDisk, wal);
    const end = { index: Number.MAX_SAFE_INTEGER - 1, term: 0 };
    const reader =
      this.#store === undefined
        ? new WalReader({ disk: hostDisk, directory: wal }, segments, end, 0)
        : await readWal(hostDisk, wal, this.#store.applied, 0);
    for await (const batch of reader.batches()) {
      for (const entry of batch) this.#followMembers(entry);
    }
    if (reader.metadata === undefined)
      throw new Error(`the log in ${wal} does not say whose it is`);
    const files = segments.map(({ path }) => statSync(path));
    const { lastIndex, lastTerm, hardState } = reader;
    const { nodeId, clusterId } = reader.metadata;
    this.#log = {
      memberId: nodeId,
      clusterId,
      term: Math.max(hardState.term, lastTerm),
      lastIndex,
      lastTerm,
      commit: Math.min(lastIndex, Math.max(hardState.commit, this.#store?.applied.index ?? 0)),
      lastWriteMs: Math.max(...files.map(({ mtimeMs }) => mtimeMs)),
      sizeBytes: files.reduce((sum, { size }) => sum + size, 0),
      torn: reader.tail?.torn?.found,
    };
    const applied = this.#store?.applied.index ?? 0;
    if (lastIndex >= applied) return;
    throw new Error(
      `the log in ${wal} ends at index ${lastIndex}, the store holds index ${applied}: one of them ` +
        "is from another time",
    );
  }

  /** Floors that are damaged tell nothing, and nothing depends on them. */
  async #readCare(): Promise<void> {
    const { life, floors } = lifePaths(this.#paths);
    const known = (await readFloors(hostDisk, floors)) ?? [];
    this.#care = {
      committed: Math.max(0, ...known.map(({ stable }) => stable)),
      quarantine: (await readLife(hostDisk, life))?.lost,
      isRejoining: await hostDisk.exists(`${this.#paths.root}/${REJOIN_NOTE}`),
    };
  }

  #followMembers(entry: Entry): void {
    const rows = this.#members;
    changeMembers(entry, {
      members: () => [...rows.values()],
      putMember: (member) => void rows.set(member.id, member),
      removeMember: (id) => void rows.delete(id),
    });
    const operation = requestOf(entry)?.operation;
    if (operation?.kind !== "memberAttributesSet") return;
    const member = rows.get(operation.memberId);
    if (member !== undefined) rows.set(member.id, { ...member, ...operation.attributes });
  }
}

/** Far beyond what a cluster can have. */
const MEMBERS_MAX = 10_000;

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
