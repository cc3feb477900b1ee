/**
 * Replays a log from a point on: which entries stand, which hard state, where the tail is.
 *
 * Entries that a later leader replaced are never shown: an entry is handed out once the log itself
 * says that it is committed, and the rest at the end. So what is held in memory is one batch and
 * the entries beyond the newest commit seen.
 *
 * Next: segment-reader.ts for the bytes, wal.ts for going on at the tail.
 */
import type { Disk } from "../seam/index.ts";
import type { Entry, HardState } from "../wire/index.ts";
import { WalCorrupt } from "./errors.ts";
import {
  readEntry,
  readHardState,
  readMetadata,
  readSnapshot,
  RecordType,
  type WalMetadata,
  type WalSnapshot,
} from "./record.ts";
import { listSegments, type Segment, segmentHolding } from "./segment.ts";
import { SegmentReader, type TornTail } from "./segment-reader.ts";
import { TermRuns } from "./term-runs.ts";

/** Entries handed out in one batch at most, and about how many bytes. */
const BATCH_ENTRIES_MAX = 4096;
const BATCH_BYTES_MAX = 1024 * 1024;

/** A point in the log that the store stands at; {0, 0} for an empty store. */
export interface LogPoint {
  readonly index: number;
  readonly term: number;
}

/** Where the writer goes on. */
export interface WalTail {
  readonly segments: readonly Segment[];
  readonly offset: number;
  readonly crc: number;
  readonly torn: TornTail | undefined;
}

export class WalReader {
  readonly disk: Disk;
  readonly directory: string;
  readonly #segments: readonly Segment[];
  /** What the store holds already. */
  readonly from: LogPoint;
  readonly #first: number;
  /** Entries after `from`, not yet handed out; contiguous. */
  #held: Entry[] = [];
  /** The newest entry of the log so far, or the snapshot that it goes on after. */
  #newestIndex: number;
  #newestTerm = 0;
  /** Of the entries read that stand, those up to `from` included; undefined before the first. */
  #terms: TermRuns | undefined;
  #isDone = false;
  #tail: WalTail | undefined;

  metadata: WalMetadata | undefined;
  /** The newest; its commit may lag behind what the store has applied (WL-11). */
  hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  /** Snapshot records seen, oldest first, the newest `SNAPSHOTS_MAX` of them. */
  readonly snapshots: WalSnapshot[] = [];
  /**
   * Of the newest entry that stands, after the end. Less than where reading began when the log is
   * behind the store: then one of them is not the other's (DB-02), and nothing may be appended.
   */
  lastIndex: number;
  lastTerm: number;

  constructor(
    place: { disk: Disk; directory: string },
    segments: readonly Segment[],
    from: LogPoint,
    termsFrom = from.index + 1,
  ) {
    this.disk = place.disk;
    this.directory = place.directory;
    this.#segments = segments;
    this.from = from;
    this.#first = Math.max(0, segmentHolding(segments, Math.min(termsFrom, from.index + 1)));
    // A segment is named for the index after the newest entry before it.
    this.#newestIndex = Math.max((segments[this.#first]?.firstIndex ?? 0) - 1, 0);
    this.lastIndex = from.index;
    this.lastTerm = from.term;
  }

  /**
   * The terms of the log as it stands, from as far back as entries can be read on disk: its base is
   * the point before the first of them. Whole once `batches` has ended; the caller's from then on.
   */
  get terms(): TermRuns {
    return this.#terms ?? new TermRuns(this.from.index, this.from.term);
  }

  /** Known once `batches` has ended. */
  get tail(): WalTail | undefined {
    return this.#tail;
  }

  /**
   * The entries after the point given, in order and without gaps, each index once. A batch and the
   * data of its entries belong to the caller. Throws WalCorrupt, and what the disk throws.
   */
  async *batches(): AsyncGenerator<Entry[], void, void> {
    let crc: number | undefined;
    for (let position = this.#first; position < this.#segments.length; position += 1) {
      const { path } = this.#segments[position] as Segment;
      const isLast = position === this.#segments.length - 1;
      const segment = new SegmentReader(await this.disk.open(path, "read"), { isLast, crc });
      try {
        await segment.open();
        while (!segment.isAtEnd) {
          this.#take(segment);
          if (segment.isAtEnd) break;
          yield* this.#settled(this.hardState.commit);
          await segment.fill();
        }
        if (isLast) await segment.checkBeyond();
      } finally {
        await segment.close();
      }
      crc = segment.crc;
      if (isLast) this.#finish(segment, path);
    }
    yield* this.#settled(this.lastIndex);
    this.#isDone = true;
  }

