/** What a node needs of the log that is already durable. */
import type { ConfState, Entry, HardState, Snapshot } from "../wire/index.ts";

/**
 * The durable log as the node reads it: synchronous, because a step has to end before the next.
 *
 * The log is the entries in [firstIndex, lastIndex]; what was before is known by the snapshot, of
 * which the last entry's term is kept. Keeping the tail in memory and the rest on disk is left to
 * the implementation: that is what `pending` is for.
 *
 * Invariant: what was appended stays readable by `entries` without `pending` until it is applied.
 * Errors: none thrown; a storage that cannot read must stop the member, not the step.
 */
export interface Storage {
  /** What was saved when the node last ran; read once, at the start. */
  initialState(): { readonly hardState: HardState; readonly confState: ConfState };
  /**
   * Entries of [lo, hi) in order, at least one, and no more than `bytesMax` (sizeEntry) after the
   * first. `compacted` = `lo` is below firstIndex. `pending` = not in memory; being fetched: the
   * node asks again when it next hears from the follower that needs them.
   * Owns: the array is the caller's, the entries are shared and never changed.
   */
  entries(lo: number, hi: number, bytesMax: number): Entry[] | "compacted" | "pending";
  /** Term of an entry of [firstIndex - 1, lastIndex]; undefined outside of it. */
  term(index: number): number | undefined;
  /** Index of the first entry that `entries` may return; one past the snapshot's. */
  firstIndex(): number;
  lastIndex(): number;
  /**
   * A snapshot to send, or undefined while none can be had: the node asks again later. It should be
   * of the state applied last: a member takes none whose configuration it is not in yet.
   */
  snapshot(): Snapshot | undefined;
}
