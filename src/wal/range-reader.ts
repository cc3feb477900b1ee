/**
 * Reads entries from anywhere in the log while it is being written: for followers that are behind
 * what is kept in memory.
 *
 * An entry is known by its index and term: no two with both the same differ. So the caller says the
 * term that stands at an index, and what a later leader replaced is passed over without looking
 * ahead.
 *
 * Records chain their checksums, so reading begins at a record whose running crc is known: at the
 * start of a segment, or at a mark set by an earlier read. A mark whose log ended at index n serves
 * for any entry above n: those that stand all come after it. Reading on where the last page ended
 * costs nothing beyond the page.
 *
 * Errors: WalCorrupt for damage and for entries that are not where they must be; what the disk
 * rejects with, ENOENT among them when the segment was purged meanwhile.
 */
import type { Disk } from "../seam/index.ts";
import { type Entry, sizeEntry } from "../wire/index.ts";
import { WalCorrupt } from "./errors.ts";
import { readEntry, readSnapshot, RecordType } from "./record.ts";
import type { Segment } from "./segment.ts";
import { SegmentReader } from "./segment-reader.ts";

/** The log as it grows: the part of Wal that is read. */
export interface GrowingLog {
  readonly segments: readonly Segment[];
  readonly durableOffset: number;
}

/** A place between two records. */
interface Mark {
  readonly sequence: number;
  readonly offset: number;
  /** Running crc there; undefined at the start of a segment, whose first record says it. */
  readonly crc: number | undefined;
  /** Index of the newest entry of the log as it stood there. */
  readonly newestIndex: number;
}

/** One read under way. */
interface Search {
  readonly hi: number;
  readonly bytesMax: number;
  readonly termOf: (index: number) => number | undefined;
  readonly found: Entry[];
  next: number;
  bytes: number;
  newestIndex: number;
  isDone: boolean;
}

/** Looked through in one go while the member serves: 5 ms of the smallest entries. */
const WINDOW_BYTES = 256 * 1024;
/** Marks are at least this far apart, so that they stay few: 64 a segment. */
const MARK_DISTANCE_BYTES = 1024 * 1024;
/** Beyond: the oldest place in the log is forgotten. */
const MARKS_MAX = 1024;
/** One for each member that lags, and some. */
const ENDS_MAX = 16;

export class RangeReader {
  readonly #disk: Disk;
  readonly #log: GrowingLog;
  /** In the order of the log. */
  #marks: Mark[] = [];
  /** Where the last reads ended, and the ones that follow them begin. */
  #ends: Mark[] = [];

  constructor(disk: Disk, log: GrowingLog) {
    this.#disk = disk;
    this.#log = log;
  }

  /**
   * Entries of [lo, hi), at least one, until they hold `bytesMax` or more. All of them must be
   * durable and committed; `termOf` tells their terms. The data are views of what was read.
   */
  async read(
    lo: number,
    hi: number,
    bytesMax: number,
    termOf: (index: number) => number | undefined,
  ): Promise<Entry[]> {
    const { segments, durableOffset } = this.#log;
    let mark = this.#startFor(lo, segments);
    const search: Search = {
      hi,
      bytesMax,
      termOf,
      found: [],
      next: lo,
      bytes: 0,
      newestIndex: mark.newestIndex,
      isDone: lo >= hi,
    };
    const oldest = (segments[0] as Segment).sequence;
    for (let at = mark.sequence - oldest; at < segments.length && !search.isDone; at += 1) {
      const { path } = segments[at] as Segment;
      const isLast = at === segments.length - 1;
      const crc = await this.#readSegment(path, mark, isLast ? durableOffset : undefined, search);
      mark = { sequence: mark.sequence + 1, offset: 0, crc, newestIndex: search.newestIndex };
    }
    if (search.found.length > 0 || lo >= hi) return search.found;
    throw new WalCorrupt({
      path: (segments.at(-1) as Segment).path,
      offset: durableOffset,
      found: "the end of the log",
      wanted: `entry ${lo} of term ${termOf(lo)}, which was acknowledged`,
    });
  }

