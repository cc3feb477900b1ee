/**
 * The leader's part in bringing back a member that lost what it had promised: its old id is
 * removed, and a learner with the same peer URLs takes its place (decision 0029).
 *
 * The TIME_TRAVEL alarm of the old id stands from before the removal until the new member votes, so
 * that another leader goes on where this one was stopped.
 */
import { type EtcdError, errors } from "../errors/index.ts";
import type { Logger, LostMember, PeerNetwork } from "../seam/index.ts";
import { AlarmAction, AlarmType, type RaftOperation } from "../wire/index.ts";
import type { ApplyResponse } from "../apply/index.ts";
import { formatId } from "../datadir/index.ts";
import type { ClusterChanges } from "./cluster-changes.ts";
import type { Driver } from "./driver.ts";
import type { LocalStore } from "./local-store.ts";
import type { ClusterMember, MembershipChange, Waiter } from "./types.ts";

export interface ReplacementsOptions {
  readonly id: bigint;
  readonly local: () => LocalStore;
  readonly driver: Driver;
  readonly network: PeerNetwork;
  readonly changes: () => ClusterChanges;
  readonly learnersMax: number;
  readonly propose: (operation: RaftOperation, waiter: Waiter<ApplyResponse>) => void;
  readonly logger: Logger;
}

export class Replacements {
  readonly #options: ReplacementsOptions;
  /** One at a time. */
  #isBusy = false;

  constructor(options: ReplacementsOptions) {
    this.#options = options;
  }

  /** Answers all members, the new one first. May be asked again at any point of it. */
  async replace(lost: LostMember): Promise<readonly ClusterMember[]> {
    if (!this.#options.driver.isLeader) throw errors.NotLeader;
    if (this.#isBusy) throw errors.TooManyRequests;
    this.#isBusy = true;
    try {
      return await this.#replace(lost);
    } finally {
      this.#isBusy = false;
    }
  }

  async #replace(lost: LostMember): Promise<readonly ClusterMember[]> {
    const { local, changes, logger } = this.#options;
    const row = this.#members().find(({ id }) => id === lost.id);
    const isMarked = local()
      .alarmSet.list()
      .some(({ alarm, memberId }) => alarm === AlarmType.TIME_TRAVEL && memberId === lost.id);
    // Removed by an operator: it is not for us to bring it back.
    if (row === undefined && !isMarked) throw errors.MemberNotFound;
    if (row !== undefined) {
      this.#check(row);
      logger.warn("a member lost what it had promised; a learner takes its place", {
        "member-id": formatId(lost.id),
        "member-peer-urls": row.peerUrls,
      });
      const alarm = { memberId: lost.id, alarm: AlarmType.TIME_TRAVEL, isScoped: true };
      const action = AlarmAction.ACTIVATE;
      await promised<ApplyResponse>((waiter) =>
        this.#options.propose({ kind: "alarm", alarm: { action, ...alarm } }, waiter),
      );
      await promised<MembershipChange>((waiter) => changes().removeLost(lost.id, waiter));
    }
    return this.#add(row?.peerUrls ?? lost.peerUrls);
  }

  /** It is removed only if the others can go on without it, and take the new one. */
  #check(row: ClusterMember): void {
    const { id: self, network, learnersMax } = this.#options;
    const voters = this.#members().filter(({ isLearner }) => !isLearner);
    const others = voters.filter(
      ({ id }) => id !== row.id && (id === self || network.connectedSinceMs(id) !== undefined),
    );
    if (others.length < Math.floor(voters.length / 2) + 1) throw errors.Unhealthy;
    const learners = this.#members().filter(({ id, isLearner }) => isLearner && id !== row.id);
    if (learners.length >= learnersMax) throw errors.TooManyLearners;
  }

  async #add(peerUrls: readonly string[]): Promise<readonly ClusterMember[]> {
    const isThere = (member: ClusterMember): boolean =>
      member.peerUrls.some((url) => peerUrls.includes(url));
    const present = this.#members().find(isThere);
    if (present !== undefined && present.name !== "") throw errors.PeerURLExist;
    if (present === undefined) {
      const { changes } = this.#options;
      await promised<MembershipChange>((waiter) => changes().add(peerUrls, true, waiter, true));
    }
    const added = this.#members().filter(isThere);
    return [...added, ...this.#members().filter((member) => !isThere(member))];
  }

  #members(): readonly ClusterMember[] {
    return this.#options.local().machine.members();
  }
}

export function promised<T>(ask: (waiter: Waiter<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    ask({ done: resolve, refused: (error: EtcdError) => reject(error) });
  });
}
