/**
 * Majorities, and the joint majorities that a configuration change passes through: what needs a
 * quorum needs one of each half (thesis 4.3).
 */

/** Who knows what each voter has acknowledged: the tracker, or a round of reads. */
export interface Acknowledged {
  /** Undefined = nothing is known of the voter. */
  acknowledged(id: bigint): number | undefined;
}

export type VoteResult = "pending" | "lost" | "won";

/** Two halves; `outgoing` is empty unless a change is under way. */
export interface JointVoters {
  readonly incoming: ReadonlySet<bigint>;
  readonly outgoing: ReadonlySet<bigint>;
}

/** Reused for each count: voters are few and this runs for each acknowledgement. */
const scratch: number[] = [];

/** The highest index that a majority has acknowledged; Infinity when there are no voters. */
export function majorityCommitted(voters: ReadonlySet<bigint>, by: Acknowledged): number {
  const count = voters.size;
  if (count === 0) return Number.POSITIVE_INFINITY;
  let filled = 0;
  for (const id of voters) {
    const index = by.acknowledged(id) ?? 0;
    let at = filled;
    while (at > 0 && (scratch[at - 1] as number) > index) {
      scratch[at] = scratch[at - 1] as number;
      at -= 1;
    }
    scratch[at] = index;
    filled += 1;
  }
  // Ascending: the voters from this place on are a majority.
  return scratch[count - (Math.floor(count / 2) + 1)] as number;
}

/** The highest index that both halves have acknowledged. */
export function jointCommitted(voters: JointVoters, by: Acknowledged): number {
  const incoming = majorityCommitted(voters.incoming, by);
  return Math.min(incoming, majorityCommitted(voters.outgoing, by));
}

/** No voters have won: so an empty outgoing half never stands in the way. */
export function majorityVote(
  voters: ReadonlySet<bigint>,
  votes: ReadonlyMap<bigint, boolean>,
): VoteResult {
  if (voters.size === 0) return "won";
  const needed = Math.floor(voters.size / 2) + 1;
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const vote = votes.get(id);
    if (vote === undefined) missing += 1;
    else if (vote) granted += 1;
  }
  if (granted >= needed) return "won";
  return granted + missing >= needed ? "pending" : "lost";
}

export function jointVote(voters: JointVoters, votes: ReadonlyMap<bigint, boolean>): VoteResult {
  const incoming = majorityVote(voters.incoming, votes);
  const outgoing = majorityVote(voters.outgoing, votes);
  if (incoming === outgoing) return incoming;
  return incoming === "lost" || outgoing === "lost" ? "lost" : "pending";
}