  /** Reads to the end and drops the entries. */
  async drain(): Promise<void> {
    for await (const batch of this.batches()) batch.length = 0;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  #finish(segment: SegmentReader, path: string): void {
    if (this.metadata === undefined || segment.crc === undefined) {
      throw new WalCorrupt({
        path,
        offset: segment.offset,
        found: "the end of the log",
        wanted: "a metadata record before it",
      });
    }
    const { index, term } = this.from;
    const logTerm = this.#terms?.term(index) ?? term;
    if (logTerm !== term) {
      throw new WalCorrupt({
        path,
        offset: segment.offset,
        found: `term ${logTerm} for the entry at index ${index}`,
        wanted: `term ${term}, which the store has applied`,
      });
    }
    if (this.#newestIndex < index) {
      this.lastIndex = this.#newestIndex;
      this.lastTerm = this.#newestTerm;
    }
    this.#tail = {
      segments: this.#segments,
      offset: segment.offset,
      crc: segment.crc,
      torn: segment.torn,
    };
  }

  /** Takes every record that the segment's window holds. */
  #take(segment: SegmentReader): void {
    for (let type = segment.next(); type !== 0; type = segment.next()) {
      if (type === RecordType.ENTRY) this.#takeEntry(segment);
      else if (type === RecordType.STATE) this.#takeState(segment);
      else if (type === RecordType.METADATA) this.#takeMetadata(segment);
      else if (type === RecordType.SNAPSHOT) this.#takeSnapshot(segment);
    }
  }

  #takeEntry(segment: SegmentReader): void {
    const { dataLo, dataHi } = segment.frame;
    const entry = readEntry(segment.window, dataLo, dataHi);
    if (entry === undefined) throw segment.fault("bytes that are no entry", "a raftpb.Entry");
    const { index, term } = entry;
    if (index > this.#newestIndex + 1) {
      throw segment.fault(`entry ${index}`, `entry ${this.#newestIndex + 1} or one before it`);
    }
    const termBefore = this.#terms?.term(index - 1) ?? this.#termFrom(index);
    if (term < termBefore) {
      throw segment.fault(`term ${term} at index ${index}`, `term ${termBefore} or later`);
    }
    this.#newestIndex = index;
    this.#newestTerm = term;
    const heldAfter = this.lastIndex - this.#held.length;
    if (index <= heldAfter && heldAfter > this.from.index) {
      throw segment.fault(`entry ${index} again`, `entry ${heldAfter + 1}: this one is committed`);
    }
    this.#addTerm(index, term);
    if (index <= this.from.index) return this.#holdNothing();
    this.#held.length = index - heldAfter - 1;
    this.#held.push(entry);
    this.lastIndex = index;
    this.lastTerm = term;
  }

  /** What the term at `index` is at least, when the entry before it was not read. */
  #termFrom(index: number): number {
    return index === this.from.index + 1 ? this.from.term : 0;
  }

  /** The entry that reading begins with is the base, unless the one before it is known. */
  #addTerm(index: number, term: number): void {
    if (this.#terms !== undefined && index > this.#terms.baseIndex) {
      this.#terms.append(index, term);
    } else if (index === 1 || index === this.from.index + 1) {
      this.#terms = index === 1 ? new TermRuns(0, 0) : new TermRuns(index - 1, this.from.term);
      this.#terms.append(index, term);
    } else {
      this.#terms = new TermRuns(index, term);
    }
  }

  #holdNothing(): void {
    this.#held.length = 0;
    this.lastIndex = this.from.index;
    this.lastTerm = this.from.term;
  }

  #takeState(segment: SegmentReader): void {
    const { dataLo, dataHi } = segment.frame;
    const state = readHardState(segment.window, dataLo, dataHi);
    if (state === undefined) throw segment.fault("bytes that are no state", "a raftpb.HardState");
    if (state.term < this.hardState.term) {
      throw segment.fault(`a state of term ${state.term}`, `term ${this.hardState.term} or later`);
    }
    this.hardState = state;
  }

  #takeMetadata(segment: SegmentReader): void {
    const { dataLo, dataHi } = segment.frame;
    const metadata = readMetadata(segment.window, dataLo, dataHi);
    if (metadata === undefined)
      throw segment.fault("bytes that are no metadata", "member and cluster");
    const known = this.metadata ?? metadata;
    if (known.nodeId !== metadata.nodeId || known.clusterId !== metadata.clusterId) {
      throw segment.fault(describe(metadata), describe(known));
    }
    this.metadata = metadata;
  }

  #takeSnapshot(segment: SegmentReader): void {
    const { dataLo, dataHi } = segment.frame;
    const snapshot = readSnapshot(segment.window, dataLo, dataHi);
    if (snapshot === undefined) throw segment.fault("bytes that are no snapshot", "index and term");
    this.snapshots.push(snapshot);
    if (this.snapshots.length > SNAPSHOTS_MAX) this.snapshots.shift();
    const { index, term } = snapshot;
    const logTerm = this.#terms?.term(index) ?? term;
    if (index <= this.#newestIndex && logTerm === term) return;
    // From elsewhere: it took the place of a log that was too short, or not the leader's.
    if (index > this.from.index) {
      const wanted = `entry ${this.lastIndex + 1}, where the store goes on`;
      throw segment.fault(`a snapshot at index ${index}`, wanted);
    }
    const heldAfter = this.lastIndex - this.#held.length;
    if (heldAfter > this.from.index) {
      const wanted = `term ${logTerm}: entries after it are committed`;
      throw segment.fault(`a snapshot at index ${index} of term ${term}`, wanted);
    }
    this.#newestIndex = index;
    this.#newestTerm = term;
    this.#terms = new TermRuns(index, term);
    this.#holdNothing();
  }

  /** Hands out what is held up to `index`. */
  *#settled(index: number): Generator<Entry[], void, void> {
    const count = Math.min(this.#held.length, index - (this.lastIndex - this.#held.length));
    if (count <= 0) return;
    let lo = 0;
    const held = this.#held;
    this.#held = held.slice(count);
    while (lo < count) {
      let bytes = 0;
      let hi = lo;
      while (hi < count && hi - lo < BATCH_ENTRIES_MAX && bytes < BATCH_BYTES_MAX) {
        bytes += (held[hi] as Entry).data.length;
        hi += 1;
      }
      yield held.slice(lo, hi);
      lo = hi;
    }
  }
}

