/**
 * The life of this member (care/lives.ts) with what it needs: a disk to keep floors on, time, and
 * the way back for a member whose disk went back in time (decision 0029).
 *
 *   normal -> quarantined: it takes part in nothing, and asks the others to be replaced
 *          -> replaced: its owner closes it and opens it again, as a learner with an empty store
 *          -> learner, until it has caught up -> voter
 */
import { type Journal, Lives, type LivesView } from "../care/index.ts";
import {
  formatId,
  lifePaths,
  type Rejoin,
  removeRejoin,
  type StoredLife,
  writeFloors,
  writeLife,
  writeRejoin,
  type DataDirectory,
} from "../datadir/index.ts";
import { EtcdError, errors } from "../errors/index.ts";
import { type Evidence, NONE } from "../raft/index.ts";
import type { Clock, Disk, Logger, PeerMember, PeerNetwork } from "../seam/index.ts";
import {
  AlarmAction,
  AlarmType,
  type Floor,
  type Message,
  type RaftOperation,
} from "../wire/index.ts";
import type { ApplyResponse } from "../apply/index.ts";
import type { ClusterService } from "./cluster-service.ts";
import type { Driver } from "./driver.ts";
import {
  BLOCKED_REPEAT_MS,
  CONTACT_HEARTBEATS,
  FLOORS_SAVE_MS,
  REPLACE_RETRY_MS,
} from "./limits.ts";
import type { LocalStore } from "./local-store.ts";
import type { MemberSettings } from "./settings.ts";
import { promised } from "./replacements.ts";
import type { MembershipChange, Waiter } from "./types.ts";

/** What a start found, and decided. */
export interface Beginnings {
  readonly paths: DataDirectory;
  readonly stored: StoredLife;
  readonly floors: readonly Floor[];
  readonly rejoin: Rejoin | undefined;
  /** A file on another volume, and what was in it. */
  readonly witness: { readonly path: string; readonly floors: readonly Floor[] } | undefined;
}

export interface LifeKeeperOptions {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly beginnings: Beginnings;
  /** As its file of peers has them, its own row included. */
  readonly knownPeers: readonly PeerMember[];
  readonly settings: MemberSettings;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly journal: Journal;
  readonly driver: () => Driver;
  readonly cluster: () => ClusterService;
  readonly local: () => LocalStore;
  readonly network: () => PeerNetwork;
  readonly propose: (operation: RaftOperation, waiter: Waiter<ApplyResponse>) => void;
  /** The member is to be closed and opened again. Called once. */
  readonly onReplaced: () => void;
  readonly onRemoved: () => void;
}

export class LifeKeeper {
  readonly lives: Lives;
  readonly #options: LifeKeeperOptions;
  readonly #paths: { readonly life: string; readonly floors: string };
  #nowMs: number;
  #savedAtMs: number;
  #saving: Promise<boolean> = Promise.resolve(true);
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #toldAtMs: number;
  #isAsking = false;
  #isMarked = false;
  #rejoin: Rejoin | undefined;
  /** What the witness knows. */
  #witnessed: Floor | undefined;
  #isWitnessing = false;
  #witnessedAtMs: number;
  #isClosed = false;

  constructor(options: LifeKeeperOptions) {
    this.#options = options;
    const { beginnings, settings, clock, id, driver } = options;
    this.#paths = lifePaths(beginnings.paths);
    this.#rejoin = beginnings.rejoin;
    this.#nowMs = clock.monotonicMs();
    this.#savedAtMs = this.#nowMs;
    this.#toldAtMs = this.#nowMs;
    this.#witnessedAtMs = Number.NEGATIVE_INFINITY;
    this.lives = new Lives({
      id,
      life: beginnings.stored,
      floors: beginnings.floors,
      protection: settings.rollbackProtection,
      nowMs: this.#nowMs,
      waitMs: CONTACT_HEARTBEATS * settings.heartbeatMs,
      view: () => this.#view(),
      others: () => this.#others(),
      send: (message) => this.#send(message),
      save: () => this.#save(),
      reborn: (other) => driver().node.forgetPromises(other),
      proven: (why) => this.#proven(why),
    });
  }

  /** The member is there: what an earlier life found is still so. */
  start(): void {
    const { stored, witness } = this.#options.beginnings;
    if (stored.lost !== undefined) this.lives.prove(stored.lost);
    for (const floor of witness?.floors ?? []) this.lives.witnessed(floor);
  }

  get quarantine(): string | undefined {
    return this.lives.quarantine;
  }

