/**
 * What becomes of this member when its state is not that of the majority: it stops serving, applies
 * nothing more, takes over the leader's store, and tells the cluster that it is well again
 * (care/ finds out; decision 0028).
 *
 *   well -> quarantined (its CORRUPT alarm is in its own table) -> healed (has another store, and
 *   goes on applying) -> well (the alarm is gone)
 *
 * Its log and its votes are sound all the while, so that it goes on taking part in the consensus.
 */
import {
  Consistency,
  type DivergenceRange,
  type Journal,
  type StateChain,
  writeDivergence,
} from "../care/index.ts";
import type { AppliedPoint } from "../backend/index.ts";
import { formatId } from "../datadir/index.ts";
import type { Disk, Logger, Timers } from "../seam/index.ts";
import type { AlarmRaiser } from "./alarm-raiser.ts";
import type { AppliedLog } from "./applied-log.ts";
import type { ClusterService } from "./cluster-service.ts";
import type { Driver } from "./driver.ts";
import { ATTEST_WAIT_MS, QUARANTINE_REPEAT_MS, RESYNC_WAIT_MS } from "./limits.ts";
import type { LocalStore } from "./local-store.ts";

const POLL_MS = 20;
/** So often within a day another store helps; after that what is wrong is not the data. */
const REPLACED_MAX = 3;
const DAY_MS = 24 * 3_600_000;
/** Of what is written down about states that differ. */
const DIVERGENCE_ENTRIES_MAX = 1_000;
const DIVERGENCE_BYTES_MAX = 4 * 1024 * 1024;

export interface StateCareOptions {
  readonly id: bigint;
  readonly local: () => LocalStore;
  readonly driver: () => Driver;
  readonly cluster: () => ClusterService;
  readonly alarms: () => AlarmRaiser;
  /** A store is being put in the place of this one. */
  readonly isInstalling: () => boolean;
  /** Sends this member's store to another one. */
  readonly resync: (id: bigint) => void;
  /** What is wrong with this member's store from the start. */
  readonly damage: Error | undefined;
  readonly timers: Timers;
  readonly journal: Journal;
  readonly disk: Disk;
  /** For files about states that differ. */
  readonly directory: string;
  readonly appliedLog: () => AppliedLog;
  readonly logger: Logger;
}

export class StateCare {
  readonly consistency: Consistency;
  readonly #options: StateCareOptions;
  #damage: Error | undefined;
  #wasQuarantined = false;
  #repeatAtMs: number | undefined;

  constructor(options: StateCareOptions) {
    this.#options = options;
    this.#damage = options.damage;
    const { id, local, driver, cluster, alarms, resync, journal } = options;
    this.consistency = new Consistency({
      id,
      chain: (): StateChain => local().chain,
      doubts: () => local().doubts,
      isLeader: () => driver().isLeader,
      members: () => membersOf(cluster()),
      quarantined: () => local().alarmSet.scoped,
      needsStore: (other) => driver().node.raft.tracker.progress(other)?.state === "snapshot",
      raise: (member) => alarms().corrupt(member),
      handOver: (to) => this.#handOver(to),
      resync,
      note: (event) => journal.note(event),
      diverged: (member, range) => void this.#writeDivergence(member, range),
    });
  }

  /** Clients are refused: what this member would answer may be wrong. */
  get isQuarantined(): boolean {
    return this.consistency.isSuspect || this.#isInTrouble;
  }

  /** It would take another member's store now. */
  get wantsStore(): boolean {
    return this.isApplyHeld && !this.#isHardware;
  }

