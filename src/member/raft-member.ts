/**
 * One member of a cluster: its parts put together, and the `Member` interface on top of them.
 *
 *   driver.ts     the consensus and its loop         local-store.ts  the replicated state
 *   elections.ts  when to stand before the timeout   snapshots.ts    whole stores to and from others
 *   cluster-changes.ts  the membership               lease-service.ts leases
 *
 * open-member.ts makes one; peer-side.ts is what its peers see.
 */
import {
  type ApplyOutcome,
  type ApplyResponse,
  costOfOperation,
  executeRange,
  executeReadTxn,
} from "../apply/index.ts";
import type { DowngradeInfo } from "../apply/index.ts";
import type { AppliedPoint } from "../backend/index.ts";
import { formatId } from "../datadir/index.ts";
import { EtcdError, errors } from "../errors/index.ts";
import type { HashOutcome, RangeCursor, RangeQuery, RevisionChanges } from "../mvcc/index.ts";
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
  Timer,
  Timers,
} from "../seam/index.ts";
import type { Wal } from "../wal/index.ts";
import type { WatchSink, WatchStream } from "../watch/index.ts";
import {
  type AlarmMember,
  type ConfState,
  type Entry,
  type HardState,
  marshalRaftRequest,
  type RaftOperation,
  type RaftRequest,
  type RangeRequest,
  type RangeResponse,
  type Snapshot,
  type TxnRequest,
  type TxnResponse,
} from "../wire/index.ts";
import type { Applier } from "./apply-queue.ts";
import { AlarmRaiser } from "./alarm-raiser.ts";
import { AutoCompactor } from "./auto-compactor.ts";
import { ClusterChanges } from "./cluster-changes.ts";
import { ClusterVersionMonitor } from "./cluster-version.ts";
import { Driver } from "./driver.ts";
import { Elections } from "./elections.ts";
import { LeaderQuestions } from "./leader-questions.ts";
import { Leadership } from "./leadership.ts";
import { LeaseService } from "./lease-service.ts";
import { CLOSE_WAIT_MS, OVERLAY_BYTES_MAX, PROPOSALS_MAX, TICK_INTERVAL_MS } from "./limits.ts";
import type { LocalStore } from "./local-store.ts";
import { LogReleaser } from "./log-releaser.ts";
import type { MembershipEffect } from "./membership.ts";
import { PeerSide } from "./peer-side.ts";
import type { RaftStorage } from "./raft-storage.ts";
import type { MemberSettings } from "./settings.ts";
import { Snapshots } from "./snapshots.ts";
import { hashStore, openSnapshot } from "./store-image.ts";
import { Transfers } from "./transfers.ts";
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
  /** The member can not go on; the process is expected to end. Called once. */
  readonly onFatal: (error: Error) => void;
  /** The cluster has removed this member. Called once. */
  readonly onRemoved: () => void;
}

