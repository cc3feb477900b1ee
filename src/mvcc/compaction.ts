/**
 * Scrubbing after a compaction: walks the index, not the store. What the index drops names the
 * records to delete, so nothing is read from the medium for it.
 *
 * Invariant: table `meta` holds `scheduledCompactRev` before the first record goes and
 *   `finishedCompactRev` after the last one, in this order on the medium too (CP-04, DB-04).
 */
import type { Backend } from "../backend/index.ts";
import type { Key } from "../base/index.ts";
import type { KeyIndex } from "./key-index.ts";
import { SLICE_KEYS, STEPS_PER_RECORD } from "./limits.ts";
import { lowestKey, mainOf, revisionKey } from "./revision.ts";

const SCHEDULED = Buffer.from("scheduledCompactRev", "latin1");
const FINISHED = Buffer.from("finishedCompactRev", "latin1");

export class Compaction {
  readonly #backend: Backend;
  readonly #index: KeyIndex;
  /** -1 when never compacted. */
  revision = -1;
  isRunning = false;
  /** Called before the record of a tombstone is deleted. */
  onTombstoneDropped: (main: number) => void = () => {};
  /** Readers that need superseded revisions to stay a while: hashes, checkpoints. */
  #holds = 0;
  /** Where the walk over the index is. */
  #after: Key | undefined;
  #isWalked = false;
  #isIndexDone = false;

  constructor(backend: Backend, index: KeyIndex) {
    this.#backend = backend;
    this.#index = index;
  }

  /** Takes up what the store says: an unfinished compaction goes on from its start. */
  restore(): void {
    const scheduled = readRevision(this.#backend, SCHEDULED);
    const finished = readRevision(this.#backend, FINISHED);
    this.revision = Math.max(scheduled, finished);
    this.isRunning = scheduled > finished;
  }

  /** Takes out of an index what a finished compaction took out of the store. */
  async catchUp(yieldToLoop: () => Promise<void>): Promise<void> {
    const index = this.#index;
    let after: Key | undefined;
    do {
      after = index.compact(after, this.revision, SLICE_KEYS);
      await yieldToLoop();
    } while (after !== undefined);
    while (index.dropped.sort(SLICE_KEYS) === 0) await yieldToLoop();
    while (!index.dropped.isEmpty) {
      index.dropped.release(SLICE_KEYS, () => {});
      await yieldToLoop();
    }
  }

  schedule(revision: number): void {
    this.revision = revision;
    this.isRunning = true;
    this.#after = undefined;
    this.#isWalked = false;
    this.#isIndexDone = false;
    this.#backend.put("meta", SCHEDULED, lowestKey(revision));
  }

  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
  }

  /** Drops at most `recordsMax` records; false when nothing is left to do. */
  step(recordsMax: number): boolean {
    if (!this.isRunning) return false;
    if (this.#holds > 0) return true;
    if (this.#isIndexDone) this.#index.dropped.release(recordsMax, this.#drop);
    else this.#stepIndex(recordsMax);
    if (!this.#isIndexDone || !this.#index.dropped.isEmpty) return true;
    this.isRunning = false;
    this.#backend.put("meta", FINISHED, lowestKey(this.revision));
    return false;
  }

  /** The index first, as a whole: only then are all dropped revisions known and in order. */
  #stepIndex(recordsMax: number): void {
    const { dropped } = this.#index;
    const left = dropped.sort(recordsMax * STEPS_PER_RECORD);
    if (left <= 0) return;
    if (this.#isWalked) {
      this.#isIndexDone = dropped.isSorted;
      return;
    }
    this.#after = this.#index.compact(this.#after, this.revision, left);
    this.#isWalked = this.#after === undefined;
  }

  readonly #drop = (main: number, sub: number, isTombstone: boolean): void => {
    if (isTombstone) this.onTombstoneDropped(main);
    this.#backend.delete("key", revisionKey(main, sub, isTombstone));
  };
}

function readRevision(backend: Backend, key: Buffer): number {
  const value = backend.get("meta", key);
  return value === undefined ? -1 : mainOf(value);
}
