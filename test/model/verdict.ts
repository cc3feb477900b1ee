/** Everything that a recorded run is judged by. */
import { compactionProblems, compactedRevision } from "./compaction-checks.ts";
import type { Problem, RunRecord } from "./history.ts";
import { leaseProblems } from "./lease-checks.ts";
import { explain } from "./linearizable.ts";
import { type StoreContent, storeProblems } from "./store-checks.ts";
import { watchProblems } from "./watch-checks.ts";

export interface Ending {
  /** Leases and leased keys that are still there after all had time to end. */
  readonly leasesLeft: readonly string[];
  readonly leaseToleranceMs: number;
  /** The highest revision that others than the recorded clients may have compacted. */
  readonly compactedRevision: number;
  /** What each member holds. */
  readonly stores: readonly StoreContent[];
}

/** What is wrong with the run; the first problem is the one nearest to its cause. */
export function judge(record: RunRecord, ending: Ending): Problem[] {
  const { problems, replay, causes, events } = explain(record);
  // Without a history that everyone agrees on there is nothing to hold the rest against.
  if (problems.length > 0) return [...problems];
  const compacted = Math.max(ending.compactedRevision, compactedRevision(record.calls));
  return [
    ...storeProblems(ending.stores, replay),
    ...compactionProblems(record.calls, ending.compactedRevision),
    ...watchProblems(record.watches, {
      events,
      replay,
      endRevision: record.endRevision,
      compactedRevision: compacted,
    }),
    ...leaseProblems(record, {
      causes,
      events,
      seenMs: firstSeen(record),
      left: ending.leasesLeft,
      toleranceMs: ending.leaseToleranceMs,
    }),
  ];
}

/** When a watch first showed each revision. */
function firstSeen(record: RunRecord): (revision: number) => number | undefined {
  const seen = new Map<number, number>();
  for (const { responses } of record.watches) {
    for (const { events, atMs } of responses) {
      for (const { pair } of events) {
        const before = seen.get(pair.modRevision) ?? Number.POSITIVE_INFINITY;
        seen.set(pair.modRevision, Math.min(before, atMs));
      }
    }
  }
  return (revision) => seen.get(revision);
}