const SNAPSHOTS_MAX = 64;

/**
 * Begins to read the log that leads on from `from`. Nothing on the disk is changed. With
 * `termsFrom`, a lower index, reading begins there if it can, so that the terms are known.
 */
export async function readWal(
  disk: Disk,
  directory: string,
  from: LogPoint,
  termsFrom?: number,
): Promise<WalReader> {
  const segments = await listSegments(disk, directory);
  if (segmentHolding(segments, from.index + 1) < 0) {
    const first = segments[0];
    throw new WalCorrupt({
      path: first?.path ?? directory,
      offset: 0,
      found: first === undefined ? "no segment" : `a log that begins at index ${first.firstIndex}`,
      wanted: `one that holds index ${from.index + 1}, where the store goes on`,
    });
  }
  return new WalReader({ disk, directory }, segments, from, termsFrom);
}

/** The snapshot records of a log, oldest first, the newest 64 of them. Reads all of it. */
export async function readSnapshots(disk: Disk, directory: string): Promise<WalSnapshot[]> {
  const segments = await listSegments(disk, directory);
  const end = { index: Number.MAX_SAFE_INTEGER - 1, term: 0 };
  const reader = new WalReader({ disk, directory }, segments, end, 0);
  await reader.drain();
  return reader.snapshots;
}

function describe(metadata: WalMetadata): string {
  return `member ${metadata.nodeId.toString(16)} of cluster ${metadata.clusterId.toString(16)}`;
}
