/**
 * Whose turn it is in a rolling restart. Pure.
 *
 * Which members are done is told by the time at which each process began, noted before the first
 * was touched: a process that began at another time is another process. Both times are of the
 * member's own clock, so clocks need not agree. When the notes are lost, members are restarted once
 * more; none is ever left out.
 */
import { CtlError } from "../exit.ts";
import { type ClusterView, isServing, lagOf, type MemberView, quorumOf, votersOf } from "./view.ts";

export interface RollingNotes {
  readonly cluster: string;
  readonly exec: string;
  /** When each member's process began before anything was done, by id. */
  readonly startSeconds: Readonly<Record<string, number>>;
  /** The member whose turn it is, until it is back. */
  readonly current?: string;
}

export function isRollingNotes(value: unknown): value is RollingNotes {
  const notes = value as Partial<RollingNotes> | null;
  return (
    typeof notes?.cluster === "string" &&
    typeof notes.exec === "string" &&
    typeof notes.startSeconds === "object" &&
    notes.startSeconds !== null &&
    Object.values(notes.startSeconds).every((start) => typeof start === "number")
  );
}

/** Some servers take the time from counters of the kernel, which are this exact. */
const SAME_START_SECONDS = 1;
/** Beyond what is on its way under load. */
const LAG_ENTRIES_MAX = 1_000;

/** False also for one that does not tell. */
export function isRestarted(notes: RollingNotes, { id, startSeconds }: MemberView): boolean {
  const before = notes.startSeconds[id];
  if (startSeconds === undefined) return false;
  // Who is not in the notes came later.
  return before === undefined || Math.abs(startSeconds - before) > SAME_START_SECONDS;
}

/** Learners, then followers, the leader last. */
export function inOrder({ leader }: ClusterView, members: readonly MemberView[]): MemberView[] {
  const rank = (one: MemberView): number => (one === leader ? 2 : one.member.isLearner ? 0 : 1);
  return [...members].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

/** Throws CtlError, which says what to do, when a member other than `turn` is not well. */
export function checkOthers(view: ClusterView, turn: MemberView | undefined): void {
  const trouble = troubleOfOthers(view, turn);
  if (trouble === undefined) return;
  throw new CtlError(
    `nothing is restarted while the cluster is not healthy: ${trouble}. ` +
      "Mend that first (`holdfast health` says more), then the same command goes on",
  );
}

export function troubleOfOthers(
  view: ClusterView,
  turn: MemberView | undefined,
): string | undefined {
  const others = view.members.filter((one) => one !== turn);
  const troubles = others.flatMap((one) => troubleOf(view, one));
  if (view.leader === undefined && troubles.length === 0) troubles.push("there is no leader");
  return troubles.length === 0 ? undefined : troubles.join("; ");
}

/** Throws CtlError when the voters without `turn` are no majority. */
export function checkMajority(view: ClusterView, turn: MemberView): void {
  const voters = votersOf(view).length;
  if (turn.member.isLearner || voters - 1 >= quorumOf(voters)) return;
  throw new CtlError(
    `with ${voters} ${voters === 1 ? "voter" : "voters"} no majority is left while one restarts, ` +
      "and the service stops; restart by hand, or add members first",
  );
}

function troubleOf(view: ClusterView, one: MemberView): string[] {
  const { name, status, member } = one;
  if (member.name === "") return [`${name} was added and never started`];
  if (status === undefined) return [`${name} does not answer`];
  if (view.leader !== undefined && !isServing(view, one)) {
    return [`${name} does not follow the leader`];
  }
  // NOSPACE may be why they are restarted: with a larger quota.
  const alarms = one.alarms.filter((alarm) => alarm !== "nospace");
  if (alarms.length > 0) return [`${name} has the alarm ${alarms.join(", ").toUpperCase()}`];
  const lag = lagOf(view, one);
  return lag > LAG_ENTRIES_MAX ? [`${name} is ${lag} entries behind the leader`] : [];
}