export class RaftMember implements Member, Applier {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly driver: Driver;
  readonly elections: Elections;
  readonly snapshots: Snapshots;
  readonly network: PeerNetwork;
  local: LocalStore;
  /** Settles when the cluster knows this member: its attributes are applied. Set by who opens it. */
  introduced: Promise<void> = Promise.resolve();
  readonly #parts: RaftMemberParts;
  readonly #watch: WatchPump;
  readonly #leadership: Leadership;
  readonly #transfers: Transfers;
  readonly #changes: ClusterChanges;
  readonly #questions: LeaderQuestions;
  readonly #releaser: LogReleaser;
  readonly leaseService: LeaseService;
  readonly #alarms: AlarmRaiser;
  readonly #autoCompactor: AutoCompactor;
  readonly #versions: ClusterVersionMonitor;
  readonly #timers: Timer[] = [];
  readonly #memberPrefix: number;
  /** Below 2^48: milliseconds since the epoch (40 bits) and a counter, as etcd's request ids. */
  #sequence: number;
  #nowMs: number;
  /** When the consensus was last given a tick: a leader that was held up must prove itself. */
  #tickedAtMs: number;
  #lateTicks = 0;
  #hasFailed = false;
  #isClosing = false;
  #isRemoved = false;
  readonly #operations = {
    puts: 0,
    deletes: 0,
    txns: 0,
    ranges: 0,
    leasesGranted: 0,
    leasesRevoked: 0,
  };

  constructor(parts: RaftMemberParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.clusterId = parts.clusterId;
    this.local = parts.local;
    const { clock, timers, settings, wal, storage, entropy } = parts;
    this.#nowMs = clock.monotonicMs();
    this.#tickedAtMs = this.#nowMs;
    this.#memberPrefix = Number(parts.id & 0xffffn);
    this.#sequence = (clock.wallMs() % 2 ** 40) * 256;
    this.#watch = new WatchPump({
      ...parts,
      store: () => this.local.store,
      onBroken: (error) => this.fail(error),
    });
    this.network = parts.openNetwork(new PeerSide(this, parts.serverVersion));
    const electionTicks = Math.max(
      2,
      Math.round(settings.electionTimeoutMs / settings.heartbeatMs),
    );
    this.driver = this.#newDriver(electionTicks);
    this.#leadership = new Leadership({
      id: this.id,
      electionTimeoutMs: settings.electionTimeoutMs,
      connectedSinceMs: (id) => this.network.connectedSinceMs(id),
      voters: () => this.#voters(),
    });
    this.elections = new Elections({
      id: this.id,
      driver: this.driver,
      timers,
      entropy,
      electionTicks,
      isAdvancing: settings.electionTickAdvance,
      voters: () => this.#voters(),
      isConnected: (id) => this.network.connectedSinceMs(id) !== undefined,
    });
    this.#transfers = new Transfers(this.driver, settings.electionTimeoutMs);
    this.#changes = this.#newChanges();
    this.#releaser = new LogReleaser({
      wal,
      storage,
      confState: () => this.#changes.confState,
      settings,
      timers,
      snapshotIndex: parts.snapshotIndex,
      onFatal: (error) => this.fail(error),
    });
    this.snapshots = parts.makeSnapshots(this);
    this.#questions = new LeaderQuestions({
      id: this.id,
      timers,
      nowMs: () => clock.monotonicMs(),
      timeoutMs: this.requestTimeoutMs,
      leader: () => this.leader,
      isStopped: () => this.#isClosing || this.#hasFailed,
    });
    this.leaseService = this.#newLeaseService();
    this.#alarms = new AlarmRaiser({
      id: this.id,
      alarmSet: () => this.local.alarmSet,
      propose: (operation, waiter) => this.propose(operation, waiter),
      logger: parts.logger,
    });
    this.#autoCompactor = new AutoCompactor({
      retention: settings.retention,
      clock,
      timers,
      currentRevision: () => this.currentRevision,
      compact: (revision) => this.#compactByItself(revision),
    });
    this.#versions = this.#newVersions();
    this.#watchChanges();
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
      electionTicks,
      preVote: settings.preVote,
      applier: this,
      isHeldBack: () => this.local.backend.overlayBytes > OVERLAY_BYTES_MAX,
      events: {
        leadershipChanged: () => this.#leadershipChanged(),
        evidence: (evidence) => this.#warnOf(evidence),
        sendSnapshot: (message) => this.snapshots.send(message),
        installSnapshot: (snapshot) => this.snapshots.install(snapshot),
        broken: (error) => this.fail(error),
      },
    });
  }

  #newChanges(): ClusterChanges {
    const { settings, clock, digests } = this.#parts;
    return new ClusterChanges({
      id: this.id,
      machine: () => this.local.machine,
      driver: this.driver,
      network: this.network,
      leadership: this.#leadership,
      clock,
      digests,
      isStrict: settings.strictReconfig,
      learnersMax: settings.learnersMax,
      confState: this.#parts.confState,
      newRequestId: () => (BigInt(this.#memberPrefix) << 48n) | BigInt(this.#nextSequence()),
      onEffect: (effect) => this.#membershipChanged(effect),
    });
  }

  #newLeaseService(): LeaseService {
    const { settings, clock, timers, entropy } = this.#parts;
    return new LeaseService({
      lessor: () => this.local.lessor,
      isPrimary: () => this.#isPrimary,
      isHeldUp: () => clock.monotonicMs() - this.#tickedAtMs > 3 * settings.heartbeatMs,
      readIndex: (waiter) => this.readIndex(waiter),
      propose: (operation, waiter) => this.#propose(operation, waiter, true),
      questions: this.#questions,
      network: this.network,
      electionTimeoutMs: settings.electionTimeoutMs,
      clock,
      timers,
      entropy,
    });
  }

  #newVersions(): ClusterVersionMonitor {
    const { serverVersion, timers, logger } = this.#parts;
    return new ClusterVersionMonitor({
      selfId: this.id,
      serverVersion,
      members: () => this.members(),
      clusterVersion: () => this.clusterVersion,
      downgrade: () => this.downgrade,
      isLeader: () => this.driver.isLeader,
      network: this.network,
      propose: (operation, waiter) => this.#propose(operation, waiter, true),
      timers,
      logger,
    });
  }

  /** From here on peers and clocks are heard. */
  start(): void {
    const { timers, settings, knownPeers } = this.#parts;
    for (const peer of [...knownPeers, ...this.members()]) {
      if (peer.id !== this.id) this.network.add(peer.id, peer.peerUrls);
    }
    this.#timers.push(
      timers.every(settings.heartbeatMs, () => this.#onHeartbeat()),
      timers.every(TICK_INTERVAL_MS, () => this.#onTick()),
    );
    this.driver.wake();
    this.elections.standIfAlone();
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

  get currentRevision(): number {
    return this.local.store.currentRevision;
  }

  get clusterVersion(): string | undefined {
    return this.local.machine.clusterVersion;
  }

  get downgrade(): DowngradeInfo {
    return this.local.machine.downgrade;
  }

  #voters(): readonly bigint[] {
    return this.#changes.confState.voters;
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
    return this.#leadership.onChange(run);
  }

  /* Writes */

  propose(operation: RaftOperation, waiter: Waiter<ApplyResponse>): void {
    this.#propose(operation, waiter, false);
  }

  #propose(operation: RaftOperation, waiter: Waiter<ApplyResponse>, isLeaders: boolean): void {
    const cost = costOfOperation(operation);
    if (cost > 0 && !this.local.quota.admits(cost, this.#nowMs)) {
      this.#alarms.noSpace(this.local.quota.limitBytes, this.local.backend.sizeBytes().inUse);
      return this.#refuse(waiter, errors.NoSpace);
    }
    if (this.#isClosing || this.#hasFailed) return this.#refuse(waiter, errors.Stopped);
    const { proposals } = this.driver;
    if (proposals.size >= PROPOSALS_MAX) return this.#refuse(waiter, errors.TooManyRequests);
    const request: RaftRequest = {
      header: {
        memberPrefix: this.#memberPrefix,
        sequence: this.#nextSequence(),
        username: "",
        authRevision: 0,
      },
      operation,
    };
    const data = marshalRaftRequest(request);
    if (data.length > this.#parts.settings.requestBytesMax) {
      return this.#refuse(waiter, errors.RequestTooLarge);
    }
    proposals.add({ data, request, waiter, atMs: this.#nowMs, isLeaders, term: 0 });
    this.driver.wake();
  }

  #nextSequence(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  /** Proposals refused for a reason that is not their own. */
  #proposalsFailed = 0;

  #refuse<T>(waiter: Waiter<T>, error: EtcdError): void {
    this.#proposalsFailed += 1;
    this.#parts.timers.soon(() => waiter.refused(error));
  }

  /* Reads */

  readIndex(waiter: Waiter<void>): void {
    if (this.#hasFailed || this.#isClosing) return waiter.refused(errors.Stopped);
    // What one voter has applied is all that was ever acknowledged: it needs no round (KV-10).
    if (this.#isPrimary && this.#voters().length === 1) return waiter.done();
    this.driver.reads.add(waiter, this.#nowMs);
    this.driver.wake();
  }

  range(request: RangeRequest): RangeResponse | EtcdError {
    this.#operations.ranges += 1;
    const { store } = this.local;
    const { keysOnlyWithLease } = this.#parts.settings;
    return executeRange(store, request, store.currentRevision, keysOnlyWithLease);
  }

  openRange(query: RangeQuery): RangeCursor | EtcdError {
    this.#operations.ranges += 1;
    const cursor = this.local.store.openRange(query);
    if (cursor === "compacted") return errors.Compacted;
    if (cursor === "future") return errors.FutureRev;
    return cursor;
  }

  readTxn(request: TxnRequest): TxnResponse | EtcdError {
    return executeReadTxn(this.local.store, request, this.#parts.settings.keysOnlyWithLease);
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
    this.#changes.add(peerUrls, isLearner, waiter);
  }

  removeMember(id: bigint, waiter: Waiter<MembershipChange>): void {
    if (id !== this.id || !this.driver.isLeader) return this.#changes.remove(id, waiter);
    // Who leads on to its own end leaves the others without a leader for an election timeout.
    void this.stepAside().then(() => this.#changes.remove(id, waiter));
  }

  updateMember(id: bigint, peerUrls: readonly string[], waiter: Waiter<MembershipChange>): void {
    this.#changes.update(id, peerUrls, waiter);
  }

  promoteMember(id: bigint, waiter: Waiter<MembershipChange>): void {
    this.#questions.ask(
      {
        here: (answer) => {
          if (!this.driver.isLeader) return false;
          this.#changes.promote(id, answer);
          return true;
        },
        there: async (leader) => {
          const members = await this.network.promote(leader, id);
          return { member: members.find((member) => member.id === id), members };
        },
      },
      waiter,
    );
  }

  moveLeader(target: bigint, waiter: Waiter<void>): void {
    if (!this.driver.isLeader) return waiter.refused(errors.NotLeader);
    if (!this.#voters().includes(target)) return waiter.refused(errors.BadLeaderTransferee);
    if (target === this.id) return waiter.done();
    this.#parts.logger.info("leadership transfer starting", {
      "local-member-id": formatId(this.id),
      "transferee-member-id": formatId(target),
    });
    this.#transfers.start(target, this.#parts.clock.monotonicMs(), waiter);
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
    if (!this.driver.isLeader) return undefined;
    let best: { id: bigint; match: number } | undefined;
    for (const [id, progress] of this.driver.node.status().progress) {
      if (id === this.id || progress.isLearner || !progress.isRecentlyActive) continue;
      if (this.network.connectedSinceMs(id) === undefined) continue;
      if (best === undefined || progress.match > best.match) best = { id, match: progress.match };
    }
    return best?.id;
  }

  #leadershipChanged(): void {
    const { driver } = this;
    const nowMs = this.#parts.clock.monotonicMs();
    if (!driver.isLeader && this.local.lessor.isPrimary) this.local.lessor.demote();
    const before = this.#leadership.leader;
    this.#leadership.update(driver.leader, nowMs);
    this.#transfers.leaderIs(driver.leader);
    if (driver.isLeader) this.#versions.wake();
    if (before === driver.leader) return;
    const fields = {
      "local-member-id": formatId(this.id),
      "leader-member-id": formatId(driver.leader),
      "previous-leader-member-id": formatId(before),
      term: driver.term,
    };
    const { logger } = this.#parts;
    if (driver.leader === NONE) logger.warn("lost the leader", fields);
    else if (driver.isLeader) logger.info("became leader", fields);
    else logger.info("elected leader", fields);
  }

  #membershipChanged(effect: MembershipEffect): void {
    const { logger } = this.#parts;
    const id = effect.kind === "removed" ? effect.id : effect.member.id;
    const urls = effect.kind === "removed" ? [] : effect.member.peerUrls;
    logger.info(`${effect.kind} member`, {
      "cluster-id": formatId(this.clusterId),
      "local-member-id": formatId(this.id),
      "member-id": formatId(id),
      "member-peer-urls": urls,
    });
    if (effect.kind === "added" && id !== this.id) this.network.add(id, urls);
    else if (effect.kind === "updated" && id !== this.id) this.network.update(id, urls);
    else if (effect.kind === "removed" && id !== this.id) this.network.remove(id);
    else if (effect.kind === "removed") this.removed();
    this.#versions.wake();
  }

  /** The cluster goes on without this member: what its peers say, or its own log. */
  removed(): void {
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    this.#parts.onRemoved();
  }

  #warnOf(evidence: Evidence): void {
    const { kind, from, ...rest } = evidence;
    this.#parts.logger.error("a peer says what cannot be if all disks are intact", {
      kind,
      from: formatId(from),
      ...rest,
    });
  }

  /* The store as a whole */

  async hash(): Promise<number> {
    await this.local.pacer.flush();
    return hashStore(this.local.backend, this.#parts.timers);
  }

  async hashKv(revision: number): Promise<HashOutcome | EtcdError> {
    const outcome = await this.local.store.hashKv(revision);
    if (outcome === "compacted") return errors.Compacted;
    if (outcome === "future") return errors.FutureRev;
    return outcome;
  }

  async defragment(): Promise<void> {
    const { backend, pacer } = this.local;
    const before = backend.sizeBytes();
    await pacer.flush();
    await backend.defragment();
    const after = backend.sizeBytes();
    this.#parts.logger.info("finished defragmenting", {
      "size-before-bytes": before.total,
      "size-after-bytes": after.total,
    });
  }

  async snapshot(): Promise<SnapshotStream> {
    const { backend, pacer } = this.local;
    await pacer.flush();
    const { timers, digests } = this.#parts;
    return openSnapshot({ backend, timers, digests, version: this.clusterVersion ?? "" });
  }

  async compactionFinished(): Promise<void> {
    await this.local.scrubber.finished();
    await this.local.pacer.flush();
  }

  /* What is committed (Applier) */

  applyRequest(entry: Entry, request: RaftRequest, isWaited: boolean): ApplyOutcome {
    const outcome = this.local.machine.apply(entry.index, entry.term, request, isWaited);
    if (request.operation.kind !== "put") this.#applied(request.operation, outcome);
    return outcome;
  }

  #applied(operation: RaftOperation, outcome: ApplyOutcome): void {
    if (outcome instanceof EtcdError) return;
    if (operation.kind === "txn") this.#operations.txns += 1;
    else if (operation.kind === "leaseGrant") this.#operations.leasesGranted += 1;
    else if (operation.kind === "leaseRevoke") this.#operations.leasesRevoked += 1;
    else if (operation.kind === "compaction") this.local.scrubber.wake();
    else if (operation.kind === "downgradeInfoSet") this.#versions.wake();
  }

  applyConfChange(entry: Entry): void {
    this.#changes.apply(entry);
  }

  pass(entry: Entry): void {
    this.local.machine.advance(entry.index, entry.term);
    if (entry.data.length > 0) return;
    if (this.driver.isLeader && entry.term === this.driver.term) this.#becamePrimary();
    // Another term has begun: what an earlier leader was given and is not here now is lost, or will
    // come by a detour, of which a heartbeat is enough to tell.
    const { timers, settings } = this.#parts;
    const { proposals } = this.driver;
    timers.after(settings.heartbeatMs, () =>
      proposals.abandonBefore(entry.term, errors.TimeoutDueToLeaderFail),
    );
  }

  /** All that earlier terms committed is applied: leases run from here (RA-07, LE-09). */
  #becamePrimary(): void {
    if (this.local.lessor.isPrimary) return;
    const { clock, settings } = this.#parts;
    this.local.lessor.promote(clock.monotonicMs(), settings.electionTimeoutMs);
    this.#versions.wake();
  }

  appliedTo(index: number): void {
    this.#parts.storage.setApplied(index);
    this.driver.reads.appliedTo(index);
    this.local.pacer.applied();
    this.#watch.step();
    if (this.driver.leader === NONE) {
      this.#parts.timers.soon(() => this.elections.standIfAlone());
    }
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
    return { data: Buffer.alloc(0), metadata: { index, term, confState: this.#changes.confState } };
  }

  confStateAt(index: number): ConfState {
    return this.#changes.confStateAt(index);
  }

  /** A snapshot became the state: everything that looks at it looks at the new one. */
  storeReplaced(local: LocalStore, confState: ConfState): void {
    const before = this.#knownIds();
    this.local = local;
    this.#changes.restore(confState);
    this.#watchChanges();
    for (const { id, peerUrls } of this.members()) {
      if (before.delete(id)) this.network.update(id, peerUrls);
      else if (id !== this.id) this.network.add(id, peerUrls);
    }
    for (const id of before) this.network.remove(id);
    this.driver.reads.appliedTo(this.driver.applied);
    this.#watch.hub.storeReplaced();
  }

  #knownIds(): Set<bigint> {
    const ids = new Set(this.members().map(({ id }) => id));
    ids.delete(this.id);
    return ids;
  }

  #watchChanges(): void {
    this.local.machine.onChanges = (changes) => this.#onChanges(changes);
  }

  #onChanges(changes: RevisionChanges): void {
    for (const { type } of changes.changes) {
      if (type === "put") this.#operations.puts += 1;
      else this.#operations.deletes += 1;
    }
    this.#watch.hub.notify(changes);
  }

  /* Time */

  #onHeartbeat(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const isLate = nowMs - this.#tickedAtMs > 2 * this.#parts.settings.heartbeatMs;
    if (isLate && this.driver.isLeader) this.#lateTicks += 1;
    this.#tickedAtMs = nowMs;
    this.driver.tick();
    this.elections.tick();
  }

  #onTick(): void {
    this.#nowMs = this.#parts.clock.monotonicMs();
    const deadlineMs = this.#nowMs - this.requestTimeoutMs;
    const { driver } = this;
    driver.setNow(this.#nowMs);
    driver.proposals.expire(deadlineMs, ({ atMs }) => this.#timedOut(atMs));
    driver.reads.tick(this.#nowMs, deadlineMs, (atMs) => this.#leadership.timeoutError(atMs));
    this.#changes.expire(deadlineMs);
    this.#transfers.tick(this.#nowMs);
    this.#watch.hub.tick(this.#nowMs);
    if (driver.reads.isWaiting) driver.wake();
  }

  #timedOut(atMs: number): EtcdError {
    this.#proposalsFailed += 1;
    return this.#leadership.timeoutError(atMs);
  }

  /** FR-08. */
  get requestTimeoutMs(): number {
    return 5_000 + 2 * this.#parts.settings.electionTimeoutMs;
  }

  /* Alarms and failures */

  reportCorruption(error: Error): void {
    this.#alarms.corrupt(error);
  }

  /** On the leader alone: the others would only repeat it (CP-08). */
  #compactByItself(revision: number): void {
    if (!this.driver.isLeader) return;
    const { logger } = this.#parts;
    logger.info("starting auto compaction", { revision });
    this.#propose(
      { kind: "compaction", compaction: { revision, physical: false } },
      {
        done: () => undefined,
        refused: (error) => {
          if (error === errors.Compacted) return;
          logger.warn("auto compaction was refused", { revision, error: error.message });
        },
      },
      true,
    );
  }

  /** Nothing that follows can be trusted: refuse everything, tell the owner. */
  fail(error: Error): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.driver.stop();
    this.#changes.refuseAll(errors.Stopped);
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
      operations: this.#operations,
      proposalsPending: this.driver.proposals.size,
      proposalsFailed: this.#proposalsFailed,
      keys: store.keyCount,
      compactRevision: store.compactRevision,
      cluster: {
        leaderChanges: this.#leadership.changes,
        heartbeatSendFailures: this.#lateTicks,
        slowReadIndexes: this.driver.reads.slow,
        readIndexesFailed: this.driver.reads.failed,
        learnerPromotions: this.#changes.promotions,
        learnerPromotionFailures: this.#changes.promotionFailures,
        snapshotsBeingApplied: this.snapshots.isInstalling ? 1 : 0,
      },
    };
  }

  /** Hands over, answers what is under way, brings everything to the disk, closes files. */
  async close(): Promise<void> {
    if (!this.#hasFailed && !this.#isRemoved) await this.stepAside();
    this.#isClosing = true;
    this.leaseService.close();
    this.#versions.close();
    this.#autoCompactor.close();
    if (!this.#hasFailed) await this.#settled();
    for (const timer of this.#timers) timer.cancel();
    this.#changes.refuseAll(errors.Stopped);
    this.driver.stop();
    await this.network.close();
    await this.snapshots.close();
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