  #view(): LivesView {
    const { node, isLeader, applied, ownMatch } = this.#options.driver();
    const { term, vote, log } = node.raft;
    return {
      term,
      votedTerm: vote === NONE ? Math.max(0, term - 1) : term,
      lastTerm: log.lastTerm(),
      lastIndex: log.lastIndex(),
      committed: log.committed,
      applied,
      isLeader,
      isLeaderOnDisk: isLeader && log.term(ownMatch) === term,
    };
  }

  #others(): { id: bigint; isVoter: boolean }[] {
    const { voters, learners } = this.#options.cluster().changes.confState;
    const rows = [
      ...voters.map((id) => ({ id, isVoter: true })),
      ...learners.map((id) => ({ id, isVoter: false })),
    ];
    return rows.filter(({ id }) => id !== this.#options.id);
  }

  #send(message: Message): void {
    if (this.#isClosed || !this.lives.sends(message)) return;
    this.#options.network().send(message);
  }

  /* What is known of the others */

  /** Settles when they are durable, or cannot be: false. */
  #save(): Promise<boolean> {
    const saved = this.#saving.then(() => this.#saveNow());
    this.#saving = saved;
    return saved;
  }

  async #saveNow(): Promise<boolean> {
    const { floors } = this.lives;
    if (!floors.isDirty || this.#isClosed) return !this.#isClosed;
    floors.isDirty = false;
    this.#savedAtMs = this.#nowMs;
    const { machine } = this.#options.local();
    const rows = floors.all().filter(({ id }) => !machine.isRemovedMember(id));
    try {
      await writeFloors(this.#options.disk, this.#paths.floors, rows);
      return true;
    } catch (error) {
      floors.isDirty = true;
      const text = (error as Error).message;
      this.#options.logger.warn("cannot note what the others promised", { error: text });
      return false;
    }
  }

  /** Only what is on the disk by now: the witness must never know more. */
  #witness(path: string): void {
    const { driver, id, beginnings, disk, logger } = this.#options;
    const { epoch, nonce, base } = beginnings.stored;
    const { term, votedTerm, applied } = this.#view();
    const before = this.#witnessed ?? { term: 0, votedTerm: 0 };
    const promised = driver().isDurable ? { term, votedTerm } : before;
    const { term: t, votedTerm: v } = promised;
    const floor = { id, epoch, nonce, base, term: t, votedTerm: v, ackTerm: 0, match: 0 };
    const isNews =
      this.#witnessed?.stable !== applied || before.term !== t || before.votedTerm !== v;
    if (!isNews || this.#isWitnessing) return;
    this.#isWitnessing = true;
    this.#witnessedAtMs = this.#nowMs;
    this.#witnessed = { ...floor, stable: applied };
    writeFloors(disk, path, [this.#witnessed])
      .catch((error: Error) => {
        this.#witnessed = undefined;
        logger.warn("cannot write the witness", { path, error: error.message });
      })
      .finally(() => {
        this.#isWitnessing = false;
      });
  }

  /* Evidence */

  /** What the consensus has seen that no intact disk shows. */
  evidence(evidence: Evidence): void {
    if (evidence.kind === "commitBeyondLog") {
      const { commit, lastIndex } = evidence;
      this.lives.prove(`index ${commit} is committed here, and its log ends at ${lastIndex}`);
    } else if (evidence.kind === "conflictBelowCommit") {
      const { index, term, ownTerm } = evidence;
      this.lives.prove(`log diverges at index ${index}: term ${ownTerm} here, ${term} there`);
    }
  }

  #proven(why: string): void {
    const { logger, disk, beginnings } = this.#options;
    logger.error(
      "this member's disk went back in time: it takes part in nothing until it is replaced",
      { reason: why },
    );
    const lost = { ...beginnings.stored, lost: why };
    if (beginnings.stored.lost === undefined) {
      this.#options.journal.note({
        kind: "time travel",
        found: why,
        why: "no disk that kept all that was written to it shows this",
        done: "the member takes part in nothing, and asks the others to be replaced",
      });
    }
    // Nothing is asked of the others before the next start would know.
    writeLife(disk, this.#paths.life, lost).then(
      () => {
        this.#isMarked = true;
      },
      (error: Error) => logger.error("cannot note the quarantine", { error: error.message }),
    );
  }

  /* The way back */

  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    this.lives.tick(nowMs);
    const { floors } = this.lives;
    const { witness } = this.#options.beginnings;
    const isDue = nowMs - this.#witnessedAtMs >= FLOORS_SAVE_MS && this.quarantine === undefined;
    if (witness !== undefined && isDue && !this.#isClosed) this.#witness(witness.path);
    if (this.lives.isSuspect) this.#tellWaiting();
    if (floors.isDirty && nowMs - this.#savedAtMs >= FLOORS_SAVE_MS) void this.#save();
    if (nowMs - this.#askedAtMs < REPLACE_RETRY_MS || this.#isAsking || this.#isClosed) return;
    this.#askedAtMs = nowMs;
    if (this.#isMarked) this.#run(this.#askForReplacement());
    else if (this.#rejoin !== undefined) this.#run(this.#comeBack(this.#rejoin));
  }

  #run(work: Promise<void>): void {
    this.#isAsking = true;
    const { logger } = this.#options;
    work
      .catch((error: Error) => {
        logger.warn("the way back to the cluster is interrupted", { error: error.message });
      })
      .finally(() => {
        this.#isAsking = false;
      });
  }

  /** Of one after the other, since this member does not know who leads. */
  async #askForReplacement(): Promise<void> {
    const { id, local, knownPeers, onRemoved } = this.#options;
    const network = this.#options.network();
    // Where the store went with the log, the file of peers knows; and where this member's row was
    // removed already, nobody else does.
    const rows = [...local().machine.members(), ...knownPeers];
    const peerUrls = rows.find((row) => row.id === id)?.peerUrls ?? [];
    const refusals: string[] = [];
    for (const other of this.#others()) {
      try {
        const members = await network.replace?.(other.id, { id, peerUrls });
        if (this.#isClosed) return;
        if (members !== undefined) return await this.#replaced(members);
      } catch (error) {
        if (error === errors.MemberNotFound) return onRemoved();
        if (error !== errors.NotLeader) refusals.push((error as Error).message);
      }
    }
    this.#tellBlocked(refusals);
  }

  #tellWaiting(): void {
    if (this.#nowMs - this.#toldAtMs < BLOCKED_REPEAT_MS) return;
    this.#toldAtMs = this.#nowMs;
    this.#options.logger.warn(
      "this member does not vote before it was compared with more of the others " +
        "(--rollback-protection=strict)",
      { missing: this.lives.missing.map(formatId) },
    );
  }

  #tellBlocked(refusals: readonly string[]): void {
    if (this.#nowMs - this.#toldAtMs < BLOCKED_REPEAT_MS) return;
    this.#toldAtMs = this.#nowMs;
    this.#options.logger.error(
      "this member waits to be replaced, which takes a quorum of the others; if they never come " +
        "back, --accept-rollback lets it go on with what it has, and what it lost is lost",
      { reason: this.quarantine, refusals },
    );
  }

  async #replaced(members: readonly PeerMember[]): Promise<void> {
    const { id: oldId, clusterId, disk, clock, beginnings, logger, onReplaced } = this.#options;
    const [added] = members;
    if (added === undefined) throw new Error("the answer names no member");
    this.#isMarked = false;
    const time = new Date(clock.wallMs()).toISOString().replaceAll(/[-:]|\.\d+/g, "");
    await writeRejoin(disk, beginnings.paths.root, {
      stage: "moving",
      label: `${time}-time-travel`,
      clusterId,
      oldId,
      id: added.id,
      members,
    });
    logger.warn("this member comes back with an empty store, under another id", {
      "old-member-id": formatId(oldId),
      "member-id": formatId(added.id),
    });
    onReplaced();
  }

  /** As a voter, without the alarm, and then without the note. */
  async #comeBack(rejoin: Rejoin): Promise<void> {
    const { id, cluster, local, propose, disk, beginnings, logger } = this.#options;
    const { changes, leadership } = cluster();
    if (leadership.leader === NONE) return;
    if (changes.confState.learners.includes(id)) {
      const promoted = promised<MembershipChange>((waiter) => cluster().promote(id, waiter));
      return void (await promoted.catch((error: unknown) => {
        if (!(error instanceof EtcdError)) throw error;
      }));
    }
    if (!changes.confState.voters.includes(id)) return;
    const alarm = { memberId: rejoin.oldId, alarm: AlarmType.TIME_TRAVEL };
    const isRaised = local()
      .alarmSet.list()
      .some((row) => row.memberId === alarm.memberId && row.alarm === alarm.alarm);
    if (isRaised) {
      const action = AlarmAction.DEACTIVATE;
      await promised<ApplyResponse>((waiter) =>
        propose({ kind: "alarm", alarm: { action, ...alarm } }, waiter),
      );
    }
    await removeRejoin(disk, beginnings.paths.root);
    this.#rejoin = undefined;
    this.#options.journal.note({
      kind: "time travel",
      found: `member ${formatId(rejoin.oldId)} had lost what it had promised`,
      why: "it has the state of the others, and caught up with their log",
      done: `it votes again, as ${formatId(id)}; its old data is beside the new`,
    });
    logger.info("this member is back as a voter", {
      "old-member-id": formatId(rejoin.oldId),
      "member-id": formatId(id),
    });
  }

  async close(): Promise<void> {
    await this.#save();
    this.#isClosed = true;
    await this.#saving;
  }
}
