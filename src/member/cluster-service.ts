/**
 * The cluster as this member takes part in it: who belongs to it and who leads it, as clients
 * change it and as the log tells it (surface 5, MA-08).
 *
 * The parts: cluster-changes.ts, leadership.ts, transfers.ts, elections.ts, cluster-version.ts.
 */
import type { ApplyResponse } from "../apply/index.ts";
import { formatId } from "../datadir/index.ts";
import { errors } from "../errors/index.ts";
import { NONE } from "../raft/index.ts";
import type {
  Clock,
  Digests,
  Entropy,
  Logger,
  PeerMember,
  PeerNetwork,
  Timers,
} from "../seam/index.ts";
import type { ConfState, RaftOperation } from "../wire/index.ts";
import { ClusterChanges } from "./cluster-changes.ts";
import { ClusterVersionMonitor } from "./cluster-version.ts";
import type { Driver } from "./driver.ts";
import { Elections } from "./elections.ts";
import type { LeaderQuestions } from "./leader-questions.ts";
import { Leadership } from "./leadership.ts";
import type { LocalStore } from "./local-store.ts";
import type { MembershipEffect } from "./membership.ts";
import type { MemberSettings } from "./settings.ts";
import { Transfers } from "./transfers.ts";
import type { MembershipChange, Waiter } from "./types.ts";

export interface ClusterServiceOptions {
  readonly id: bigint;
  readonly clusterId: bigint;
  /** "3.7.1" */
  readonly serverVersion: string;
  /** The one of now: a snapshot brings another. */
  readonly local: () => LocalStore;
  readonly driver: Driver;
  readonly network: PeerNetwork;
  readonly questions: LeaderQuestions;
  /** Of the state that is applied. */
  readonly confState: ConfState;
  readonly settings: MemberSettings;
  readonly electionTicks: number;
  readonly newRequestId: () => bigint;
  /** As the leader: never forwarded. */
  readonly propose: (operation: RaftOperation, waiter: Waiter<ApplyResponse>) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly digests: Digests;
  readonly logger: Logger;
  /** The cluster has removed this member. Called once. */
  readonly onRemoved: () => void;
  /** It may stand for election. */
  readonly mayVote: () => boolean;
}

export class ClusterService {
  readonly changes: ClusterChanges;
  readonly leadership: Leadership;
  readonly elections: Elections;
  readonly versions: ClusterVersionMonitor;
  readonly #options: ClusterServiceOptions;
  readonly #transfers: Transfers;
  #isRemoved = false;
  #isTold = false;
  #isStopped = false;

  constructor(options: ClusterServiceOptions) {
    this.#options = options;
    const { id, driver, network, settings, local } = options;
    const voters = () => this.voters;
    this.leadership = new Leadership({
      id,
      electionTimeoutMs: settings.electionTimeoutMs,
      connectedSinceMs: (other) => network.connectedSinceMs(other),
      voters,
    });
    this.elections = new Elections({
      ...options,
      isAdvancing: settings.electionTickAdvance,
      voters,
      // Time is not passed quickly while it counts for nothing.
      isConnected: (other) => options.mayVote() && network.connectedSinceMs(other) !== undefined,
    });
    this.#transfers = new Transfers(driver, settings.electionTimeoutMs);
    this.changes = new ClusterChanges({
      ...options,
      machine: () => local().machine,
      leadership: this.leadership,
      isStrict: settings.strictReconfig,
      learnersMax: settings.learnersMax,
      onEffect: (effect) => this.#changed(effect),
    });
    this.versions = new ClusterVersionMonitor({
      ...options,
      selfId: id,
      members: () => local().machine.members(),
      clusterVersion: () => local().machine.clusterVersion,
      downgrade: () => local().machine.downgrade,
      incarnation: () => local().machine.incarnation,
      isLeader: () => driver.isLeader,
    });
  }

  get voters(): readonly bigint[] {
    return this.changes.confState.voters;
  }

  get isRemoved(): boolean {
    return this.#isRemoved;
  }

  /** Connections to all that are known: of the table, and as a joiner was told. */
  connect(knownPeers: readonly PeerMember[]): void {
    const { id, local, network } = this.#options;
    for (const peer of [...knownPeers, ...local().machine.members()]) {
      if (peer.id !== id) network.add(peer.id, peer.peerUrls);
    }
  }

  /* As clients change it */

  remove(id: bigint, waiter: Waiter<MembershipChange>): void {
    if (id !== this.#options.id || !this.#options.driver.isLeader) {
      return this.changes.remove(id, waiter);
    }
    // Who leads on to its own end leaves the others without a leader for an election timeout.
    void this.stepAside().then(() => this.changes.remove(id, waiter));
  }

  promote(id: bigint, waiter: Waiter<MembershipChange>): void {
    const { questions, driver, network } = this.#options;
    questions.ask(
      {
        here: (answer) => {
          if (!driver.isLeader) return false;
          this.changes.promote(id, answer);
          return true;
        },
        there: async (leader) => {
          const members = await network.promote(leader, id);
          return { member: members.find((member) => member.id === id), members };
        },
      },
      waiter,
    );
  }

