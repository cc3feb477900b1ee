/** A node's log as one thing: what is durable (storage) and what is on its way there (unstable). */
import { assert } from "../base/index.ts";
import { type Entry, sizeEntry, type Snapshot } from "../wire/index.ts";
import type { Storage } from "./storage.ts";
import { Unstable } from "./unstable.ts";

/** Entries from the log, or why there are none: see Storage.entries. */
export type LogEntries = Entry[] | "compacted" | "pending";

const NO_ENTRIES: Entry[] = [];

/** Encoded bytes, as they count against limits of what is sent or applied at once. */
export function encodedBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (let at = 0; at < entries.length; at += 1) bytes += sizeEntry(entries[at] as Entry);
  return bytes;
}

/** Data bytes: what limits the uncommitted tail, so that empty entries always fit. */
export function payloadBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (let at = 0; at < entries.length; at += 1) bytes += (entries[at] as Entry).data.length;
  return bytes;
}

/**
 * The log, how far it is committed, handed out for applying, and applied.
 *
 * Invariant: (1) `applied <= applying <= committed <= lastIndex`; (2) `committed` never decreases
 *            (leader completeness, thesis 3.6.3).
 * Source:    thesis 3.5, 3.6; overlapping writes and applying, thesis 10.2.1.
 */
export class RaftLog {
  committed: number;
  applying: number;
  applied: number;
  readonly unstable: Unstable;
  readonly #storage: Storage;
  readonly #applyingBytesMax: number;
  /** Encoded bytes of (applied, applying]. */
  #applyingBytes = 0;
  #isApplyingPaused = false;

  constructor(storage: Storage, applyingBytesMax: number) {
    this.#storage = storage;
    this.#applyingBytesMax = applyingBytesMax;
    this.unstable = new Unstable(storage.lastIndex() + 1);
    this.committed = storage.firstIndex() - 1;
    this.applying = this.committed;
    this.applied = this.committed;
  }

  firstIndex(): number {
    const snapshot = this.unstable.snapshot;
    return snapshot === undefined ? this.#storage.firstIndex() : snapshot.metadata.index + 1;
  }

  lastIndex(): number {
    return this.unstable.lastIndex() ?? this.#storage.lastIndex();
  }

  lastTerm(): number {
    const term = this.term(this.lastIndex());
    assert(term !== undefined, "raft log: the term of the last entry is known");
    return term;
  }

  /** Undefined outside [firstIndex - 1, lastIndex]. */
  term(index: number): number | undefined {
    const term = this.unstable.term(index);
    if (term !== undefined) return term;
    if (index + 1 < this.firstIndex() || index > this.lastIndex()) return undefined;
    return this.#storage.term(index);
  }

  matchesTerm(index: number, term: number): boolean {
    return this.term(index) === term;
  }

  /** Whether a log that ends in (index, term) holds all that may be committed (thesis 3.6.1). */
  isUpToDate(index: number, term: number): boolean {
    const ownTerm = this.lastTerm();
    return term > ownTerm || (term === ownTerm && index >= this.lastIndex());
  }

  /**
   * Takes on `entries` that follow (prevIndex, prevTerm), and of what the leader says is committed
   * as much as is now known to be the leader's.
   *
   * Entries that are here already are left alone: a late message must not cut what came after it.
   * Returns the index of the last of `entries`; undefined when what they follow is not here.
   */
  tryAppend(
    prevIndex: number,
    prevTerm: number,
    entries: readonly Entry[],
    leaderCommit: number,
  ): number | undefined {
    if (!this.matchesTerm(prevIndex, prevTerm)) return undefined;
    const lastNewIndex = prevIndex + entries.length;
    const from = this.#firstNew(entries);
    if (from < entries.length) {
      const { index } = entries[from] as Entry;
      assert(index > this.committed, "raft log: what is committed is never replaced");
      this.unstable.append(entries, from);
    }
    this.commitTo(Math.min(leaderCommit, lastNewIndex));
    return lastNewIndex;
  }

