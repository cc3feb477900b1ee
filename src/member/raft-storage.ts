/**
 * The durable log as Raft reads it: the newest entries in memory, the rest in the write-ahead log,
 * and the term of each.
 *
 * When to call what, with asynchronous storage writes: `append` and `installSnapshot` in the order
 * of the Readys, any time after the Ready was taken and before the responses of its STORAGE_APPEND
 * are delivered. Until those are, the node reads these entries from its own unstable list and asks
 * here only for what is below it; so an entry that shows here while its write is under way is not
 * taken for durable by anybody. Calling them when the write begins keeps one copy of the batch.
 *
 * Entries up to `applied` may leave memory: those are committed and durable, so the write-ahead log
 * has them, and nothing will replace them. What is not applied never leaves and is never `pending`.
 */
import { APPLY_GAP_MAX, assert } from "../base/index.ts";
import type { Storage } from "../raft/index.ts";
import type { LogPoint, TermRuns } from "../wal/index.ts";
import {
  type ConfState,
  type Entry,
  EntryType,
  type HardState,
  sizeEntry,
  type Snapshot,
} from "../wire/index.ts";

/** What is known of the log when the member starts. */
export interface StoredLog {
  readonly hardState: HardState;
  /** Of the state that is applied. */
  readonly confState: ConfState;
  /** Last index that the store has applied. */
  readonly applied: number;
  /** Of [firstIndex - 1, lastIndex]. The storage's from here. */
  readonly terms: TermRuns;
  /** The end of the log, without gaps, from applied + 1 at the latest. */
  readonly entries: readonly Entry[];
}

/**
 * Reads entries of [lo, hi) from the write-ahead log: at least one, in order, about `bytesMax`.
 * Their terms must be those that `terms` tells. Rejects when they cannot be had.
 */
export type EntryLoader = (
  lo: number,
  hi: number,
  bytesMax: number,
  termOf: (index: number) => number | undefined,
) => Promise<Entry[]>;

export interface RaftStorageOptions {
  readonly log: StoredLog;
  readonly load: EntryLoader;
  /** A snapshot to send now, its data empty: the image is streamed. Undefined = not now. */
  readonly snapshotMetadata: () => Snapshot | undefined;
  /** What was `pending` can be had, or is `compacted` now: call `resumeSending`. */
  readonly onLoaded: (lo: number) => void;
  /**
   * The log on disk is damaged below `cachedFrom`. The members that need it get a snapshot instead:
   * to be logged, no more.
   */
  readonly onLoadFailed: (error: Error) => void;
  /** Bytes of entries kept in memory, applied ones included. */
  readonly cacheBytesMax?: number;
  /** Entries kept in memory, applied ones included. */
  readonly cacheEntriesMax?: number;
  /** Bytes of entries read from the log at once. */
  readonly pageBytesMax?: number;
}

const CACHE_BYTES_MAX = 32 * 1024 * 1024;
/** Twice what may be committed and not applied: a follower half a second behind needs no disk. */
const CACHE_ENTRIES_MAX = 2 * APPLY_GAP_MAX;
/** What an entry costs in memory beside its bytes. */
const ENTRY_OVERHEAD_BYTES = 160;
/** Read from the log at once: two append messages. */
const PAGE_BYTES_MAX = 2 * 1024 * 1024;
/** Pages kept: one for each member that lags behind the cache, and one ahead of it. */
const PAGES_MAX = 8;
/** Reads waiting for their turn. Beyond: not noted; the node asks again at the next heartbeat. */
const WANTED_MAX = 8;
const DROPPED: Entry = Object.freeze({
  type: EntryType.NORMAL,
  term: 0,
  index: 0,
  data: Buffer.alloc(0),
});

/** Entries of [lo, lo + entries.length). */
interface Page {
  readonly lo: number;
  readonly entries: readonly Entry[];
}

export class RaftStorage implements Storage {
  readonly #options: RaftStorageOptions;
  readonly #terms: TermRuns;
  readonly #cacheBytesMax: number;
  readonly #cacheEntriesMax: number;
  readonly #pageBytesMax: number;
  /** Entry i stands at `#cache[#head + i - #cachedFrom]`; up to the end of the log. */
  #cache: Entry[] = [];
  #head = 0;
  #cachedFrom: number;
  #cachedBytes = 0;
  #applied: number;
  /** Read from disk, the one used last at the end. */
  #pages: Page[] = [];
  /** Indices that were asked for; the first is being read. */
  #wanted: number[] = [];
  #isLoading = false;
  /** Counts what makes a read under way worthless. */
  #generation = 0;

