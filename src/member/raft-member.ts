/**
 * One member of a cluster: its parts put together, and the `Member` interface on top of them.
 *
 *   driver.ts         the consensus and its loop     local-store.ts    the replicated state
 *   entry-applier.ts  what is committed              snapshots.ts      whole stores, to and from
 *   cluster-service.ts  members and leadership       lease-service.ts  leases
 *
 * open-member.ts makes one; peer-side.ts is what its peers see.
 */
import type { ApplyResponse, DowngradeInfo } from "../apply/index.ts";
import type { AppliedPoint } from "../backend/index.ts";
import { formatId, openImage } from "../datadir/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import { type CareRow, isDamage, type Journal } from "../care/index.ts";
import type { HashOutcome, RangeCursor, RangeQuery } from "../mvcc/index.ts";
import { type Evidence, NONE } from "../raft/index.ts";
import type {
  Clock,
  Digests,
  Disk,
  Entropy,
  LeaseAnswer,
  Logger,
  PeerHandler,
  PeerMember,
  PeerNetwork,
  SnapshotImage,
  Timer,
  Timers,
} from "../seam/index.ts";
import { RangeReader, type Wal } from "../wal/index.ts";
import type { WatchSink, WatchStream } from "../watch/index.ts";
import {
  type AlarmMember,
  type ConfState,
  type HardState,
  type RaftOperation,
  type RangeRequest,
  type RangeResponse,
  type Snapshot,
  type StateDigest,
  type TxnRequest,
  type TxnResponse,
} from "../wire/index.ts";
import { AppliedLog } from "./applied-log.ts";
import { AlarmRaiser } from "./alarm-raiser.ts";
import { AutoCompactor } from "./auto-compactor.ts";
import { ClusterService } from "./cluster-service.ts";
import { Driver } from "./driver.ts";
import { EntryApplier } from "./entry-applier.ts";
import { LeaderQuestions } from "./leader-questions.ts";
import { LeaseService } from "./lease-service.ts";
import { type Beginnings, LifeKeeper } from "./life-keeper.ts";
import { CLOSE_WAIT_MS, OVERLAY_BYTES_MAX, TICK_INTERVAL_MS } from "./limits.ts";
import type { LocalStore } from "./local-store.ts";
import { LogReleaser } from "./log-releaser.ts";
import { MemberCare } from "./member-care.ts";
import { PeerSide } from "./peer-side.ts";
import { Proposer } from "./proposer.ts";
import type { RaftStorage } from "./raft-storage.ts";
import { Replacements } from "./replacements.ts";
import type { MemberSettings } from "./settings.ts";
import type { Snapshots } from "./snapshots.ts";
import { StallWatch } from "./stall-watch.ts";
import { openSnapshot } from "./store-image.ts";
import { WatchPump } from "./watch-pump.ts";
import type {
  ClusterMember,
  Member,
  MemberMeasures,
  MembershipChange,
  MemberStatus,
  SnapshotStream,
  Waiter,
} from "./types.ts";

export interface RaftMemberParts {
  readonly id: bigint;
  readonly clusterId: bigint;
  /** "3.7.1": what peers are told. */
  readonly serverVersion: string;
  readonly local: LocalStore;
  readonly journal: Journal;
  /** Of log and store, which may be on disks of their own. */
  readonly diskPaths: readonly string[];
  /** Of the member's own files. */
  readonly directory: string;
  /** Why `local` is empty and waits for another member's store. */
  readonly storeLoss: Error | undefined;
  /** Keeps the members where they are found when the store is lost. */
  readonly keepPeers: (members: readonly PeerMember[]) => Promise<void>;
  readonly wal: Wal;
  readonly storage: RaftStorage;
  readonly hardState: HardState;
  readonly confState: ConfState;
  /** Index of the newest snapshot record in the log. */
  readonly snapshotIndex: number;
  readonly settings: MemberSettings;
  readonly progressIntervalMs: number;
  readonly fragmentBytesMax: number;
  /** Members that are known before the log tells of them: where a joiner finds the others. */
  readonly knownPeers: readonly PeerMember[];
  readonly disk: Disk;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly digests: Digests;
  readonly logger: Logger;
  readonly openNetwork: (handler: PeerHandler) => PeerNetwork;
  readonly makeSnapshots: (member: RaftMember) => Snapshots;
  readonly beginnings: Beginnings;
  /** It lost what it had promised, and comes back as another one when it is opened again. */
  readonly onReplaced: () => void;
  /** The member can not go on; the process is expected to end. Called once. */
  readonly onFatal: (error: Error) => void;
  /** The cluster has removed this member. Called once. */
  readonly onRemoved: () => void;
}

