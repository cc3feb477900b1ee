/**
 * The log as a member finds it when it starts: what stands of it, how far back it can be read, and
 * where writing goes on.
 *
 * What is committed beyond the store's applied index is applied again by the node's ordinary way;
 * the rest is the uncommitted end, which the next leader may replace. Nothing is applied here.
 */
import { DataDirectoryError } from "../datadir/index.ts";
import type { Disk, Logger } from "../seam/index.ts";
import {
  listSegments,
  type LogPoint,
  readWal,
  resumeWal,
  type TermRuns,
  type Wal,
  type WalMetadata,
  type WalOptions,
  type WalReader,
  type WalSnapshot,
} from "../wal/index.ts";
import { LogLost } from "./abandon-log.ts";
import type { Entry, HardState } from "../wire/index.ts";

export interface LogRecoveryOptions {
  readonly disk: Disk;
  readonly walDirectory: string;
  /** Where the store stands. */
  readonly applied: LogPoint;
  /** Entries before `applied` that followers may still ask for (RA-05). */
  readonly catchUpEntries: number;
  readonly logger: Logger;
}

export interface RaftLogFound {
  readonly metadata: WalMetadata;
  /** As Raft is to begin with: what the store has applied is committed, written down or not. */
  readonly hardState: HardState;
  /** The newest record of a snapshot that the store holds (WL-08, SN-05); undefined = none. */
  readonly snapshot: WalSnapshot | undefined;
  /** Of the log that stands and can be read: [firstIndex - 1, lastIndex]. */
  readonly terms: TermRuns;
  /** All after `applied`, in order and without gaps. */
  readonly entries: Entry[];
  /** Opens the log for appending; a torn end is cut. Call it once. */
  resume(options: WalOptions): Promise<Wal>;
}

/** Changes nothing on the disk. Throws DataDirectoryError, WalCorrupt, and what the disk does. */
export async function readRaftLog(options: LogRecoveryOptions): Promise<RaftLogFound> {
  const { disk, walDirectory, applied, catchUpEntries, logger } = options;
  await checkBeginning(disk, walDirectory, applied.index);
  const termsFrom = Math.max(0, applied.index - catchUpEntries);
  const reader = await readWal(disk, walDirectory, applied, termsFrom);
  const entries: Entry[] = [];
  for await (const batch of reader.batches()) {
    for (const entry of batch) entries.push(entry);
  }
  const { metadata, hardState, tail } = reader;
  if (metadata === undefined) {
    throw new DataDirectoryError(`the log in ${walDirectory} does not say whose it is`);
  }
  checkReach(reader, walDirectory);
  const torn = tail?.torn;
  if (torn !== undefined) {
    logger.warn("cut the torn end of the log; what it held was never acknowledged", {
      path: tail?.segments.at(-1)?.path,
      ...torn,
    });
  }
  return {
    metadata,
    hardState: { ...hardState, commit: Math.max(hardState.commit, applied.index) },
    snapshot: reader.snapshots.findLast(({ index }) => index > 0 && index <= applied.index),
    terms: reader.terms,
    entries,
    resume: (walOptions) => resumeWal(reader, walOptions),
  };
}

/** The log begins after the store's end: the store is missing, or not the newest. */
export class StoreBehindLog extends DataDirectoryError {}

/**
 * The log's beginning is only released once a store holds it: a store from before is not the one
 * that belongs here, though the log is where the gap would show (DB-02). Rejects with
 * StoreBehindLog.
 */
export async function checkBeginning(
  disk: Disk,
  walDirectory: string,
  storeIndex: number,
): Promise<void> {
  const firstIndex = (await listSegments(disk, walDirectory))[0]?.firstIndex ?? 0;
  if (firstIndex <= storeIndex + 1) return;
  const gap =
    storeIndex === 0
      ? "the store is missing or empty"
      : `the store stands at index ${storeIndex}: it, or the log, is not the newest`;
  throw new StoreBehindLog(
    `${gap}; the log in ${walDirectory} is there, but begins at index ${firstIndex} and counts on ` +
      "the store for what came before; put the store back, or a copy of the whole data directory",
  );
}

/** A store that is ahead of its log: one of the two comes from another time or place (DB-02). */
function checkReach(reader: WalReader, walDirectory: string): void {
  if (reader.lastIndex >= reader.from.index) return;
  throw new LogLost(
    `the log in ${walDirectory} ends at index ${reader.lastIndex}, the store holds index ` +
      `${reader.from.index}: the log was lost or put back from an older copy; put back log and ` +
      "store of the same moment",
  );
}