  /** Its store was replaced again and again: the machine is at fault, and a person is wanted. */
  get #isHardware(): boolean {
    return this.#options.journal.recent("replaced", DAY_MS) >= REPLACED_MAX;
  }

  /** Nothing is applied to a state that is going to be replaced. */
  get isApplyHeld(): boolean {
    return this.#isInTrouble && !this.#isHealed && !this.#options.isInstalling();
  }

  /** A record of this member's store is not what was written, or is gone. */
  damaged(error: Error): void {
    if (this.#damage !== undefined) return;
    this.#damage = error;
    this.#options.local().isCure = false;
    this.#options.journal.note({
      kind: "damage",
      found: error.message,
      why: "what stands in the store is not what was written",
      done: "this member asks for another one's store",
    });
  }

  /** It has another store since it was quarantined. */
  get #isHealed(): boolean {
    return this.#options.local().isCure;
  }

  get #isInTrouble(): boolean {
    return this.#damage !== undefined || this.#isAccused;
  }

  get #isAccused(): boolean {
    const { scoped } = this.#options.local().alarmSet;
    return scoped.length > 0 && scoped.includes(this.#options.id);
  }

  tick(nowMs: number): void {
    this.consistency.tick(nowMs);
    const isInTrouble = this.#isInTrouble;
    if (isInTrouble !== this.#wasQuarantined) this.#changed(isInTrouble, nowMs);
    if (!isInTrouble) {
      // A store that came long ago, as to any follower that is far behind, heals nothing of now.
      this.#options.local().isCure = false;
      return;
    }
    const { driver, alarms, id, cluster } = this.#options;
    if (this.#isHealed) return alarms().healed();
    if (driver().isLeader) this.#handOver(cluster().voters.filter((other) => other !== id));
    // The alarm may have been disarmed where this member cannot see it, since it applies nothing.
    if (this.#repeatAtMs === undefined || nowMs < this.#repeatAtMs) return;
    this.#repeatAtMs = nowMs + QUARANTINE_REPEAT_MS;
    alarms().repeat(id);
  }

  #changed(isInTrouble: boolean, nowMs: number): void {
    const { journal, driver } = this.#options;
    const found = `applied up to index ${driver().applied}`;
    this.#wasQuarantined = isInTrouble;
    // Damage is known here alone so far.
    const delayMs = this.#isAccused ? QUARANTINE_REPEAT_MS : 0;
    this.#repeatAtMs = isInTrouble ? nowMs + delayMs : undefined;
    if (isInTrouble) {
      const why = this.#isAccused
        ? "a majority of the members has another state"
        : "its store is damaged or lost";
      journal.note({
        kind: "quarantined",
        found,
        why,
        done: "this member serves no client until it has another one's store; it goes on voting",
      });
      if (this.#isHardware) this.#tellHardware();
      return;
    }
    journal.note({
      kind: "healed",
      found,
      why: "it has another member's store, and no alarm",
      done: "this member serves clients again",
    });
    // Entries may have come that were held.
    driver().storeCaughtUp();
  }

  #tellHardware(): void {
    this.#options.journal.note({
      kind: "hardware",
      found: `its store was replaced ${REPLACED_MAX} times within a day`,
      why: "data that rots again at once is a matter of memory, disk or controller",
      done:
        "this member stays out; move it to another machine: " +
        `holdfast ctl member replace ${formatId(this.#options.id)}`,
    });
  }

  #handOver(to: readonly bigint[]): void {
    const { driver, local } = this.#options;
    const { scoped } = local().alarmSet;
    const progress = new Map(driver().node.status().progress);
    const matchOf = (id: bigint): number => progress.get(id)?.match ?? 0;
    // One that lags would need a store, which nobody takes from this member.
    const [target] = to
      .filter((id) => !scoped.includes(id))
      .sort((one, other) => matchOf(other) - matchOf(one));
    if (target !== undefined) driver().transferLeader(target);
  }

  /** Never rejects: it is for who looks into it later. */
  async #writeDivergence(member: bigint, { after, upTo }: DivergenceRange): Promise<void> {
    const { id, local, disk, directory, appliedLog, logger } = this.#options;
    const effects = local().effects.of(after, upTo);
    try {
      const lo = Math.max(after + 1, upTo - DIVERGENCE_ENTRIES_MAX + 1);
      const log = appliedLog();
      const read = await log.read(lo, upTo + 1, DIVERGENCE_BYTES_MAX, log.term(lo - 1) ?? 0);
      const entries = read === "released" ? [] : read;
      const ids = { member: formatId(member), writer: formatId(id) };
      const path = await writeDivergence(disk, directory, {
        ...ids,
        after,
        upTo,
        entries,
        effects,
      });
      logger.info("what the entries did here is written down", { path });
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      logger.warn("cannot write down what the entries did here", { error: text });
    }
  }

  /**
   * Settles when others attest what this member had at `index`, or nobody contradicts it; rejects
   * when somebody does. Who is given a wrong state would be the next to attest it. While the alarm
   * of all stands somebody has another state: then nobody else may be left to ask.
   */
  async attested(index: number, to: bigint): Promise<void> {
    const { consistency } = this;
    if (await this.#within(ATTEST_WAIT_MS, () => consistency.isAttested(index, to))) return;
    const { isCorrupt } = this.#options.local().alarmSet;
    if (!consistency.isDoubted && (!isCorrupt || consistency.isUncontested(index, to))) return;
    throw new Error(`the others have another state than this member's at index ${index}`);
  }

  /** Settles when the log here reaches `point`, so that a store of it can be gone on from. */
  async reaches({ index }: AppliedPoint): Promise<void> {
    const { driver } = this.#options;
    if (await this.#within(RESYNC_WAIT_MS, () => driver().committed >= index)) return;
    throw new Error(`the log reaches index ${driver().committed}, the store ${index}`);
  }

  /** Whether `isSo` became true in that time. */
  #within(waitMs: number, isSo: () => boolean): Promise<boolean> {
    const { timers } = this.#options;
    return new Promise((resolve) => {
      let waitedMs = 0;
      const look = (): void => {
        if (isSo()) return resolve(true);
        waitedMs += POLL_MS;
        if (waitedMs >= waitMs) return resolve(false);
        timers.after(POLL_MS, look);
      };
      look();
    });
  }

  /** Another store took the place of this member's. */
  storeReplaced(): void {
    if (this.#isInTrouble) {
      this.#options.journal.note({
        kind: "replaced",
        found: `its store is of index ${this.#options.local().backend.applied.index}`,
        why: "this member's own was damaged, lost, or not the majority's",
        done: "another member's store took the place of this one's",
      });
    }
    this.consistency.storeReplaced();
    this.#damage = undefined;
    this.#options.local().isCure = true;
    this.#options.driver().storeCaughtUp();
  }
}

function membersOf({ changes }: ClusterService): { id: bigint; isVoter: boolean }[] {
  const { voters, learners } = changes.confState;
  return [
    ...voters.map((id) => ({ id, isVoter: true })),
    ...learners.map((id) => ({ id, isVoter: false })),
  ];
}