export class RaftMember implements Member {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly driver: Driver;
  readonly cluster: ClusterService;
  readonly snapshots: Snapshots;
  readonly care: MemberCare;
  readonly keeper: LifeKeeper;
  readonly replacements: Replacements;
  readonly network: PeerNetwork;
  readonly appliedLog: AppliedLog;
  local: LocalStore;
  /** Settles when the cluster has applied this member's attributes. Set by who opens it. */
  introduced: Promise<void> = Promise.resolve();
  readonly #parts: RaftMemberParts;
  readonly #watch: WatchPump;
  readonly #applier: EntryApplier;
  readonly #questions: LeaderQuestions;
  readonly #releaser: LogReleaser;
  readonly leaseService: LeaseService;
  readonly #alarms: AlarmRaiser;
  readonly #proposer: Proposer;
  readonly #autoCompactor: AutoCompactor;
  readonly #timers: Timer[] = [];
  #nowMs: number;
  readonly #stalls: StallWatch;
  #hasFailed = false;
  #isClosing = false;
  #closing: Promise<void> | undefined;

  constructor(parts: RaftMemberParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.clusterId = parts.clusterId;
    this.local = parts.local;
    const { clock, timers, settings, wal, storage } = parts;
    this.appliedLog = new AppliedLog(storage, new RangeReader(parts.disk, wal));
    this.#nowMs = clock.monotonicMs();
    this.#stalls = new StallWatch({
      clock,
      heartbeatMs: settings.heartbeatMs,
      isLeader: () => this.driver.isLeader,
      readIndex: (waiter) => this.readIndex(waiter),
    });
    this.#watch = new WatchPump({
      ...parts,
      store: () => this.local.store,
      isPaused: () => this.isQuarantined,
      onBroken: (error) => this.fail(error),
    });
    this.network = parts.openNetwork(new PeerSide(this, parts.serverVersion));
    this.care = new MemberCare({
      member: this,
      parts,
      alarms: () => this.#alarms,
      releaser: () => this.#releaser,
    });
    this.keeper = this.#newKeeper();
    this.#applier = new EntryApplier({ ...parts, ...settings, member: this, watch: this.#watch });
    const electionTicks = Math.max(
      2,
      Math.round(settings.electionTimeoutMs / settings.heartbeatMs),
    );
    this.driver = this.#newDriver(electionTicks);
    this.#alarms = new AlarmRaiser({
      id: this.id,
      alarmSet: () => this.local.alarmSet,
      propose: (operation, waiter) => this.proposeForCluster(operation, waiter),
      logger: parts.logger,
    });
    this.#proposer = new Proposer({
      id: this.id,
      wallMs: clock.wallMs(),
      requestBytesMax: settings.requestBytesMax,
      local: () => this.local,
      driver: this.driver,
      alarms: this.#alarms,
      timers,
      isStopped: () => this.#isStopped,
    });
    this.#questions = new LeaderQuestions({
      id: this.id,
      timers,
      nowMs: () => clock.monotonicMs(),
      timeoutMs: this.requestTimeoutMs,
      leader: () => this.leader,
      isStopped: () => this.#isStopped,
    });
    this.cluster = this.#newCluster(electionTicks);
    this.replacements = this.#newReplacements();
    this.#releaser = this.#newReleaser();
    this.snapshots = parts.makeSnapshots(this);
    this.leaseService = this.#newLeaseService();
    this.#autoCompactor = this.#newAutoCompactor();
  }

  #newReleaser(): LogReleaser {
    return new LogReleaser({
      ...this.#parts,
      confState: () => this.cluster.changes.confState,
      snapshotIndex: this.#parts.snapshotIndex,
      onFatal: (error) => this.fail(error),
    });
  }

  #newAutoCompactor(): AutoCompactor {
    const { clock, timers, settings } = this.#parts;
    return new AutoCompactor({
      retention: settings.retention,
      clock,
      timers,
      currentRevision: () => this.currentRevision,
      compact: (revision) => this.#compactByItself(revision),
    });
  }

  #newKeeper(): LifeKeeper {
    return new LifeKeeper({
      ...this.#parts,
      driver: () => this.driver,
      cluster: () => this.cluster,
      local: () => this.local,
      network: () => this.network,
      propose: (operation, waiter) => this.proposeForCluster(operation, waiter),
    });
  }

  #newReplacements(): Replacements {
    const { settings, logger } = this.#parts;
    return new Replacements({
      id: this.id,
      local: () => this.local,
      driver: this.driver,
      network: this.network,
      changes: () => this.cluster.changes,
      learnersMax: settings.learnersMax,
      propose: (operation, waiter) => this.proposeForCluster(operation, waiter),
      logger,
    });
  }

  #newDriver(electionTicks: number): Driver {
    const { wal, storage, hardState, timers, entropy, settings } = this.#parts;
    return new Driver({
      id: this.id,
      log: wal,
      storage,
      hardState,
      network: this.network,
      timers,
      entropy,
      nowMs: this.#nowMs,
      electionTicks,
      preVote: settings.preVote,
      applier: this.#applier,
      isHeldBack: () => this.local.backend.overlayBytes > OVERLAY_BYTES_MAX,
      isApplyHeld: () => this.care.state.isApplyHeld,
      digests: this.care.state.consistency,
      lives: this.keeper.lives,
      events: {
        leadershipChanged: () => this.#leadershipChanged(),
        evidence: (evidence) => this.#warnOf(evidence),
        digestReported: (from, digest) => this.care.state.consistency.reported(from, digest),
        sendSnapshot: (message) => this.snapshots.send(message),
        installSnapshot: (snapshot) => this.snapshots.install(snapshot),
        damaged: (error) => this.care.mends(error),
        broken: (error) => this.#end(error),
      },
    });
  }

  #newCluster(electionTicks: number): ClusterService {
    return new ClusterService({
      ...this.#parts,
      local: () => this.local,
      driver: this.driver,
      network: this.network,
      questions: this.#questions,
      electionTicks,
      newRequestId: () => this.#proposer.newRequestId(),
      propose: (operation, waiter) => this.#proposeAsLeader(operation, waiter),
      mayVote: () => this.keeper.lives.mayVote,
      onRemoved: () => {
        // Its old self is removed when it is replaced: what it is to do then, it knows.
        if (this.keeper.quarantine === undefined) this.#parts.onRemoved();
      },
    });
  }

  #newLeaseService(): LeaseService {
    const { settings, clock, timers, entropy } = this.#parts;
    return new LeaseService({
      lessor: () => this.local.lessor,
      isPrimary: () => this.#isPrimary,
      isHeldUp: () => this.#stalls.isInDoubt,
      readIndex: (waiter) => this.readIndex(waiter),
      propose: (operation, waiter) => this.#proposeAsLeader(operation, waiter),
      questions: this.#questions,
      network: this.network,
      electionTimeoutMs: settings.electionTimeoutMs,
      clock,
      timers,
      entropy,
    });
  }

  /** From here on peers and clocks are heard. */
  start(): void {
    const { timers, settings, knownPeers } = this.#parts;
    this.cluster.connect(knownPeers);
    this.#timers.push(
      timers.every(settings.heartbeatMs, () => this.#onHeartbeat()),
      timers.every(TICK_INTERVAL_MS, () => this.#onTick()),
    );
    this.keeper.start();
    this.driver.wake();
    this.cluster.elections.standIfAlone();
  }

  get #isStopped(): boolean {
    return this.#isClosing || this.#hasFailed;
  }

  get raftTerm(): number {
    return this.driver.term;
  }

  get leader(): bigint {
    return this.#hasFailed ? NONE : this.driver.leader;
  }

  get isLearner(): boolean {
    return this.driver.node.raft.tracker.progress(this.id)?.isLearner ?? false;
  }

  get isQuarantined(): boolean {
    return this.care.state.isQuarantined || this.keeper.quarantine !== undefined;
  }

  get timeTravel(): string | undefined {
    return this.keeper.quarantine;
  }

  get currentRevision(): number {
    return this.local.store.currentRevision;
  }

  get clusterVersion(): string | undefined {
    return this.local.machine.clusterVersion;
  }

  get incarnation(): string | undefined {
    return this.local.machine.incarnation;
  }

  get downgrade(): DowngradeInfo {
    return this.local.machine.downgrade;
  }

  status(): MemberStatus {
    const size = this.local.backend.sizeBytes();
    return {
      leader: this.leader,
      raftTerm: this.raftTerm,
      raftIndex: this.driver.committed,
      raftAppliedIndex: this.driver.applied,
      isLearner: this.isLearner,
      dbSizeBytes: size.total,
      dbSizeInUseBytes: size.inUse,
      quotaBytes: this.local.quota.limitBytes,
    };
  }

  members(): readonly ClusterMember[] {
    return this.local.machine.members();
  }

  alarms(): readonly AlarmMember[] {
    return this.local.alarmSet.list();
  }

  onLeaderChange(run: (leader: bigint) => void): () => void {
    return this.cluster.leadership.onChange(run);
  }

  /* Writes */

  propose(operation: RaftOperation, waiter: Waiter<ApplyResponse>): void {
    if (this.isQuarantined) return waiter.refused(errors.Corrupt);
    this.#proposer.propose(operation, waiter, this.#nowMs, false);
  }

  /** By whoever leads, and whatever state this member is in. */
  proposeForCluster(operation: RaftOperation, waiter: Waiter<ApplyResponse>): void {
    this.#proposer.propose(operation, waiter, this.#nowMs, false);
  }

  #proposeAsLeader(operation: RaftOperation, waiter: Waiter<ApplyResponse>): void {
    this.#proposer.propose(operation, waiter, this.#nowMs, true);
  }

  /* Reads */

  readIndex(waiter: Waiter<void>): void {
    if (this.#isStopped) return waiter.refused(errors.Stopped);
    if (this.keeper.quarantine !== undefined) return waiter.refused(errors.Corrupt);
    // What one voter has applied is all that was ever acknowledged: it needs no round (KV-10).
    if (this.#isPrimary && this.#isOnlyVoter) return waiter.done();
    this.driver.reads.add(waiter, this.#nowMs);
    this.driver.wake();
  }

  get #isOnlyVoter(): boolean {
    const { voters } = this.cluster;
    return voters.length === 1 && voters[0] === this.id;
  }

  range(request: RangeRequest): RangeResponse | EtcdError {
    if (this.isQuarantined) return errors.Corrupt;
    this.#applier.operations.ranges += 1;
    try {
      return this.local.range(request);
    } catch (error) {
      return this.#readFailed(error);
    }
  }

  openRange(query: RangeQuery): RangeCursor | EtcdError {
    if (this.isQuarantined) return errors.Corrupt;
    this.#applier.operations.ranges += 1;
    try {
      return this.local.openRange(query);
    } catch (error) {
      return this.#readFailed(error);
    }
  }

  readTxn(request: TxnRequest): TxnResponse | EtcdError {
    if (this.isQuarantined) return errors.Corrupt;
    try {
      return this.local.readTxn(request);
    } catch (error) {
      return this.#readFailed(error);
    }
  }

  /** Whoever reads may stand in the middle of the consensus's work: damage is an answer. */
  #readFailed(error: unknown): EtcdError {
    if (!isDamage(error)) throw error;
    this.care.report(error);
    return errors.Corrupt;
  }

  openWatchStream(sink: WatchSink): WatchStream {
    return this.#watch.openStream(sink);
  }

  /* Leases */

  /** This member leads, and knows all leases as of its term (RA-07). */
  get #isPrimary(): boolean {
    return this.driver.isLeader && this.local.lessor.isPrimary;
  }

  newLeaseId(): bigint {
    return this.leaseService.newId();
  }

  effectiveTtlSeconds(ttlSeconds: number): number {
    return this.leaseService.effectiveTtlSeconds(ttlSeconds);
  }

  keepAlive(leaseId: bigint, waiter: Waiter<number>): void {
    this.leaseService.keepAlive(leaseId, waiter);
  }

  leaseTimes(leaseId: bigint, withKeys: boolean, waiter: Waiter<LeaseAnswer>): void {
    this.leaseService.times(leaseId, withKeys, waiter);
  }

  leases(): bigint[] {
    return this.local.lessor.list();
  }

  /* The membership and the leadership */

  addMember(
    peerUrls: readonly string[],
    isLearner: boolean,
    waiter: Waiter<MembershipChange>,
  ): void {
    this.cluster.changes.add(peerUrls, isLearner, waiter);
  }

  removeMember(id: bigint, waiter: Waiter<MembershipChange>): void {
    this.cluster.remove(id, waiter);
  }

  updateMember(id: bigint, peerUrls: readonly string[], waiter: Waiter<MembershipChange>): void {
    this.cluster.changes.update(id, peerUrls, waiter);
  }

  promoteMember(id: bigint, waiter: Waiter<MembershipChange>): void {
    this.cluster.promote(id, waiter);
  }

  moveLeader(target: bigint, waiter: Waiter<void>): void {
    this.cluster.moveLeader(target, waiter);
  }

  /** Hands the leadership to the follower that has most of the log, if this member has it. */
  stepAside(): Promise<void> {
    return this.cluster.stepAside();
  }

  #leadershipChanged(): void {
    if (!this.driver.isLeader && this.local.lessor.isPrimary) this.local.lessor.demote();
    this.cluster.leaderChanged();
  }

  #warnOf(evidence: Evidence): void {
    const { kind, from, ...rest } = evidence;
    this.#parts.logger.error("a peer says what cannot be if all disks are intact", {
      kind,
      from: formatId(from),
      ...rest,
    });
    this.keeper.evidence(evidence);
  }

  /* The store as a whole */

  hash(): Promise<number> {
    return this.local.hash();
  }

  hashKv(revision: number, rest?: () => Promise<void>): Promise<HashOutcome | EtcdError> {
    return this.local.hashKv(revision, rest);
  }

  defragment(): Promise<void> {
    return this.local.defragment();
  }

  async snapshot(): Promise<SnapshotStream> {
    const { backend, pacer } = this.local;
    await pacer.flush();
    const { timers, digests } = this.#parts;
    return openSnapshot({ backend, timers, digests, version: this.clusterVersion ?? "" });
  }

  /** The store as a bbolt file, and what it holds; to be closed by the caller. */
  openImage(): Promise<{ image: SnapshotImage; applied: AppliedPoint }> {
    return openImage({ backend: this.local.backend, timers: this.#parts.timers });
  }

  /** How far the state has come: one moment. */
  get position(): { readonly applied: AppliedPoint; readonly revision: number } {
    return { applied: this.local.backend.applied, revision: this.currentRevision };
  }

  compactionFinished(): Promise<void> {
    return this.local.compactionFinished();
  }

  /** Effects up to `point` are on the medium. */
  storeDurable(point: AppliedPoint): void {
    this.#releaser.durable(point);
    this.driver.storeCaughtUp();
  }

  /** The log is kept while a snapshot is on its way to a follower. */
  get logHold(): Pick<LogReleaser, "hold" | "unhold"> {
    return this.#releaser;
  }

  /** What a snapshot sent now would be of, at least; its image may be newer. */
  snapshotMetadata(): Snapshot | undefined {
    const { index, term } = this.local.backend.applied;
    if (index === 0) return undefined;
    return {
      data: Buffer.alloc(0),
      metadata: { index, term, confState: this.cluster.changes.confState },
    };
  }

  confStateAt(index: number): ConfState {
    return this.cluster.changes.confStateAt(index);
  }

  /** A snapshot became the state: everything that looks at it looks at the new one. */
  storeReplaced(local: LocalStore, confState: ConfState): void {
    const before = this.members();
    this.local = local;
    this.#applier.watchChanges();
    this.cluster.restored(confState, before);
    this.driver.reads.appliedTo(this.driver.applied);
    this.#watch.hub.storeReplaced();
    this.care.state.storeReplaced();
  }

  /* Time */

  #onHeartbeat(): void {
    this.#stalls.ticked();
    this.driver.tick();
    this.cluster.elections.tick();
  }

  #onTick(): void {
    this.#nowMs = this.#parts.clock.monotonicMs();
    const deadlineMs = this.#nowMs - this.requestTimeoutMs;
    const { driver, cluster } = this;
    const { leadership } = cluster;
    driver.setNow(this.#nowMs);
    driver.proposals.expire(deadlineMs, ({ atMs }) => this.#timedOut(atMs));
    driver.reads.tick(this.#nowMs, deadlineMs, (atMs) => leadership.timeoutError(atMs));
    cluster.tick(this.#nowMs, deadlineMs);
    this.care.tick(this.#nowMs);
    this.keeper.tick(this.#nowMs);
    this.#watch.hub.tick(this.#nowMs);
    if (driver.reads.isBusy) driver.wake();
  }

  #timedOut(atMs: number): EtcdError {
    this.#proposer.failed += 1;
    return this.cluster.leadership.timeoutError(atMs);
  }

  /** FR-08. */
  get requestTimeoutMs(): number {
    return 5_000 + 2 * this.#parts.settings.electionTimeoutMs;
  }

  /* Alarms and failures */

  reportCorruption(error: Error): void {
    this.care.report(error);
  }

  /** On the leader alone: the others would only repeat it (CP-08). */
  #compactByItself(revision: number): void {
    if (!this.driver.isLeader) return;
    const { logger } = this.#parts;
    logger.info("starting auto compaction", { revision });
    this.#proposeAsLeader(
      { kind: "compaction", compaction: { revision, physical: false } },
      {
        done: () => undefined,
        refused: (error) => {
          if (error === errors.Compacted) return;
          logger.warn("auto compaction was refused", { revision, error: error.message });
        },
      },
    );
  }

  /** Nothing that follows can be trusted: refuse everything, tell the owner. */
  fail(error: Error): void {
    if (!this.care.mends(error)) this.#end(error);
  }

  /** Also where the store alone is damaged: what had to do with it has stopped half way. */
  #end(error: Error): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.driver.stop();
    this.cluster.stop();
    this.#parts.onFatal(error);
  }

  get measures(): MemberMeasures {
    const { wal } = this.#parts;
    const { store, lessor, pacer } = this.local;
    return {
      fsyncSeconds: wal.metrics.fsyncSeconds,
      walWriteBytes: wal.metrics.writeBytes,
      commitSeconds: pacer.commitSeconds,
      watch: this.#watch.hub.stats,
      leases: { ...this.leaseService.stats, count: lessor.size },
      operations: this.#applier.operations,
      proposalsPending: this.driver.proposals.size,
      proposalsFailed: this.#proposer.failed,
      care: this.care.measures,
      keys: store.keyCount,
      compactRevision: store.compactRevision,
      cluster: {
        leaderChanges: this.cluster.leadership.changes,
        heartbeatSendFailures: this.#stalls.lateTicks,
        slowReadIndexes: this.driver.reads.slow,
        readIndexesFailed: this.driver.reads.failed,
        learnerPromotions: this.cluster.changes.promotions,
        learnerPromotionFailures: this.cluster.changes.promotionFailures,
        snapshotsBeingApplied: this.snapshots.isInstalling ? 1 : 0,
      },
    };
  }

  get careLog(): readonly CareRow[] {
    return this.#parts.journal.rows;
  }

  get stateDigest(): StateDigest | undefined {
    const { chain } = this.local;
    return chain.isKnown ? chain.current : undefined;
  }

  /** Hands over, answers what is under way, brings everything to the disk, closes files. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (!this.#hasFailed && !this.cluster.isRemoved) await this.stepAside();
    this.#isClosing = true;
    this.leaseService.close();
    this.cluster.versions.close();
    this.#autoCompactor.close();
    if (!this.#hasFailed) await this.#settled();
    for (const timer of this.#timers) timer.cancel();
    this.cluster.stop();
    this.driver.stop();
    await this.keeper.close();
    await this.network.close();
    await this.snapshots.close();
    await this.care.close();
    await this.#releaser.close();
    await this.local.close(this.#hasFailed);
    await this.#parts.wal.close();
  }

  /** What was proposed is answered, or had its time. */
  #settled(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#parts.timers.after(CLOSE_WAIT_MS, resolve);
      void this.driver.idle().then(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}
