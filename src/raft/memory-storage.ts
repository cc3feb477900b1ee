/** A Storage that keeps everything in memory: for tests, and as the cache before a log on disk. */
import { assert } from "../base/index.ts";
import {
  type ConfState,
  emptyConfState,
  type Entry,
  type HardState,
  sizeEntry,
  type Snapshot,
} from "../wire/index.ts";
import type { Storage } from "./storage.ts";

export function emptySnapshot(): Snapshot {
  return {
    data: Buffer.alloc(0),
    metadata: { confState: emptyConfState(), index: 0, term: 0 },
  };
}

export class MemoryStorage implements Storage {
  #hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  #snapshot: Snapshot = emptySnapshot();
  /** Index and term of the entry before the first kept. */
  #offset = 0;
  #offsetTerm = 0;
  /** Invariant: `#entries[i].index === #offset + 1 + i`. */
  #entries: Entry[] = [];

  initialState(): { hardState: HardState; confState: ConfState } {
    return { hardState: this.#hardState, confState: this.#snapshot.metadata.confState };
  }

  entries(lo: number, hi: number, bytesMax: number): Entry[] | "compacted" {
    if (lo <= this.#offset) return "compacted";
    assert(hi <= this.lastIndex() + 1, "memory storage: entries beyond the log");
    let bytes = 0;
    const from = lo - this.#offset - 1;
    const to = hi - this.#offset - 1;
    for (let at = from; at < to; at += 1) {
      bytes += sizeEntry(this.#entries[at] as Entry);
      if (bytes > bytesMax && at > from) return this.#entries.slice(from, at);
    }
    return this.#entries.slice(from, to);
  }

  term(index: number): number | undefined {
    if (index === this.#offset) return this.#offsetTerm;
    return this.#entries[index - this.#offset - 1]?.term;
  }

  firstIndex(): number {
    return this.#offset + 1;
  }

  lastIndex(): number {
    return this.#offset + this.#entries.length;
  }

  snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  setHardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  /** Replaces the log by what a snapshot stands for. An older one than ours is left alone. */
  applySnapshot(snapshot: Snapshot): void {
    if (snapshot.metadata.index <= this.#snapshot.metadata.index) return;
    this.#snapshot = snapshot;
    this.#offset = snapshot.metadata.index;
    this.#offsetTerm = snapshot.metadata.term;
    this.#entries = [];
  }

  /** Makes a snapshot of the state at `index`, which a follower may be sent from now on. */
  createSnapshot(index: number, confState: ConfState, data: Buffer): Snapshot {
    const term = this.term(index);
    assert(term !== undefined, "memory storage: a snapshot of an index outside the log");
    this.#snapshot = { data, metadata: { confState, index, term } };
    return this.#snapshot;
  }

  /** Drops the entries up to and with `index`. */
  compact(index: number): void {
    if (index <= this.#offset) return;
    const term = this.term(index);
    assert(term !== undefined, "memory storage: compaction beyond the log");
    this.#entries = this.#entries.slice(index - this.#offset);
    this.#offset = index;
    this.#offsetTerm = term;
  }

  /** Appends, first cutting what the new entries replace. They must not leave a gap. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    assert(first.index <= this.lastIndex() + 1, "memory storage: append leaves a gap");
    let from = 0;
    while (from < entries.length && (entries[from] as Entry).index <= this.#offset) from += 1;
    if (from === entries.length) return;
    const keep = (entries[from] as Entry).index - this.#offset - 1;
    if (keep < this.#entries.length) this.#entries.length = keep;
    for (let at = from; at < entries.length; at += 1) this.#entries.push(entries[at] as Entry);
  }
}
