/**
 * Revisions that a compaction dropped, sorted roughly by revision, until their records are deleted.
 *
 * The index gives them up in key order; deleted in that order, each batch would touch pages all
 * over the store and rewrite most of it. In order of revision each page is rewritten about once.
 * The nodes of the history are linked anew for it, so sorting takes no memory.
 *
 * Invariant: puts of a bucket leave before its tombstones, lower buckets before higher ones. So a
 *   tombstone goes after all that it hides, and a crash in between brings no key back to life.
 */
import type { RevisionHistory } from "./revision-history.ts";

/** Revisions of one bucket: a few hundred pages of records. */
const BUCKET_BITS = 12;

export type DropRecord = (main: number, sub: number, isTombstone: boolean) => void;

export class DroppedRevisions {
  readonly #history: RevisionHistory;
  /** Twice the bucket, plus one for tombstones, to the first node. */
  readonly #heads = new Map<number, number>();
  /** Lists as they were cut off, not sorted yet. */
  readonly #unsorted: number[] = [];
  /** Keys of `#heads`, highest first; empty while sorting. */
  #order: number[] = [];

  constructor(history: RevisionHistory) {
    this.#history = history;
  }

  get isSorted(): boolean {
    return this.#unsorted.length === 0;
  }

  get isEmpty(): boolean {
    return this.#unsorted.length === 0 && this.#heads.size === 0;
  }

  /** Takes a list over from the index. */
  add(head: number): void {
    if (head !== 0) this.#unsorted.push(head);
  }

  /** Sorts at most `max` revisions; returns what is left of `max`. */
  sort(max: number): number {
    const history = this.#history;
    this.#order.length = 0;
    let budget = max;
    while (budget > 0) {
      const node = this.#unsorted.pop();
      if (node === undefined) break;
      const next = history.older(node);
      if (next !== 0) this.#unsorted.push(next);
      const isTombstone = history.isTombstone(node);
      const bucket =
        2 * Math.floor(history.main(node) / (1 << BUCKET_BITS)) + (isTombstone ? 1 : 0);
      history.relink(node, this.#heads.get(bucket) ?? 0);
      this.#heads.set(bucket, node);
      budget -= 1;
    }
    return budget;
  }

  /** Gives at most `max` revisions out and forgets them. All must be sorted. */
  release(max: number, drop: DropRecord): void {
    const history = this.#history;
    if (this.#order.length === 0) this.#order = [...this.#heads.keys()].sort((a, b) => b - a);
    let budget = max;
    while (budget > 0) {
      const bucket = this.#order.at(-1);
      if (bucket === undefined) return;
      let node = this.#heads.get(bucket) as number;
      for (; node !== 0 && budget > 0; budget -= 1) {
        drop(history.main(node), history.sub(node), history.isTombstone(node));
        node = history.release(node);
      }
      if (node !== 0) {
        this.#heads.set(bucket, node);
        return;
      }
      this.#heads.delete(bucket);
      this.#order.pop();
    }
  }
}