  moveLeader(target: bigint, waiter: Waiter<void>): void {
    const { id, driver, logger, clock } = this.#options;
    if (this.#isStopped) return waiter.refused(errors.Stopped);
    if (!driver.isLeader) return waiter.refused(errors.NotLeader);
    if (!this.voters.includes(target)) return waiter.refused(errors.BadLeaderTransferee);
    if (target === id) return waiter.done();
    logger.info("leadership transfer starting", {
      "local-member-id": formatId(id),
      "transferee-member-id": formatId(target),
    });
    this.#transfers.start(target, clock.monotonicMs(), waiter);
  }

  /** Hands the leadership to the follower that has most of the log, if this member has it. */
  stepAside(): Promise<void> {
    const target = this.#bestFollower();
    if (target === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.moveLeader(target, { done: resolve, refused: () => resolve() });
    });
  }

  #bestFollower(): bigint | undefined {
    const { id: self, driver, network } = this.#options;
    if (!driver.isLeader) return undefined;
    let best: { id: bigint; match: number } | undefined;
    for (const [id, progress] of driver.node.status().progress) {
      if (id === self || progress.isLearner || !progress.isRecentlyActive) continue;
      if (network.connectedSinceMs(id) === undefined) continue;
      if (best === undefined || progress.match > best.match) best = { id, match: progress.match };
    }
    return best?.id;
  }

  /* As it changes */

  /** The consensus has another leader, or none, or this member another part. */
  leaderChanged(): void {
    const { id, driver, clock, logger } = this.#options;
    const before = this.leadership.leader;
    this.leadership.update(driver.leader, clock.monotonicMs());
    this.#transfers.leaderIs(driver.leader);
    if (driver.isLeader) this.versions.wake();
    if (before === driver.leader) return;
    const fields = {
      "local-member-id": formatId(id),
      "leader-member-id": formatId(driver.leader),
      "previous-leader-member-id": formatId(before),
      term: driver.term,
    };
    if (driver.leader === NONE) logger.warn("lost the leader", fields);
    else if (driver.isLeader) logger.info("became leader", fields);
    else logger.info("elected leader", fields);
  }

  #changed(effect: MembershipEffect): void {
    const { id: self, clusterId, network, logger } = this.#options;
    const id = effect.kind === "removed" ? effect.id : effect.member.id;
    const urls = effect.kind === "removed" ? [] : effect.member.peerUrls;
    logger.info(`${effect.kind} member`, {
      "cluster-id": formatId(clusterId),
      "local-member-id": formatId(self),
      "member-id": formatId(id),
      "member-peer-urls": urls,
    });
    if (effect.kind === "added" && id !== self) network.add(id, urls);
    else if (effect.kind === "updated" && id !== self) network.update(id, urls);
    else if (effect.kind === "removed" && id !== self) network.remove(id);
    else if (effect.kind === "removed") this.#leave();
    this.versions.wake();
  }

  /**
   * By its own log. What another leader told is on that one's disk; if this member led on to its
   * own end, nobody else may know, and the others need its vote until one does (decision 0033).
   */
  #leave(): void {
    const { id, driver, logger } = this.#options;
    if (driver.leader !== id && driver.leader !== NONE) return this.removed();
    logger.info("removed from the cluster: this member stays until one that remains knows", {
      "local-member-id": formatId(id),
    });
  }

  /** A member that remains has applied it. Whoever asked for it here is answered first. */
  toldOfRemoval(): void {
    this.#isTold = true;
    if (!this.#options.driver.isChangeWaiting) this.removed();
  }

  /** The cluster goes on without this member. */
  removed(): void {
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    this.#options.onRemoved();
  }

  /** A snapshot became the state: the table is that of `local`; `before` had these members. */
  restored(confState: ConfState, before: readonly PeerMember[]): void {
    const { id: self, local, network } = this.#options;
    this.changes.restore(confState);
    const gone = new Set(before.map(({ id }) => id));
    for (const { id, peerUrls } of local().machine.members()) {
      if (gone.delete(id)) network.update(id, peerUrls);
      else if (id !== self) network.add(id, peerUrls);
    }
    gone.delete(self);
    for (const id of gone) network.remove(id);
    if (local().machine.isRemovedMember(self)) this.removed();
  }

  /* Time, and the end */

  /** Answers what was asked before `deadlineMs`, and transfers that took too long. */
  tick(nowMs: number, deadlineMs: number): void {
    if (this.#isTold) this.toldOfRemoval();
    this.changes.expire(deadlineMs);
    this.#transfers.tick(nowMs);
  }

  /** Nothing will happen any more: everyone who waits is told so. */
  stop(): void {
    this.versions.close();
    this.#isStopped = true;
    this.changes.stop(errors.Stopped);
    this.#transfers.refuseAll(errors.Stopped);
  }
}
