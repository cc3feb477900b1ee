/**
 * The cluster as commands that change it member by member see it. All is had by public calls:
 * the list of members, Status, and `process_start_time_seconds` of /metrics.
 */
import type { ClusterMember, MemberAlarm, StatusResponse } from "../../client/index.ts";
import { type Asker, lookAt, type MemberLook } from "../health/look.ts";

export interface MemberView {
  readonly member: ClusterMember;
  readonly id: string;
  /** Its name, or its id while it has none. */
  readonly name: string;
  /** Undefined: no answer. */
  readonly status: StatusResponse | undefined;
  /** When its process began, in seconds of its own clock; undefined where /metrics is not had. */
  readonly startSeconds: number | undefined;
  readonly alarms: readonly string[];
}

export interface ClusterView {
  readonly members: readonly MemberView[];
  /** The one that says so in the newest term. */
  readonly leader: MemberView | undefined;
  /** What that leader has committed; 0 without one. */
  readonly committed: number;
}

/** Rejects when no endpoint can list the members. */
export async function viewOf(asker: Asker): Promise<ClusterView> {
  const { members: looks, alarms } = await lookAt(asker);
  const members = looks.map((look) => memberView(look, alarms));
  const leaders = members.filter(({ status, member }) => status?.leader === member.id);
  const leader = leaders.sort((a, b) => termOf(b) - termOf(a))[0];
  return { members, leader, committed: leader?.status?.raftIndex ?? 0 };
}

function memberView(
  { member, status, metrics }: MemberLook,
  alarms: readonly MemberAlarm[],
): MemberView {
  const id = member.id.toString(16);
  return {
    member,
    id,
    name: member.name === "" ? id : member.name,
    // Another member may answer at its address.
    status: status?.header.memberId === member.id ? status : undefined,
    startSeconds: metrics?.value("process_start_time_seconds"),
    alarms: alarms.filter((one) => one.memberId === member.id).map(({ alarm }) => alarm),
  };
}

function termOf({ status }: MemberView): number {
  return status?.raftTerm ?? 0;
}

/** In use, and following the leader of the view or being it. */
export function isServing({ leader }: ClusterView, { status }: MemberView): boolean {
  return leader !== undefined && status?.leader === leader.member.id;
}

export function votersOf({ members }: ClusterView): readonly MemberView[] {
  return members.filter(({ member }) => !member.isLearner);
}

export function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/** Entries that the leader has committed and the member has not applied. */
export function lagOf({ committed }: ClusterView, { status }: MemberView): number {
  return Math.max(0, committed - (status?.raftAppliedIndex ?? 0));
}
