/** The end of the log that is not yet known to be durable. */
import { assert } from "../base/index.ts";
import type { Entry, Snapshot } from "../wire/index.ts";

/**
 * Entries, and at most one snapshot, on their way to the disk.
 *
 * The driver takes what is new (`takeNext`), writes, and says how far it got (`stableTo`). Until
 * then it all stays here and is read from here.
 *
 * Shape:     `entries[i].index === offset + i`; [offset, inProgressTo) was handed to the driver.
 * Invariant: (1) `offset <= inProgressTo <= offset + entries.length`; (2) the log in storage below
 *            `offset` is what this node takes for its log; above it may hold what was replaced.
 */
export class Unstable {
  snapshot: Snapshot | undefined;
  isSnapshotInProgress = false;
  entries: Entry[] = [];
  offset: number;
  inProgressTo: number;

  constructor(offset: number) {
    this.offset = offset;
    this.inProgressTo = offset;
  }

  /** Index of the last entry here, or the snapshot's; undefined when there is nothing. */
  lastIndex(): number | undefined {
    if (this.entries.length > 0) return this.offset + this.entries.length - 1;
    return this.snapshot?.metadata.index;
  }

  term(index: number): number | undefined {
    if (index >= this.offset) return this.entries[index - this.offset]?.term;
    const metadata = this.snapshot?.metadata;
    return metadata !== undefined && metadata.index === index ? metadata.term : undefined;
  }

  get hasNextEntries(): boolean {
    return this.inProgressTo < this.offset + this.entries.length;
  }

  /** Entries that the driver has not been given, in order. A new array. */
  nextEntries(): Entry[] {
    return this.hasNextEntries ? this.entries.slice(this.inProgressTo - this.offset) : [];
  }

  nextSnapshot(): Snapshot | undefined {
    return this.isSnapshotInProgress ? undefined : this.snapshot;
  }

  /** The driver has everything now. */
  acceptInProgress(): void {
    this.inProgressTo = this.offset + this.entries.length;
    if (this.snapshot !== undefined) this.isSnapshotInProgress = true;
  }

  /**
   * The entries up to (index, term) are durable. When the entry here has another term, it replaced
   * the one that was written meanwhile, and its own write will be reported later.
   */
  stableTo(index: number, term: number): void {
    if (index < this.offset || this.term(index) !== term) return;
    const count = index + 1 - this.offset;
    this.entries = count === this.entries.length ? [] : this.entries.slice(count);
    this.offset = index + 1;
    if (this.inProgressTo < this.offset) this.inProgressTo = this.offset;
  }

  snapshotStableTo(index: number): void {
    if (this.snapshot?.metadata.index !== index) return;
    this.snapshot = undefined;
    this.isSnapshotInProgress = false;
  }

  /** The log is now `snapshot` and nothing else. */
  restore(snapshot: Snapshot): void {
    this.snapshot = snapshot;
    this.isSnapshotInProgress = false;
    this.entries = [];
    this.offset = snapshot.metadata.index + 1;
    this.inProgressTo = this.offset;
  }

  /** Appends [from, end) of `entries`, first dropping what they replace. */
  append(entries: readonly Entry[], from: number): void {
    const first = (entries[from] as Entry).index;
    assert(first <= this.offset + this.entries.length, "unstable log: append leaves a gap");
    if (first <= this.offset) {
      // Replaces durable entries too: they are cut when the driver writes these.
      this.entries = [];
      this.offset = first;
      this.inProgressTo = first;
    } else if (first < this.offset + this.entries.length) {
      this.entries = this.entries.slice(0, first - this.offset);
      if (this.inProgressTo > first) this.inProgressTo = first;
    }
    for (let at = from; at < entries.length; at += 1) this.entries.push(entries[at] as Entry);
  }
}