  /** The last place that comes before every entry from `lo` on that stands. */
  #startFor(lo: number, segments: readonly Segment[]): Mark {
    const oldest = segments[0] as Segment;
    const segment = segments.findLast(({ firstIndex }) => firstIndex <= lo);
    if (segment === undefined) {
      throw new WalCorrupt({
        path: oldest.path,
        offset: 0,
        found: `a log that begins at index ${oldest.firstIndex}`,
        wanted: `one that holds index ${lo}`,
      });
    }
    const isThere = (mark: Mark): boolean => mark.sequence >= oldest.sequence;
    this.#marks = this.#marks.filter(isThere);
    this.#ends = this.#ends.filter(isThere);
    const { sequence, firstIndex } = segment;
    let best: Mark = {
      sequence,
      offset: 0,
      crc: undefined,
      newestIndex: Math.max(firstIndex - 1, 0),
    };
    for (const mark of [...this.#marks, ...this.#ends]) {
      if (mark.newestIndex < lo && isAfter(mark, best)) best = mark;
    }
    return best;
  }

  /** The running crc at its end. */
  async #readSegment(
    path: string,
    from: Mark,
    limit: number | undefined,
    search: Search,
  ): Promise<number | undefined> {
    const { offset, crc } = from;
    const options = { isLast: false, offset, crc, windowBytes: WINDOW_BYTES };
    const file = await this.#disk.open(path, "read");
    const segment = new SegmentReader(file, limit === undefined ? options : { ...options, limit });
    try {
      await segment.open();
      while (!segment.isAtEnd) {
        take(segment, search);
        const { offset, crc: crcHere } = segment;
        const here = { ...from, offset, crc: crcHere, newestIndex: search.newestIndex };
        if (search.isDone) this.#noteEnd(here);
        else this.#note(here);
        if (search.isDone || segment.isAtEnd) break;
        await segment.fill();
      }
    } finally {
      await segment.close();
    }
    return segment.crc;
  }

  #note(mark: Mark): void {
    const at = this.#marks.findLastIndex((other) => !isAfter(other, mark));
    const before = this.#marks[at];
    const isNear =
      before?.sequence === mark.sequence && mark.offset - before.offset < MARK_DISTANCE_BYTES;
    if (isNear) return;
    this.#marks.splice(at + 1, 0, mark);
    if (this.#marks.length > MARKS_MAX) this.#marks.shift();
  }

  #noteEnd(mark: Mark): void {
    this.#ends.push(mark);
    if (this.#ends.length > ENDS_MAX) this.#ends.shift();
  }
}

function isAfter(mark: Mark, other: Mark): boolean {
  if (mark.sequence !== other.sequence) return mark.sequence > other.sequence;
  return mark.offset > other.offset;
}

/** Takes the records that the segment's window holds, until the search is done. */
function take(segment: SegmentReader, search: Search): void {
  while (!search.isDone) {
    const type = segment.next();
    if (type === 0) return;
    if (type === RecordType.ENTRY) takeEntry(segment, search);
    else if (type === RecordType.SNAPSHOT) takeSnapshot(segment, search);
  }
}

function takeEntry(segment: SegmentReader, search: Search): void {
  const entry = readEntry(segment.window, segment.frame.dataLo, segment.frame.dataHi);
  if (entry === undefined) throw segment.fault("bytes that are no entry", "a raftpb.Entry");
  const { index, term } = entry;
  if (index > search.newestIndex + 1) {
    throw segment.fault(`entry ${index}`, `entry ${search.newestIndex + 1} or one before it`);
  }
  search.newestIndex = index;
  const first = search.found[0];
  if (first !== undefined && index >= first.index && index < search.next) {
    throw segment.fault(`entry ${index} again`, `entry ${search.next}: this one is committed`);
  }
  if (index !== search.next || term !== search.termOf(index)) return;
  search.found.push(entry);
  search.bytes += sizeEntry(entry);
  search.next += 1;
  search.isDone = search.next === search.hi || search.bytes >= search.bytesMax;
}

/** A snapshot from elsewhere took the log's place. */
function takeSnapshot(segment: SegmentReader, search: Search): void {
  const snapshot = readSnapshot(segment.window, segment.frame.dataLo, segment.frame.dataHi);
  if (snapshot === undefined) throw segment.fault("bytes that are no snapshot", "index and term");
  if (snapshot.index > search.newestIndex) search.newestIndex = snapshot.index;
}
