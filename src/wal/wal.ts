/**
 * The writing end of the log: batches in, durable when the promise settles.
 *
 * Everything appended while one write is under way is encoded into the next batch and goes out with
 * it, so that there is one durable write in flight and one promise per batch, however many callers.
 * A record that need not be durable (a moved commit index) waits for the next batch.
 *
 * Segments are made full-sized, and zeros are written a few MB ahead of the tail in the background:
 * a durable write into blocks that exist needs no change of the file system's own structures, which
 * makes it up to half as long (decision 0005). The next segment is made before it is needed.
 *
 * Invariant: at most one batch is being written; batches reach the disk in the order of the calls.
 * Errors: the first failed write is final. The batch and every later call reject with WalFailed;
 *   nothing is tried again, because what a failed sync left behind cannot be known.
 */
import { assert, Counter, exponentialBounds, Histogram } from "../base/index.ts";
import type { Clock, Disk, OpenFile } from "../seam/index.ts";
import type { Entry, HardState } from "../wire/index.ts";
import { RecordBuffer } from "./encoder.ts";
import { WalFailed } from "./errors.ts";
import {
  marshalHardState,
  marshalMetadata,
  marshalSnapshot,
  RecordType,
  type WalMetadata,
  type WalSnapshot,
} from "./record.ts";
import { joinPath, type Segment, SEGMENT_BYTES, segmentName } from "./segment.ts";
import { ZeroAhead } from "./zero-ahead.ts";

export interface WalOptions {
  readonly clock: Clock;
  /** Size at which a segment is cut. */
  readonly segmentBytes?: number;
  /** How far ahead of the tail zeros are written; 0 turns it off. */
  readonly zeroAheadBytes?: number;
}

/**
 * Histogram `etcd_disk_wal_fsync_duration_seconds` and counter `etcd_disk_wal_write_bytes_total`.
 */
export class WalMetrics {
  readonly fsyncSeconds = new Histogram(exponentialBounds(0.001, 2, 14));
  readonly writeBytes = new Counter();
}

/** Where a log stands that is being opened or was just made. */
export interface WalPosition {
  readonly metadata: WalMetadata;
  readonly segments: readonly Segment[];
  readonly file: OpenFile;
  readonly offset: number;
  readonly crc: number;
  readonly lastIndex: number;
  readonly hardState: HardState;
  readonly snapshotIndex: number;
}

interface Settled {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

interface Batch {
  readonly records: RecordBuffer;
  readonly settled: Settled;
  /** Set when the batch opens a segment, with whose header it begins. */
  segment: Segment | undefined;
}

/** Bytes that may wait behind the write in flight. Beyond: an append rejects, nothing is taken. */
const WAITING_BYTES_MAX = 512 * 1024 * 1024;
/** The next segment is made when this much is left of the one in use. */
const SPARE_BEFORE_BYTES = 16_000_000;
const ZERO_AHEAD_BYTES = 4 * 1024 * 1024;
/** After a larger batch the disk has enough to write without zeros (decision 0005). */
const ZERO_AHEAD_BATCH_BYTES_MAX = 128 * 1024;

export class Wal {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #segmentBytes: number;
  /** The next batch begins a segment. */
  #isCutDue = false;
  readonly #zeroAheadBytes: number;
  readonly #metadata: Buffer;
  readonly metrics = new WalMetrics();

  #segments: Segment[];
  #file: OpenFile;
  #zeros: ZeroAhead;
  /** The made, not yet begun, next segment. */
  #spare: Promise<OpenFile> | undefined;
  /** Offset of the next byte in the tail segment. */
  #offset: number;
  /** Running crc after everything encoded so far. */
  #crc: number;
  #lastIndex: number;
  #hardState: HardState;
  /** `#hardState` is newer than what was encoded. */
  #isStateWaiting = false;
  /** And somebody waits for it. */
  #isStateDue = false;
  #snapshotIndex: number;
  #releasedIndex = 0;

  #batch: Batch = newBatch(new RecordBuffer());
  /** The buffer that the next batch takes: the two take turns. */
  #idle = new RecordBuffer();
  /** Settles when nothing is left to write. */
  #writing: Promise<void> | undefined;
  #failure: WalFailed | undefined;
  #closing: Promise<void> | undefined;

