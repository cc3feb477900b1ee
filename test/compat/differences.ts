/**
 * Where Holdfast answers otherwise than etcd 3.4.23 on purpose, even with `--compat 3.4`. The list
 * in docs/reference/differences.md is checked against this one.
 */
import type { Difference } from "./compare.ts";

export interface KnownDifference {
  /** Surface id. */
  readonly id: string;
  readonly what: string;
  /** Whether a difference that was met is this one; absent when the generator stays clear of it. */
  readonly explains?: (difference: Difference) => boolean;
}

function withoutHashRevision(line: string): string {
  return line.replace(/,"hashRevision":"\d+"/, "");
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    id: "KV-04",
    what: "an unknown sort order or target is refused; etcd 3.4 ends its process",
  },
  {
    id: "WA-05",
    what: "a negative start revision is refused; etcd 3.4 starts at the oldest it has",
  },
  {
    id: "WA-08",
    what: "cancelling a watch that compaction ended does nothing; etcd answers once more",
  },
  {
    id: "TX-13",
    what: "the first refusal in order is given, as since 3.6; etcd 3.4 checks all puts first",
    explains: ({ operation, left, right }) =>
      operation.kind === "txn" &&
      /^refused .*(requested lease|key) not found$/.test(left) &&
      /^refused .*required revision (has been compacted|is a future revision)$/.test(right),
  },
  {
    id: "CP-03",
    what: "a tombstone exactly at the compacted revision is kept, which HashKV shows",
  },
  {
    id: "MA-06",
    what:
      "HashKV tells hash_revision, answers at the compacted revision itself, and takes a negative " +
      "one for the current; etcd 3.4 has no such field, refuses, and hashes nothing",
    explains: ({ operation, left, right, compacted }) => {
      if (operation.kind !== "hashKv") return false;
      if (operation.request.revision === compacted && compacted > 0n) {
        return left.includes("has been compacted") && !right.startsWith("refused");
      }
      if ((operation.request.revision ?? 0n) < 0n) return !right.startsWith("refused");
      return withoutHashRevision(left) === withoutHashRevision(right);
    },
  },
  {
    id: "MA-01",
    what: "an unknown alarm action is refused with InvalidArgument; etcd 3.4 ends its process",
  },
  {
    id: "CL-02",
    what: "a voter may be added while a quorum is connected, the new one counting as down, as in 3.7",
  },
  {
    id: "CL-06",
    what: "an update keeps a learner a learner, and refuses URLs that lead nowhere",
  },
  {
    id: "WA-13",
    what: "a progress request is answered when every watch of the stream is synced, not before",
  },
];

export function explain(difference: Difference): string | undefined {
  return KNOWN_DIFFERENCES.find((known) => known.explains?.(difference) === true)?.id;
}