  /** Position of the first entry that is not in the log; the count when all are. */
  #firstNew(entries: readonly Entry[]): number {
    let at = 0;
    while (at < entries.length) {
      const entry = entries[at] as Entry;
      if (!this.matchesTerm(entry.index, entry.term)) return at;
      at += 1;
    }
    return at;
  }

  /** A leader's own entries, already numbered. */
  append(entries: readonly Entry[]): void {
    assert(
      entries.length === 0 || (entries[0] as Entry).index > this.committed,
      "raft log: append below the commit index",
    );
    if (entries.length > 0) this.unstable.append(entries, 0);
  }

  /**
   * The highest index <= `index` whose term is <= `term`, with that term: where a log that has
   * `term` at `index` can match at best. A term of 0 = not known, the log is compacted there.
   */
  findConflict(index: number, term: number): { readonly index: number; readonly term: number } {
    for (let at = index; at > 0; at -= 1) {
      const own = this.term(at);
      if (own === undefined) return { index: at, term: 0 };
      if (own <= term) return { index: at, term: own };
    }
    return { index: 0, term: 0 };
  }

  commitTo(index: number): void {
    if (index <= this.committed) return;
    assert(index <= this.lastIndex(), "raft log: commit within the log");
    this.committed = index;
  }

  /**
   * Commits `index` if its entry is of `term`: a leader counts copies only of its own term's
   * entries, and what is before them comes along (thesis 3.6.2). Returns whether it moved.
   */
  tryCommit(index: number, term: number): boolean {
    if (index <= this.committed || !this.matchesTerm(index, term)) return false;
    this.commitTo(index);
    return true;
  }

  /** Becomes what `snapshot` stands for. */
  restore(snapshot: Snapshot): void {
    this.committed = snapshot.metadata.index;
    this.unstable.restore(snapshot);
  }

  /** Entries from `lo` to the end of the log, about `bytesMax` of them. */
  entriesFrom(lo: number, bytesMax: number): LogEntries {
    return this.slice(lo, this.lastIndex() + 1, bytesMax);
  }

  /**
   * Entries of [lo, hi), at least one if the range is not empty, and beyond the first no more than
   * `bytesMax` encoded bytes. Owns: a new array.
   */
  slice(lo: number, hi: number, bytesMax: number): LogEntries {
    if (lo < this.firstIndex()) return "compacted";
    if (lo >= hi) return NO_ENTRIES.slice();
    assert(hi <= this.lastIndex() + 1, "raft log: slice beyond the log");
    const offset = this.unstable.offset;
    if (lo >= offset) return this.#unstableSlice(lo, hi, bytesMax, 0);
    const durableEnd = Math.min(hi, offset);
    const durable = this.#storage.entries(lo, durableEnd, bytesMax);
    if (typeof durable === "string" || hi <= offset) return durable;
    if (durable.length < durableEnd - lo) return durable;
    const bytes = encodedBytes(durable);
    if (bytes >= bytesMax) return durable;
    const rest = this.#unstableSlice(offset, hi, bytesMax, bytes);
    return rest.length === 0 ? durable : durable.concat(rest);
  }

  /** `taken`: bytes of the entries before; when 0, the first entry always comes along. */
  #unstableSlice(lo: number, hi: number, bytesMax: number, taken: number): Entry[] {
    const { entries, offset } = this.unstable;
    const from = lo - offset;
    const end = hi - offset;
    let bytes = taken;
    let at = from;
    for (; at < end; at += 1) {
      bytes += sizeEntry(entries[at] as Entry);
      if (bytes > bytesMax && (taken > 0 || at > from)) break;
    }
    return entries.slice(from, at);
  }

  /** The snapshot for a follower that is too far behind; undefined while there is none. */
  snapshot(): Snapshot | undefined {
    const snapshot = this.unstable.snapshot ?? this.#storage.snapshot();
    return snapshot === undefined || snapshot.metadata.index === 0 ? undefined : snapshot;
  }

  /** The last index that may be applied: entries that may still be lost wait, if so asked. */
  #maxAppliable(allowUnstable: boolean): number {
    return allowUnstable ? this.committed : Math.min(this.committed, this.unstable.offset - 1);
  }

  hasNextCommitted(allowUnstable: boolean): boolean {
    // A snapshot that is not yet restored comes first.
    if (this.#isApplyingPaused || this.unstable.snapshot !== undefined) return false;
    return this.applying < this.#maxAppliable(allowUnstable);
  }

  /** Committed entries to apply now, within what may be under way at once. */
  nextCommitted(allowUnstable: boolean): Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return [];
    const bytesMax = this.#applyingBytesMax - this.#applyingBytes;
    const hi = this.#maxAppliable(allowUnstable) + 1;
    const entries = this.slice(this.applying + 1, hi, bytesMax);
    assert(typeof entries !== "string", "raft log: storage keeps what is not yet applied");
    return entries;
  }

  /** Entries up to `index`, `bytes` of them, were handed out. */
  acceptApplying(index: number, bytes: number, allowUnstable: boolean): void {
    assert(index <= this.committed, "raft log: only committed entries are applied");
    this.applying = index;
    this.#applyingBytes += bytes;
    // Not everything fitted: wait for what is under way, or batches would be cut ever smaller.
    this.#isApplyingPaused =
      this.#applyingBytes >= this.#applyingBytesMax || index < this.#maxAppliable(allowUnstable);
  }

  appliedTo(index: number, bytes: number): void {
    assert(index <= this.committed, "raft log: applied beyond the commit index");
    assert(index >= this.applied, "raft log: the applied index never decreases");
    this.applied = index;
    if (this.applying < index) this.applying = index;
    this.#applyingBytes = Math.max(0, this.#applyingBytes - bytes);
    this.#isApplyingPaused = this.#applyingBytes >= this.#applyingBytesMax;
  }
}