  constructor(options: RaftStorageOptions) {
    const { log } = options;
    this.#options = options;
    this.#terms = log.terms;
    this.#cacheBytesMax = options.cacheBytesMax ?? CACHE_BYTES_MAX;
    this.#cacheEntriesMax = options.cacheEntriesMax ?? CACHE_ENTRIES_MAX;
    this.#pageBytesMax = options.pageBytesMax ?? PAGE_BYTES_MAX;
    this.#applied = log.applied;
    this.#cachedFrom = this.lastIndex() + 1 - log.entries.length;
    assert(this.#cachedFrom <= log.applied + 1, "raft storage: what is not applied is in memory");
    for (const entry of log.entries) this.#push(entry);
    this.#evict();
  }

  initialState(): { readonly hardState: HardState; readonly confState: ConfState } {
    const { hardState, confState } = this.#options.log;
    return { hardState, confState };
  }

  firstIndex(): number {
    return this.#terms.baseIndex + 1;
  }

  lastIndex(): number {
    return this.#terms.lastIndex;
  }

  term(index: number): number | undefined {
    return this.#terms.term(index);
  }

  snapshot(): Snapshot | undefined {
    return this.#options.snapshotMetadata();
  }

  get applied(): number {
    return this.#applied;
  }

  /** The first index that is in memory; one past the last when none is. */
  get cachedFrom(): number {
    return this.#cachedFrom;
  }

  /** As they count against the limit of the cache. */
  get cachedBytes(): number {
    return this.#cachedBytes;
  }

  entries(lo: number, hi: number, bytesMax: number): Entry[] | "compacted" | "pending" {
    if (lo < this.firstIndex()) return "compacted";
    assert(hi <= this.lastIndex() + 1, "raft storage: entries beyond the log");
    if (lo >= this.#cachedFrom) {
      const from = this.#head + lo - this.#cachedFrom;
      return slice(this.#cache, from, from + hi - lo, bytesMax);
    }
    return this.#entriesOnDisk(lo, hi, bytesMax);
  }

  #entriesOnDisk(lo: number, hi: number, bytesMax: number): Entry[] | "pending" {
    const at = this.#pages.findIndex((page) => page.lo <= lo && lo < page.lo + page.entries.length);
    const page = this.#pages[at];
    if (page === undefined) {
      this.#want(lo);
      return "pending";
    }
    this.#pages.splice(at, 1);
    this.#pages.push(page);
    const end = page.lo + page.entries.length;
    const found = slice(page.entries, lo - page.lo, Math.min(hi, end) - page.lo, bytesMax);
    // The follower will want what comes next: it is read while this is on its way.
    if (lo + found.length === end && end < this.#cachedFrom) this.#want(end);
    return found;
  }

  /** Entries that replace or follow what is here; see the top for when. Kept, never changed. */
  append(entries: readonly Entry[]): void {
    const base = this.#terms.baseIndex;
    let at = 0;
    while (at < entries.length && (entries[at] as Entry).index <= base) at += 1;
    const first = entries[at];
    if (first === undefined) return;
    if (first.index <= this.lastIndex()) this.#cut(first.index);
    for (; at < entries.length; at += 1) {
      const entry = entries[at] as Entry;
      this.#terms.append(entry.index, entry.term);
      this.#push(entry);
    }
    this.#evict();
  }

  #cut(index: number): void {
    assert(index > this.#applied, "raft storage: what is applied is not replaced");
    const keep = this.#head + index - this.#cachedFrom;
    for (let at = keep; at < this.#cache.length; at += 1) {
      this.#cachedBytes -= costBytes(this.#cache[at] as Entry);
    }
    this.#cache.length = keep;
  }

  #push(entry: Entry): void {
    this.#cache.push(entry);
    this.#cachedBytes += costBytes(entry);
  }

  /** Everything up to `index` is applied: it may leave memory. */
  setApplied(index: number): void {
    if (index <= this.#applied) return;
    assert(index <= this.lastIndex(), "raft storage: applied within the log");
    this.#applied = index;
    this.#evict();
  }

  get #isFull(): boolean {
    if (this.#cachedBytes > this.#cacheBytesMax) return true;
    return this.#cache.length - this.#head > this.#cacheEntriesMax;
  }

  #evict(): void {
    const first = this.firstIndex();
    while (this.#cachedFrom <= this.#applied) {
      const isReleased = this.#cachedFrom < first;
      if (!isReleased && !this.#isFull) break;
      this.#cachedBytes -= costBytes(this.#cache[this.#head] as Entry);
      this.#cache[this.#head] = DROPPED;
      this.#head += 1;
      this.#cachedFrom += 1;
    }
    // Moving what is left costs no more than what was dropped before it.
    if (this.#head < 1024 || this.#head * 2 < this.#cache.length) return;
    this.#cache = this.#cache.slice(this.#head);
    this.#head = 0;
  }

  /** The log up to `index`, of what is applied, may be forgotten: firstIndex moves. */
  release(index: number): void {
    const last = Math.min(index, this.#applied);
    if (last < this.firstIndex()) return;
    this.#terms.forget(last);
    this.#pages = this.#pages.filter((page) => page.lo + page.entries.length > last + 1);
    this.#evict();
  }

  /** The log is now the state at `point` and nothing else. */
  installSnapshot(point: LogPoint): void {
    assert(point.index > this.#applied, "raft storage: a snapshot is newer than what is applied");
    this.#terms.reset(point.index, point.term);
    this.#cache = [];
    this.#head = 0;
    this.#cachedBytes = 0;
    this.#cachedFrom = point.index + 1;
    this.#applied = point.index;
    this.#pages = [];
    this.#wanted = [];
    this.#generation += 1;
  }

  #want(lo: number): void {
    if (this.#wanted.includes(lo) || this.#wanted.length >= WANTED_MAX) return;
    this.#wanted.push(lo);
    if (!this.#isLoading) void this.#loadWanted();
  }

  /** Reads what is wanted, one page after the other. Never rejects. */
  async #loadWanted(): Promise<void> {
    this.#isLoading = true;
    for (let lo = this.#wanted[0]; lo !== undefined; lo = this.#wanted[0]) {
      const generation = this.#generation;
      const refused = await this.#loadPage(lo, generation);
      // The log began anew meanwhile, and with it the list.
      if (generation !== this.#generation) continue;
      this.#wanted.shift();
      if (refused !== undefined) this.#giveUpDisk(refused);
      this.#options.onLoaded(lo);
    }
    this.#isLoading = false;
  }

  /** Why it could not be read. */
  async #loadPage(lo: number, generation: number): Promise<Error | undefined> {
    const hi = this.#cachedFrom;
    if (lo < this.firstIndex() || lo >= hi) return undefined;
    try {
      const termOf = (index: number): number | undefined => this.#terms.term(index);
      const entries = await this.#options.load(lo, hi, this.#pageBytesMax, termOf);
      if (generation !== this.#generation || lo < this.firstIndex()) return undefined;
      assert(entries[0]?.index === lo, "raft storage: a page begins where it was asked for");
      this.#pages.push({ lo, entries });
      if (this.#pages.length > PAGES_MAX) this.#pages.shift();
      return undefined;
    } catch (error) {
      // Released while it was read: the file may be gone, and nobody needs it.
      if (lo < this.firstIndex()) return undefined;
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** What is only on disk counts as gone: who needs it gets a snapshot. */
  #giveUpDisk(error: Error): void {
    this.#pages = [];
    if (this.#cachedFrom - 1 >= this.firstIndex()) this.#terms.forget(this.#cachedFrom - 1);
    this.#options.onLoadFailed(error);
  }
}

function costBytes(entry: Entry): number {
  return sizeEntry(entry) + ENTRY_OVERHEAD_BYTES;
}

/** Of [from, to), at least one, and beyond the first no more than `bytesMax`. A new array. */
function slice(entries: readonly Entry[], from: number, to: number, bytesMax: number): Entry[] {
  let bytes = 0;
  for (let at = from; at < to; at += 1) {
    bytes += sizeEntry(entries[at] as Entry);
    if (bytes > bytesMax && at > from) return entries.slice(from, at);
  }
  return entries.slice(from, to);
}
