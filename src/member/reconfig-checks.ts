/**
 * What the proposer of a change of the membership looks at first, so that the cluster does not
 * lose its quorum by it: --strict-reconfig-check (CL-02, CL-05) and whether a learner has caught up
 * (CL-08). Pure.
 */
import { type EtcdError, errors } from "../errors/index.ts";
import type { ClusterMember } from "./types.ts";

/** A member counts as connected once it was so for this long. */
export const HEALTHY_AFTER_MS = 5_000;
/** A learner below this share of the leader's log is not in sync. */
const READY_SHARE = 0.9;

export interface ReconfigView {
  readonly members: readonly ClusterMember[];
  readonly selfId: bigint;
  /** Monotonic. */
  readonly nowMs: number;
  /** As `PeerNetwork.connectedSinceMs`. */
  connectedSinceMs(id: bigint): number | undefined;
}

function votersOf(members: readonly ClusterMember[]): readonly ClusterMember[] {
  return members.filter(({ isLearner }) => !isLearner);
}

/** A member is started once it has published its name. */
function startedOf(members: readonly ClusterMember[]): number {
  return members.filter(({ name }) => name !== "").length;
}

function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

function connectedOf(view: ReconfigView, voters: readonly ClusterMember[]): number {
  const isConnected = ({ id }: ClusterMember) => {
    const sinceMs = id === view.selfId ? Number.NEGATIVE_INFINITY : view.connectedSinceMs(id);
    return sinceMs !== undefined && sinceMs < view.nowMs - HEALTHY_AFTER_MS;
  };
  return voters.filter(isConnected).length;
}

/** CL-02: the new member counts as down. A cluster of one may always grow, as when restored. */
export function checkAdd(view: ReconfigView, isLearner: boolean): EtcdError | undefined {
  const voters = votersOf(view.members);
  const started = startedOf(voters);
  const isGrowthOfOne = voters.length === 1 && started === 1;
  if (!isLearner && !isGrowthOfOne && started < quorumOf(voters.length + 1)) {
    return errors.MemberNotEnoughStarted;
  }
  if (voters.length === 1) return undefined;
  const isHealthy = connectedOf(view, voters) >= quorumOf(voters.length + 1);
  return isHealthy ? undefined : errors.Unhealthy;
}

/** CL-05: learners and members that are down may always go, if enough started ones stay. */
export function checkRemove(view: ReconfigView, id: bigint): EtcdError | undefined {
  const target = view.members.find((member) => member.id === id);
  if (target?.isLearner === true) return undefined;
  const voters = votersOf(view.members);
  const rest = voters.filter((member) => member.id !== id);
  if (startedOf(rest) < quorumOf(rest.length)) return errors.MemberNotEnoughStarted;
  if (id !== view.selfId && view.connectedSinceMs(id) === undefined) return undefined;
  const left = connectedOf(view, voters) - 1;
  return left < quorumOf(voters.length - 1) ? errors.Unhealthy : undefined;
}

/** The learner to be promoted counts as started. */
export function checkPromote(members: readonly ClusterMember[]): EtcdError | undefined {
  const voters = votersOf(members);
  const isEnough = startedOf(voters) + 1 >= quorumOf(voters.length + 1);
  return isEnough ? undefined : errors.MemberNotEnoughStarted;
}

/**
 * CL-08, asked on the leader, whose progress has a match for each member: undefined = unknown.
 * Who is no learner is told so when the change is applied.
 */
export function checkLearnerReady(
  learnerMatch: number | undefined,
  leaderMatch: number,
): EtcdError | undefined {
  if (learnerMatch === undefined) return errors.MemberNotFound;
  const isReady = learnerMatch >= READY_SHARE * leaderMatch;
  return isReady ? undefined : errors.MemberLearnerNotReady;
}