  constructor(disk: Disk, directory: string, position: WalPosition, options: WalOptions) {
    this.#disk = disk;
    this.#directory = directory;
    this.#clock = options.clock;
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.#zeroAheadBytes = options.zeroAheadBytes ?? ZERO_AHEAD_BYTES;
    this.#metadata = marshalMetadata(position.metadata);
    this.#segments = [...position.segments];
    this.#file = position.file;
    this.#offset = position.offset;
    this.#crc = position.crc;
    this.#lastIndex = position.lastIndex;
    this.#hardState = position.hardState;
    this.#snapshotIndex = position.snapshotIndex;
    this.#zeros = this.#newZeros(position.file, position.offset);
    this.#zeros.advance(position.offset);
  }

  get lastIndex(): number {
    return this.#lastIndex;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** Where the durable records end in the last of `segments`. */
  get durableOffset(): number {
    return this.#offset;
  }

  /** The reason why nothing can be appended any more. */
  get failure(): WalFailed | undefined {
    return this.#failure;
  }

  /**
   * Appends entries and, when given, the state that came with them; settles when they are durable.
   * Entries are encoded before this returns and are not kept. An index that is not past the last
   * one replaces what the log holds from there on (WL-08).
   */
  append(entries: readonly Entry[], hardState?: HardState): Promise<void> {
    const refused = this.#refusal();
    if (refused !== undefined) return Promise.reject(refused);
    const { records } = this.#batch;
    for (let position = 0; position < entries.length; position += 1) {
      const entry = entries[position] as Entry;
      assert(entry.index <= this.#lastIndex + 1, "an appended entry leaves no gap");
      this.#crc = records.addEntry(this.#crc, entry);
      this.#lastIndex = entry.index;
    }
    if (hardState !== undefined) {
      this.setCommit(hardState);
      this.#isStateDue = true;
    }
    return this.#flush();
  }

  /**
   * Takes a state of which only the commit index is new: it is written with the next batch, because
   * losing it loses nothing (RA-04, WL-11).
   */
  setCommit(hardState: HardState): void {
    assert(hardState.term >= this.#hardState.term, "a hard state's term never goes back");
    this.#hardState = hardState;
    this.#isStateWaiting = true;
  }

  /**
   * Records that the store holds everything up to this point, durably: call it after that is true
   * (WL-09). The log before it may then be released.
   */
  async saveSnapshot(snapshot: WalSnapshot): Promise<void> {
    const refused = this.#refusal();
    if (refused !== undefined) throw refused;
    this.#add(RecordType.SNAPSHOT, marshalSnapshot(snapshot));
    if (snapshot.index > this.#lastIndex) this.#lastIndex = snapshot.index;
    await this.#flush();
    if (snapshot.index > this.#snapshotIndex) this.#snapshotIndex = snapshot.index;
  }

  /**
   * Begins the log anew after a snapshot from elsewhere, whose image is durable already: entries go
   * on at `snapshot.index + 1`, what was here before counts no more. The state written with it, the
   * one that is known if none is given, says that the snapshot is committed: without that etcd
   * takes the record for one that was never finished.
   */
  installSnapshot(snapshot: WalSnapshot, hardState = this.#hardState): Promise<void> {
    const refused = this.#refusal();
    if (refused !== undefined) return Promise.reject(refused);
    this.#add(RecordType.SNAPSHOT, marshalSnapshot(snapshot));
    this.#lastIndex = snapshot.index;
    if (snapshot.index > this.#snapshotIndex) this.#snapshotIndex = snapshot.index;
    const commit = Math.max(hardState.commit, snapshot.index);
    return this.append([], { ...hardState, commit });
  }

  /**
   * Goes on in a new segment, whatever room there is in this one: what was written so far can be
   * removed once it is released. Settles with the first index of the new one.
   */
  async cut(): Promise<number> {
    const refused = this.#refusal();
    if (refused !== undefined) throw refused;
    this.#isCutDue = true;
    this.#isStateWaiting = true;
    this.#isStateDue = true;
    await this.#flush();
    // The batch that begins the segment was made by the one before it.
    await this.#flush();
    return (this.#segments.at(-1) as Segment).firstIndex;
  }

  /**
   * Nothing up to `index` will be read again: the store has it durably and no follower needs it.
   * Not past the newest snapshot record. `purge` removes the files.
   */
  release(index: number): void {
    assert(index <= this.#snapshotIndex, "only what a snapshot record covers is released");
    if (index > this.#releasedIndex) this.#releasedIndex = index;
  }

  /**
   * Removes the oldest released segments until `segmentsMax` files are left; 0 keeps all (WL-10).
   * The segment that holds the released index itself stays. The paths removed.
   */
  async purge(segmentsMax: number): Promise<string[]> {
    const removed: string[] = [];
    if (segmentsMax <= 0) return removed;
    while (this.#segments.length > segmentsMax && this.#segments.length > 1) {
      const oldest = this.#segments[0] as Segment;
      const next = this.#segments[1] as Segment;
      if (next.firstIndex > this.#releasedIndex) break;
      this.#segments = this.#segments.slice(1);
      await this.#disk.remove(oldest.path);
      removed.push(oldest.path);
    }
    if (removed.length > 0) await this.#disk.syncDirectory(this.#directory);
    return removed;
  }

  /** Settles when all that was appended is durable and every file is closed. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#failure === undefined) {
      this.#isStateDue = this.#isStateWaiting;
      await this.#flush().catch(() => undefined);
    }
    this.#failure ??= new WalFailed("the write-ahead log is closed");
    await this.#writing;
    await this.#zeros.stop();
    await this.#dropSpare();
    await this.#file.close();
  }

  #refusal(): Error | undefined {
    if (this.#failure !== undefined) return this.#failure;
    if (this.#closing !== undefined) return new WalFailed("the write-ahead log is closed");
    if (this.#batch.records.length > WAITING_BYTES_MAX) {
      return new WalFailed("the write-ahead log is too far behind to take more");
    }
    return undefined;
  }

  get #hasWork(): boolean {
    return this.#batch.records.length > 0 || this.#isStateDue;
  }

  #add(type: number, data: Uint8Array): void {
    this.#crc = this.#batch.records.addRecord(type, this.#crc, data);
  }

  #encodeState(): void {
    if (!this.#isStateWaiting) return;
    this.#isStateWaiting = false;
    this.#isStateDue = false;
    this.#add(RecordType.STATE, marshalHardState(this.#hardState));
  }

  /** The promise of the batch that is being filled; starts the write when none is under way. */
  #flush(): Promise<void> {
    if (!this.#hasWork) return this.#writing ?? Promise.resolve();
    const { promise } = this.#batch.settled;
    this.#writing ??= this.#writeBatches();
    return promise;
  }

  /** Writes batch after batch until none is left. Never rejects. */
  async #writeBatches(): Promise<void> {
    while (this.#hasWork && this.#failure === undefined) {
      const batch = this.#seal();
      try {
        await this.#write(batch);
        batch.settled.resolve();
        this.#prepare(batch.records.length);
        this.#idle = batch.records;
        this.#idle.clear();
      } catch (error) {
        this.#fail(error, batch);
      }
    }
    this.#writing = undefined;
  }

  /**
   * Takes the batch being filled and begins the next: with a new segment, when this one is full.
   */
  #seal(): Batch {
    // Last in its batch, and only there: it proves that the batch is whole (beyond-tail.ts).
    this.#encodeState();
    const batch = this.#batch;
    this.#batch = newBatch(this.#idle);
    const end = (batch.segment === undefined ? this.#offset : 0) + batch.records.length;
    if (end < this.#segmentBytes && !this.#isCutDue) return batch;
    this.#isCutDue = false;
    const newest = batch.segment ?? (this.#segments.at(-1) as Segment);
    const sequence = newest.sequence + 1;
    const firstIndex = this.#lastIndex + 1;
    const path = joinPath(this.#directory, segmentName(sequence, firstIndex));
    this.#batch.segment = { path, sequence, firstIndex };
    this.#batch.records.addCrc(this.#crc);
    this.#add(RecordType.METADATA, this.#metadata);
    this.#isStateWaiting = this.#hardState.term > 0;
    this.#encodeState();
    return batch;
  }

  async #write(batch: Batch): Promise<void> {
    const bytes = batch.records.written;
    if (batch.segment === undefined) {
      const overlap = this.#zeros.claim(this.#offset + bytes.length);
      if (overlap !== undefined) await overlap;
      await this.#writeDurable(this.#file, bytes, this.#offset);
      this.#offset += bytes.length;
    } else {
      await this.#beginSegment(batch.segment, bytes);
    }
    this.metrics.writeBytes.add(bytes.length);
  }

  async #writeDurable(file: OpenFile, bytes: Buffer, offset: number): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    await file.writeDurable(bytes, offset);
    this.metrics.fsyncSeconds.observe((this.#clock.monotonicMs() - startMs) / 1000);
  }

  /**
   * The new segment appears whole or not at all. The old one ends with its records as it is: it is
   * full because they reached its size, or beyond.
   */
  async #beginSegment(segment: Segment, bytes: Buffer): Promise<void> {
    await this.#zeros.stop();
    const ended = this.#file;
    const file = await (this.#spare ?? this.#makeSpare(segment.sequence));
    this.#spare = undefined;
    this.#file = file;
    await ended.close();
    await this.#writeDurable(file, bytes, 0);
    await this.#disk.rename(this.#sparePath(segment.sequence), segment.path);
    await this.#disk.syncDirectory(this.#directory);
    this.#segments = [...this.#segments, segment];
    this.#offset = bytes.length;
    this.#zeros = this.#newZeros(file, Math.max(bytes.length, this.#zeroAheadBytes));
  }

  /** What is done ahead of the writes, in the background. */
  #prepare(writtenBytes: number): void {
    if (writtenBytes <= ZERO_AHEAD_BATCH_BYTES_MAX) this.#zeros.advance(this.#offset);
    if (this.#spare !== undefined || this.#batch.segment !== undefined) return;
    if (this.#offset < this.#segmentBytes - SPARE_BEFORE_BYTES) return;
    this.#spare = this.#makeSpare((this.#segments.at(-1) as Segment).sequence + 1);
    // Told to the write that needs it.
    this.#spare.catch(() => undefined);
  }

  async #makeSpare(sequence: number): Promise<OpenFile> {
    const file = await this.#disk.open(this.#sparePath(sequence), "create");
    await file.truncate(this.#segmentBytes);
    const zeros = Math.min(this.#zeroAheadBytes, this.#segmentBytes);
    if (zeros > 0) await file.write(Buffer.alloc(zeros), 0);
    await file.sync();
    return file;
  }

  async #dropSpare(): Promise<void> {
    const spare = this.#spare;
    if (spare === undefined) return;
    this.#spare = undefined;
    try {
      const file = await spare;
      await file.close();
      await this.#disk.remove(file.path);
    } catch {
      // It is removed when the log is opened again.
    }
  }

  #sparePath(sequence: number): string {
    return joinPath(this.#directory, `${sequence % 2}.tmp`);
  }

  #newZeros(file: OpenFile, at: number): ZeroAhead {
    const limits = { at, limit: this.#segmentBytes, aheadBytes: this.#zeroAheadBytes };
    return new ZeroAhead(file, limits, (error) => this.#fail(error, undefined));
  }

  /** Final: the batch that failed and the one being filled are refused, and all that follow. */
  #fail(cause: unknown, batch: Batch | undefined): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#failure ??= new WalFailed(
      `cannot write the write-ahead log in ${this.#directory}: ${reason}; ` +
        "what was not acknowledged may be lost, and this member must be started again",
      { cause },
    );
    for (const { settled } of [batch ?? this.#batch, this.#batch]) {
      settled.promise.catch(() => undefined);
      settled.reject(this.#failure);
    }
  }
}

function newBatch(records: RecordBuffer): Batch {
  let resolve = (): void => undefined;
  let reject: (error: Error) => void = resolve;
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { records, settled: { promise, resolve, reject }, segment: undefined };
}
