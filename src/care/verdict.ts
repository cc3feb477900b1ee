/**
 * Who is right when members differ: a strict majority of the voters at one index (pure).
 *
 * A chain that differs once differs for ever, so that one comparison each is enough to tell whom a
 * member agrees with: the leader, who compares, or not. Those that do not are compared with each
 * other at an index that two of them reported.
 */
import type { StateDigest } from "../wire/index.ts";
import { sameDigest } from "./state-chain.ts";

/** What is known of one other member. */
export interface Standing {
  readonly id: bigint;
  readonly isVoter: boolean;
  /** With the member that compares; undefined = not compared yet. */
  readonly agrees: boolean | undefined;
  /** Its newest reports, newest last; what those that differ are compared by. */
  readonly reports: readonly StateDigest[];
}

export type Verdict =
  /** Nobody is known to differ. */
  | { readonly kind: "alike" }
  /** Some differ, and it takes more reports to tell who is right. */
  | { readonly kind: "undecided" }
  /** These are wrong; a strict majority of the voters agrees with the member that compares. */
  | { readonly kind: "others"; readonly wrong: readonly bigint[] }
  /** A strict majority of the voters agrees with each other, and not with this member. */
  | { readonly kind: "self"; readonly right: readonly bigint[] }
  /** All voters have been compared, and no digest has a strict majority. */
  | { readonly kind: "split" };

/** `isVoter`: the member that compares is one. */
export function verdictOf(others: readonly Standing[], isVoter: boolean): Verdict {
  const wrong = others.filter(({ agrees }) => agrees === false);
  if (wrong.length === 0) return { kind: "alike" };
  const voters = others.filter((other) => other.isVoter);
  const quorum = Math.floor((voters.length + (isVoter ? 1 : 0)) / 2) + 1;
  const withUs = voters.filter(({ agrees }) => agrees === true).length + (isVoter ? 1 : 0);
  if (withUs >= quorum) return { kind: "others", wrong: wrong.map(({ id }) => id) };
  const against = largestGroup(voters.filter(({ agrees }) => agrees === false));
  if (against.length >= quorum) return { kind: "self", right: against };
  const isOpen = voters.some(({ agrees }) => agrees === undefined);
  // Those that differ may yet turn out to agree with each other.
  const possible = voters.filter(({ agrees }) => agrees === false).length;
  if (isOpen || (possible >= quorum && !areComparable(voters))) return { kind: "undecided" };
  return { kind: "split" };
}

/** Ids of the most members that reported one digest at one index. */
function largestGroup(members: readonly Standing[]): bigint[] {
  let largest: bigint[] = [];
  for (const { reports } of members) {
    for (const report of reports) {
      const group = members.filter((other) =>
        other.reports.some((theirs) => sameDigest(theirs, report)),
      );
      if (group.length > largest.length) largest = group.map(({ id }) => id);
    }
  }
  return largest;
}

/** Whether all that differ reported at one index. */
function areComparable(voters: readonly Standing[]): boolean {
  const differing = voters.filter(({ agrees }) => agrees === false);
  return (differing[0]?.reports ?? []).some(({ index }) =>
    differing.every(({ reports }) => reports.some((report) => report.index === index)),
  );
}
