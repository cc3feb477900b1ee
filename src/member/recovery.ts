/**
 * The two ways in which a member gets its log: founding it, with the entry that makes it the only
 * voter, and recovering it, by replaying what the store has not got yet.
 */
import { decodeMemberRecord, encodeMemberRecord, type Machine } from "../apply/index.ts";
import type { Backend } from "../backend/index.ts";
import { MalformedError } from "../base/index.ts";
import type { Clock, Digests, Disk, Logger } from "../seam/index.ts";
import {
  createWal,
  listSegments,
  readWal,
  resumeWal,
  type Wal,
  type WalReader,
} from "../wal/index.ts";
import {
  ConfChangeType,
  decodeConfChange,
  decodeRaftRequest,
  type Entry,
  EntryType,
  encodeConfChange,
  type HardState,
  marshal,
} from "../wire/index.ts";
import { DataDirectoryError, deriveClusterId, deriveMemberId, formatId } from "../datadir/index.ts";

export interface RecoveredLog {
  readonly wal: Wal;
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly hardState: HardState;
  readonly lastIndex: number;
}

export interface RecoveryOptions {
  readonly walDirectory: string;
  readonly peerUrls: readonly string[];
  readonly clusterToken: string;
  readonly machine: Machine;
  readonly backend: Backend;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly digests: Digests;
  readonly logger: Logger;
}

/** A new cluster of one (RA-06): entry 1 of term 1 adds this member. */
export async function foundLog(options: RecoveryOptions): Promise<RecoveredLog> {
  const { walDirectory, digests, machine, disk, clock } = options;
  const id = deriveMemberId(options.peerUrls, options.clusterToken, digests);
  const clusterId = deriveClusterId([id], digests);
  const record = {
    id,
    peerUrls: [...options.peerUrls].sort(),
    isLearner: false,
    name: "",
    clientUrls: [],
  };
  const change = {
    id: 0n,
    type: ConfChangeType.ADD_NODE,
    nodeId: id,
    context: Buffer.from(encodeMemberRecord(record)),
  };
  const entry: Entry = {
    type: EntryType.CONF_CHANGE,
    term: 1,
    index: 1,
    data: marshal(encodeConfChange, change),
  };
  const hardState = { term: 1, vote: 0n, commit: 1 };
  const founding = { entries: [entry], hardState };
  const metadata = { nodeId: id, clusterId };
  const wal = await createWal(disk, walDirectory, metadata, { clock, founding });
  replay(entry, machine);
  options.logger.info("founded a cluster of one member", {
    "local-member-id": formatId(id),
    "cluster-id": formatId(clusterId),
  });
  return { wal, id, clusterId, hardState, lastIndex: 1 };
}

export async function recoverLog(options: RecoveryOptions): Promise<RecoveredLog> {
  const { walDirectory, machine, backend, disk, logger } = options;
  const startIndex = backend.applied.index;
  await checkBeginning(disk, walDirectory, startIndex);
  const reader = await readWal(disk, walDirectory, backend.applied);
  for await (const entries of reader.batches()) {
    for (const entry of entries) replay(entry, machine);
    if (backend.overlayBytes > REPLAY_OVERLAY_BYTES) await backend.commit();
  }
  if (reader.metadata === undefined) {
    throw new DataDirectoryError(`the log in ${walDirectory} does not say whose it is`);
  }
  checkReach(reader, backend, walDirectory);
  const torn = reader.tail?.torn;
  if (torn !== undefined) {
    const path = reader.tail?.segments.at(-1)?.path;
    logger.warn("cut the torn end of the log; what it held was never acknowledged", {
      path,
      ...torn,
    });
  }
  const wal = await resumeWal(reader, { clock: options.clock });
  logger.info("recovered", {
    "store-index": startIndex,
    "log-index": reader.lastIndex,
    "replayed-entries": reader.lastIndex - startIndex,
  });
  const { nodeId, clusterId } = reader.metadata;
  const { hardState, lastIndex } = reader;
  return { wal, id: nodeId, clusterId, hardState, lastIndex };
}

/** Replay commits when this much waits, so that a long log does not fill the memory. */
const REPLAY_OVERLAY_BYTES = 32 * 1024 * 1024;

/**
 * The log's beginning is only released once a store holds it: a store from before is not the one
 * that belongs here, though the log is where the gap would show (DB-02).
 */
async function checkBeginning(disk: Disk, walDirectory: string, storeIndex: number): Promise<void> {
  const firstIndex = (await listSegments(disk, walDirectory))[0]?.firstIndex ?? 0;
  if (firstIndex <= storeIndex + 1) return;
  const gap =
    storeIndex === 0
      ? "the store is missing or empty"
      : `the store stands at index ${storeIndex}: it, or the log, is not the newest`;
  throw new DataDirectoryError(
    `${gap}; the log in ${walDirectory} is there, but begins at index ${firstIndex} and counts on ` +
      "the store for what came before; put the store back, or a copy of the whole data directory",
  );
}

/** A store that is ahead of its log: one of the two comes from another time or place (DB-02). */
function checkReach(reader: WalReader, backend: Backend, walDirectory: string): void {
  if (reader.lastIndex >= backend.applied.index) return;
  throw new DataDirectoryError(
    `the log in ${walDirectory} ends at index ${reader.lastIndex}, the store holds index ` +
      `${backend.applied.index}: the log was lost or put back from an older copy; put back log and ` +
      "store of the same moment",
  );
}

/** The log is taken as hostile: what cannot be decoded is passed over, on every member alike. */
function replay(entry: Entry, machine: Machine): void {
  if (entry.type === EntryType.CONF_CHANGE) {
    applyConfChange(entry, machine);
  } else if (entry.type === EntryType.NORMAL && entry.data.length > 0) {
    const request = tryDecode(() => decodeRaftRequest(entry.data));
    if (request === undefined) machine.advance(entry.index, entry.term);
    else machine.apply(entry.index, entry.term, request, false);
  } else {
    machine.advance(entry.index, entry.term);
  }
}

function applyConfChange(entry: Entry, machine: Machine): void {
  const change = tryDecode(() => decodeConfChange(entry.data));
  const isMine = change !== undefined && change.type === ConfChangeType.ADD_NODE;
  const record = isMine ? decodeMemberRecord(change.context.toString("utf8")) : undefined;
  if (record !== undefined) machine.putMember(record);
  machine.advance(entry.index, entry.term);
}

function tryDecode<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}
