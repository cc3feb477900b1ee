/**
 * Everything that looks after this member's own files and state while it runs, in one place:
 *
 *   state-care.ts   a state that is not the majority's, a store that is damaged
 *   care/verifier   reads store and log again, to find rot
 *   disk-care.ts    a disk that is nearly full, or slow
 *
 * and the list of members that is kept beside the store.
 */
import { isDamage, Verifier } from "../care/index.ts";
import type { AlarmRaiser } from "./alarm-raiser.ts";
import { DiskCare } from "./disk-care.ts";
import type { LogReleaser } from "./log-releaser.ts";
import type { RaftMember, RaftMemberParts } from "./raft-member.ts";
import { StateCare } from "./state-care.ts";
import type { CareMeasures, ClusterMember } from "./types.ts";

export interface MemberCareOptions {
  readonly member: RaftMember;
  readonly parts: RaftMemberParts;
  readonly alarms: () => AlarmRaiser;
  readonly releaser: () => LogReleaser;
}

export class MemberCare {
  readonly state: StateCare;
  readonly #options: MemberCareOptions;
  readonly #verifier: Verifier;
  readonly #disk: DiskCare;
  #keptMembers: readonly ClusterMember[] | undefined;
  #isKeepingMembers = false;

  /** Made before the rest of the member, which it asks for nothing until time passes. */
  constructor(options: MemberCareOptions) {
    this.#options = options;
    const { member, parts, alarms } = options;
    this.state = new StateCare({
      ...parts,
      local: () => member.local,
      driver: () => member.driver,
      cluster: () => member.cluster,
      alarms,
      isInstalling: () => member.snapshots.isInstalling,
      resync: (id) => member.snapshots.resync(id),
      damage: parts.storeLoss,
      appliedLog: () => member.appliedLog,
    });
    this.#verifier = new Verifier({
      ...parts,
      backend: () => member.local.backend,
      log: parts.wal,
      firstPassMs: parts.settings.verifyAfterMs,
      onStoreDamage: (error) => this.report(error),
      onLogDamage: (error) => void this.#forsakeLog(error),
    });
    this.#disk = new DiskCare({
      ...parts,
      paths: parts.diskPaths,
      driver: () => member.driver,
      alarms,
      hasQuota: () => member.local.quota.admits(1, parts.clock.monotonicMs()),
      stepAside: () => member.cluster.stepAside(),
      electionTimeoutMs: parts.settings.electionTimeoutMs,
    });
  }

  /** Something is not what was written: another member's store replaces it, or an alarm rises. */
  report(error: Error): void {
    if (!this.mends(error)) this.#options.alarms().damaged(error);
  }

  /** Whether the store is damaged and others have what it held; it is being replaced then. */
  mends(error: Error): boolean {
    const { voters } = this.#options.member.cluster;
    const isAlone = voters.length === 0 || (voters.length === 1 && voters[0] === this.#id);
    if (!isDamage(error) || isAlone) return false;
    this.state.damaged(error);
    return true;
  }

  get #id(): bigint {
    return this.#options.member.id;
  }

  /** An entry of the new segment must be applied before the old ones go: one without effect. */
  async #forsakeLog(error: Error): Promise<void> {
    const { member, parts, releaser } = this.#options;
    parts.journal.note({
      kind: "damage",
      found: error.message,
      why: "what stands in the log is not what was written",
      done: "the log goes on in a new segment; the old ones go when the store has all of them",
    });
    try {
      await releaser().forsake();
      const nobody = { done: () => undefined, refused: () => undefined };
      member.proposeForCluster({ kind: "leaseCheckpoint", checkpoints: [] }, nobody);
    } catch (reason) {
      member.fail(reason instanceof Error ? reason : new Error(String(reason)));
    }
  }

  /** Several times a second. */
  tick(nowMs: number): void {
    this.state.tick(nowMs);
    this.#disk.tick(nowMs);
    this.#keepMembers();
  }

  /** A store that is lost takes the members with it: they are kept beside it, too. */
  #keepMembers(): void {
    const { member, parts } = this.#options;
    const members = member.members();
    if (members === this.#keptMembers || members.length === 0 || this.#isKeepingMembers) return;
    this.#keptMembers = members;
    this.#isKeepingMembers = true;
    const settled = (): void => {
      this.#isKeepingMembers = false;
    };
    parts.keepPeers(members).then(settled, (error: unknown) => {
      settled();
      const text = error instanceof Error ? error.message : String(error);
      parts.logger.warn("cannot keep the list of members beside the store", { error: text });
    });
  }

  get measures(): CareMeasures {
    return {
      events: this.#options.parts.journal.counts,
      mismatches: this.state.consistency.mismatches,
      verifiedBytes: this.#verifier.bytes,
      verifyPasses: this.#verifier.passes,
    };
  }

  async close(): Promise<void> {
    this.#disk.close();
    await this.#verifier.close();
    await this.#options.parts.journal.close();
  }
}
