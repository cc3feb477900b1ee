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
import { KEYS_PER_RECORD } from "./limits.ts";
import { lowestKey, mainOf, revisionKey } from "./revision.ts";

const SCHEDULED = Buffer.from("scheduledCompactRev", "latin1");
const FINISHED = Buffer.from("finishedCompactRev", "latin1");

export class Compaction {
  readonly #backend: Backend;
  readonly #index: KeyIndex;
  /** -1 when never compacted. */
  revision = -1;
  isRunning = false;
  /** Readers that need superseded revisions to stay a while: hashes, checkpoints. */
  #holds = 0;
  #after: Key | undefined;
  /** Lists cut off the index whose records are still to be deleted. */
  readonly #lists: number[] = [];

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

  schedule(revision: number): void {
    this.revision = revision;
    this.isRunning = true;
    this.#after = undefined;
    this.#backend.put("meta", SCHEDULED, lowestKey(revision));
  }

  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
  }

  /** Drops at most about `recordsMax` records; false when nothing is left to do. */
  step(recordsMax: number): boolean {
    if (!this.isRunning) return false;
    if (this.#holds > 0) return true;
    const budget = this.#drain(recordsMax);
    if (budget <= 0) return true;
    const keysMax = budget * KEYS_PER_RECORD;
    this.#after = this.#index.compact(this.#after, this.revision, keysMax, this.#lists);
    this.#drain(budget);
    if (this.#after !== undefined || this.#lists.length > 0) return true;
    this.isRunning = false;
    this.#backend.put("meta", FINISHED, lowestKey(this.revision));
    return false;
  }

  /** Deletes records of the lists cut off; returns what is left of `max`. */
  #drain(max: number): number {
    let budget = max;
    while (budget > 0 && this.#lists.length > 0) {
      const head = this.#lists.pop() as number;
      let count = 0;
      const rest = this.#index.releaseDropped(head, budget, (main, sub, isTombstone) => {
        count += 1;
        this.#drop(main, sub, isTombstone);
      });
      if (rest !== 0) this.#lists.push(rest);
      budget -= count;
    }
    return budget;
  }

  readonly #drop = (main: number, sub: number, isTombstone: boolean): void => {
    this.#backend.delete("key", revisionKey(main, sub, isTombstone));
  };
}

function readRevision(backend: Backend, key: Buffer): number {
  const value = backend.get("meta", key);
  return value === undefined ? -1 : mainOf(value);
}
