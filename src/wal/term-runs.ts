/**
 * The terms of a log's entries, kept as runs: a term that lasts costs two numbers, however long.
 *
 * Invariant: terms never go down with the index; known are those of [baseIndex, lastIndex].
 */
import { assert } from "../base/index.ts";

export class TermRuns {
  /** First index of each run, ascending; run i ends where run i + 1 begins. */
  #starts: number[];
  #terms: number[];
  #last: number;

  /** A log that goes on after (index, term). */
  constructor(index: number, term: number) {
    this.#starts = [index];
    this.#terms = [term];
    this.#last = index;
  }

  /** The first index whose term is known: the one before the log's first entry. */
  get baseIndex(): number {
    return this.#starts[0] as number;
  }

  get lastIndex(): number {
    return this.#last;
  }

  get lastTerm(): number {
    return this.#terms[this.#terms.length - 1] as number;
  }

  /** The next entry, or one in place of what the log held from there on. */
  append(index: number, term: number): void {
    if (index <= this.#last) this.truncate(index);
    assert(index === this.#last + 1, "term runs: an append leaves no gap");
    assert(term >= this.lastTerm, "term runs: a term never goes back");
    if (term !== this.lastTerm) {
      this.#starts.push(index);
      this.#terms.push(term);
    }
    this.#last = index;
  }

  /** Drops `index` and what follows. The base stays. */
  truncate(index: number): void {
    assert(index > this.baseIndex, "term runs: the base is not cut");
    if (index > this.#last) return;
    while ((this.#starts[this.#starts.length - 1] as number) >= index) {
      this.#starts.pop();
      this.#terms.pop();
    }
    this.#last = index - 1;
  }

  /** Undefined outside [baseIndex, lastIndex]. The newest run is looked at first. */
  term(index: number): number | undefined {
    const starts = this.#starts;
    if (index > this.#last || index < (starts[0] as number)) return undefined;
    let run = starts.length - 1;
    if ((starts[run] as number) <= index) return this.#terms[run];
    let lo = 0;
    // starts[lo] <= index < starts[run]
    while (run - lo > 1) {
      const middle = (lo + run) >> 1;
      if ((starts[middle] as number) <= index) lo = middle;
      else run = middle;
    }
    return this.#terms[lo];
  }

  /** Makes `index` the base: what is before it is forgotten. */
  forget(index: number): void {
    if (index <= this.baseIndex) return;
    assert(index <= this.#last, "term runs: the new base is in the log");
    let run = this.#starts.length - 1;
    while ((this.#starts[run] as number) > index) run -= 1;
    this.#starts = this.#starts.slice(run);
    this.#terms = this.#terms.slice(run);
    this.#starts[0] = index;
  }

  /** The log is now what follows (index, term), and empty. */
  reset(index: number, term: number): void {
    this.#starts = [index];
    this.#terms = [term];
    this.#last = index;
  }
}
