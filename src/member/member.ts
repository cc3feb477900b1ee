/**
 * One member of a cluster of one voter: the loop that marries log, machine and store, and the
 * `Member` interface on top of it. open-member.ts makes one; log-loop.ts is its write path.
 */
import {
  type ApplyOutcome,
  type ApplyResponse,
  costOfOperation,
  type DowngradeInfo,
  executeRange,
  executeReadTxn,
  type Machine,
} from "../apply/index.ts";
import type { AlarmSet } from "../alarm/index.ts";
import type { AppliedPoint, Backend } from "../backend/index.ts";
import { EtcdError, errors } from "../errors/index.ts";
import type { Lessor } from "../lease/index.ts";
import type {
  CheckpointingStore,
  HashOutcome,
  RangeCursor,
  RangeQuery,
  RevisionChanges,
} from "../mvcc/index.ts";
import type { Clock, Digests, Entropy, LeaseAnswer, Logger, Timer, Timers } from "../seam/index.ts";
import type { Wal } from "../wal/index.ts";
import type { WatchHub, WatchSink, WatchStream } from "../watch/index.ts";
import {
  AlarmAction,
  type AlarmMember,
  AlarmType,
  emptyConfState,
  type Entry,
  type HardState,
  marshalRaftRequest,
  type RaftOperation,
  type RaftRequest,
  type RangeRequest,
  type RangeResponse,
  type TxnRequest,
  type TxnResponse,
} from "../wire/index.ts";
import { AutoCompactor, type Retention } from "./auto-compactor.ts";
import { CommitPacer } from "./commit-pacer.ts";
import { IndexCheckpointer } from "./index-checkpointer.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { OVERLAY_BYTES_MAX, TICK_INTERVAL_MS, WATCH_STEP_WORK } from "./limits.ts";
import { LogLoop } from "./log-loop.ts";
import { LogReleaser } from "./log-releaser.ts";
import { Quota } from "./quota.ts";
import { Scrubber } from "./scrubber.ts";
import { hashStore, openSnapshot } from "./store-image.ts";
import type {
  ClusterMember,
  Member,
  MembershipChange,
  MemberMeasures,
  MemberStatus,
  SnapshotStream,
  Waiter,
} from "./types.ts";

/** What the operator may set; every field has etcd's default in server/. */
export interface MemberSettings {
  readonly quotaBytes: number;
  readonly requestBytesMax: number;
  readonly snapshotCount: number;
  readonly walsMax: number;
  readonly electionTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly compactStepRecords: number;
  readonly compactRestMs: number;
  readonly retention: Retention;
  /** Answers to keys_only hold the lease, as before 3.7 (KV-06). */
  readonly keysOnlyWithLease: boolean;
}

export interface MemberParts {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly hardState: HardState;
  readonly lastIndex: number;
  readonly wal: Wal;
  readonly backend: Backend;
  readonly store: CheckpointingStore;
  readonly machine: Machine;
  readonly lessor: Lessor;
  readonly alarmSet: AlarmSet;
  readonly hub: WatchHub;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly digests: Digests;
  readonly logger: Logger;
  readonly settings: MemberSettings;
  /** The member can not go on; the process is expected to end. Called once. */
  readonly onFatal: (error: Error) => void;
}

export class SoloMember implements Member {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly raftTerm: number;
  readonly #parts: MemberParts;
  readonly #loop: LogLoop;
  readonly #pacer: CommitPacer;
  readonly #releaser: LogReleaser;
  readonly #leases: LeaseKeeper;
  readonly #scrubber: Scrubber;
  readonly #checkpointer: IndexCheckpointer;
  readonly #autoCompactor: AutoCompactor;
  readonly #quota: Quota;
  readonly #tick: Timer;
  readonly #memberPrefix: number;
  /** Below 2^48: milliseconds since the epoch (40 bits) and a counter, as etcd's request ids. */
  #sequence: number;
  #nowMs: number;
  #isWatchPlanned = false;
  #hasFailed = false;
  readonly #operations = {
    puts: 0,
    deletes: 0,
    txns: 0,
    ranges: 0,
    leasesGranted: 0,
    leasesRevoked: 0,
  };
  /** Alarms on their way. */
  readonly #raising = new Set<number>();

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.clusterId = parts.clusterId;
    this.raftTerm = parts.hardState.term;
    const { clock, timers, backend, store, settings, wal } = parts;
    this.#nowMs = clock.monotonicMs();
    this.#memberPrefix = Number(parts.id & 0xffffn);
    this.#sequence = (clock.wallMs() % 2 ** 40) * 256;
    const onFatal = (error: Error) => this.#fail(error);
    this.#loop = new LogLoop({
      log: wal,
      applier: this,
      timers,
      hardState: parts.hardState,
      lastIndex: parts.lastIndex,
      onFatal,
      isHeldBack: () => backend.overlayBytes > OVERLAY_BYTES_MAX,
    });
    this.#releaser = new LogReleaser({
      wal,
      confState: () => ({ ...emptyConfState(), voters: [parts.id] }),
      settings: { ...settings, snapshotCatchUpEntries: 0 },
      timers,
      onFatal,
    });
    const onDurable = (point: AppliedPoint) => {
      this.#releaser.durable(point);
      this.#loop.wake();
    };
    this.#pacer = new CommitPacer({ backend, timers, clock, onDurable, onFatal });
    this.#quota = new Quota(backend, settings.quotaBytes);
    this.#scrubber = this.#newScrubber(onFatal);
    this.#checkpointer = new IndexCheckpointer({ store, timers, logger: parts.logger });
    const propose = this.propose.bind(this);
    this.#leases = new LeaseKeeper({ lessor: parts.lessor, clock, timers, propose });
    this.#autoCompactor = new AutoCompactor({
      retention: settings.retention,
      clock,
      timers,
      currentRevision: () => store.currentRevision,
      compact: (revision) => this.#compactByItself(revision),
    });
    parts.machine.onChanges = (changes) => this.#onChanges(changes);
    parts.hub.onWork = () => this.#planWatch();
    this.#tick = timers.every(TICK_INTERVAL_MS, () => this.#onTick());
  }

  #newScrubber(onFatal: (error: Error) => void): Scrubber {
    const { store, timers, settings, logger } = this.#parts;
    return new Scrubber({
      store,
      timers,
      stepRecords: settings.compactStepRecords,
      restMs: settings.compactRestMs,
      onFatal,
      onFinished: () =>
        logger.info("finished scheduled compaction", {
          "compact-revision": store.compactRevision,
        }),
    });
  }

  get currentRevision(): number {
    return this.#parts.store.currentRevision;
  }

  get clusterVersion(): string | undefined {
    return this.#parts.machine.clusterVersion;
  }

  get downgrade(): DowngradeInfo {
    return this.#parts.machine.downgrade;
  }

  status(): MemberStatus {
    const size = this.#parts.backend.sizeBytes();
    return {
      leader: this.#hasFailed ? 0n : this.id,
      raftTerm: this.raftTerm,
      raftIndex: this.#loop.committed,
      raftAppliedIndex: this.#loop.applied,
      isLearner: false,
      dbSizeBytes: size.total,
      dbSizeInUseBytes: size.inUse,
      quotaBytes: this.#quota.limitBytes,
    };
  }

  members(): readonly ClusterMember[] {
    return this.#parts.machine.members();
  }

  alarms(): readonly AlarmMember[] {
    return this.#parts.alarmSet.list();
  }

  propose(operation: RaftOperation, waiter: Waiter<ApplyResponse>): void {
    const cost = costOfOperation(operation);
    if (cost > 0 && !this.#quota.admits(cost, this.#nowMs)) {
      this.#raiseNoSpace();
      return this.#refuse(waiter, errors.NoSpace);
    }
    this.#sequence += 1;
    const request: RaftRequest = {
      header: {
        memberPrefix: this.#memberPrefix,
        sequence: this.#sequence,
        username: "",
        authRevision: 0,
      },
      operation,
    };
    const data = marshalRaftRequest(request);
    if (data.length > this.#parts.settings.requestBytesMax) {
      return this.#refuse(waiter, errors.RequestTooLarge);
    }
    this.#loop.propose(data, request, waiter, this.#nowMs);
  }

  #refuse<T>(waiter: Waiter<T>, error: EtcdError): void {
    this.#parts.timers.soon(() => waiter.refused(error));
  }

  /** What is applied here is all that was ever acknowledged: one voter needs no round (KV-10). */
  readIndex(waiter: Waiter<void>): void {
    if (this.#hasFailed) return waiter.refused(errors.Stopped);
    waiter.done();
  }

  range(request: RangeRequest): RangeResponse | EtcdError {
    this.#operations.ranges += 1;
    const { store, settings } = this.#parts;
    return executeRange(store, request, store.currentRevision, settings.keysOnlyWithLease);
  }

  openRange(query: RangeQuery): RangeCursor | EtcdError {
    this.#operations.ranges += 1;
    const cursor = this.#parts.store.openRange(query);
    if (cursor === "compacted") return errors.Compacted;
    if (cursor === "future") return errors.FutureRev;
    return cursor;
  }

  readTxn(request: TxnRequest): TxnResponse | EtcdError {
    const { store, settings } = this.#parts;
    return executeReadTxn(store, request, settings.keysOnlyWithLease);
  }

  openWatchStream(sink: WatchSink): WatchStream {
    // Up to a tenth of the interval, so that streams opened together are not told together (WA-12).
    const share = this.#parts.entropy.bytes(2).readUInt16BE(0) / 0x1_0000;
    return this.#parts.hub.openStream(sink, share);
  }

  newLeaseId(): bigint {
    const id = this.#parts.entropy.bytes(8).readBigUInt64BE(0) & 0x7fff_ffff_ffff_ffffn;
    return id === 0n ? 1n : id;
  }

  /** At least one and a half elections, in whole seconds (LE-02). */
  effectiveTtlSeconds(ttlSeconds: number): number {
    const leastSeconds = Math.ceil((1.5 * this.#parts.settings.electionTimeoutMs) / 1000);
    return Math.max(ttlSeconds, leastSeconds);
  }

  keepAlive(leaseId: bigint, waiter: Waiter<number>): void {
    this.#leases.keepAlive(leaseId, waiter);
  }

  leaseTimes(leaseId: bigint, withKeys: boolean, waiter: Waiter<LeaseAnswer>): void {
    const { lessor, clock } = this.#parts;
    const times = lessor.timeToLive(leaseId, clock.monotonicMs());
    if (times === undefined) waiter.done({ ttlSeconds: -1, grantedTtlSeconds: 0, keys: [] });
    else waiter.done({ ...times, keys: withKeys ? lessor.keysOf(leaseId) : [] });
  }

  get leader(): bigint {
    return this.status().leader;
  }

  get isLearner(): boolean {
    return false;
  }

  addMember(_urls: readonly string[], _isLearner: boolean, waiter: Waiter<MembershipChange>): void {
    this.#refuse(waiter, errors.NotCapable);
  }

  removeMember(_id: bigint, waiter: Waiter<MembershipChange>): void {
    this.#refuse(waiter, errors.NotCapable);
  }

  updateMember(_id: bigint, _urls: readonly string[], waiter: Waiter<MembershipChange>): void {
    this.#refuse(waiter, errors.NotCapable);
  }

  promoteMember(_id: bigint, waiter: Waiter<MembershipChange>): void {
    this.#refuse(waiter, errors.NotCapable);
  }

  moveLeader(_target: bigint, waiter: Waiter<void>): void {
    this.#refuse(waiter, errors.NotCapable);
  }

  onLeaderChange(_run: (leader: bigint) => void): () => void {
    return () => undefined;
  }

  leases(): bigint[] {
    return this.#parts.lessor.list();
  }

  async hash(): Promise<number> {
    await this.#pacer.flush();
    return hashStore(this.#parts.backend, this.#parts.timers);
  }

  async hashKv(revision: number): Promise<HashOutcome | EtcdError> {
    const outcome = await this.#parts.store.hashKv(revision);
    if (outcome === "compacted") return errors.Compacted;
    if (outcome === "future") return errors.FutureRev;
    return outcome;
  }

  async defragment(): Promise<void> {
    const before = this.#parts.backend.sizeBytes();
    await this.#pacer.flush();
    await this.#parts.backend.defragment();
    const after = this.#parts.backend.sizeBytes();
    this.#parts.logger.info("finished defragmenting", {
      "size-before-bytes": before.total,
      "size-after-bytes": after.total,
    });
  }

  async snapshot(): Promise<SnapshotStream> {
    await this.#pacer.flush();
    const { backend, timers, digests } = this.#parts;
    return openSnapshot({ backend, timers, digests, version: this.clusterVersion ?? "" });
  }

  async compactionFinished(): Promise<void> {
    await this.#scrubber.finished();
    await this.#pacer.flush();
  }

  /** LogLoop's applier. */
  applyNormal(entry: Entry, request: RaftRequest, isWaited: boolean): ApplyOutcome {
    const outcome = this.#parts.machine.apply(entry.index, entry.term, request, isWaited);
    if (request.operation.kind !== "put") this.#applied(request.operation, outcome);
    return outcome;
  }

  #applied(operation: RaftOperation, outcome: ApplyOutcome): void {
    if (outcome instanceof EtcdError) return;
    if (operation.kind === "txn") this.#operations.txns += 1;
    else if (operation.kind === "leaseGrant") this.#operations.leasesGranted += 1;
    else if (operation.kind === "leaseRevoke") this.#operations.leasesRevoked += 1;
    else if (operation.kind === "compaction") this.#scrubber.wake();
  }

  #onChanges(changes: RevisionChanges): void {
    for (const { type } of changes.changes) {
      if (type === "put") this.#operations.puts += 1;
      else this.#operations.deletes += 1;
    }
    this.#parts.hub.notify(changes);
  }

  /** LogLoop's word that a slice of entries was applied. */
  applied(): void {
    this.#pacer.applied();
    this.#stepWatch();
  }

  #planWatch(): void {
    if (this.#isWatchPlanned) return;
    this.#isWatchPlanned = true;
    this.#parts.timers.soon(() => {
      this.#isWatchPlanned = false;
      this.#stepWatch();
    });
  }

  #stepWatch(): void {
    try {
      if (this.#parts.hub.step(WATCH_STEP_WORK)) this.#planWatch();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #onTick(): void {
    this.#nowMs = this.#parts.clock.monotonicMs();
    this.#parts.hub.tick(this.#nowMs);
    this.#loop.expire(this.#nowMs - this.requestTimeoutMs);
  }

  /** FR-08. */
  get requestTimeoutMs(): number {
    return 5_000 + 2 * this.#parts.settings.electionTimeoutMs;
  }

  #raiseNoSpace(): void {
    if (this.#raising.has(AlarmType.NOSPACE) || this.#parts.alarmSet.isCapped) return;
    this.#parts.logger.warn("the space quota is used up; raising the NOSPACE alarm", {
      "quota-size-bytes": this.#quota.limitBytes,
      "in-use-bytes": this.#parts.backend.sizeBytes().inUse,
    });
    this.#raise(AlarmType.NOSPACE);
  }

  reportCorruption(error: Error): void {
    const corrupt = AlarmType.CORRUPT;
    const isMine = (row: AlarmMember) => row.memberId === this.id && row.alarm === corrupt;
    if (this.#raising.has(corrupt) || this.#parts.alarmSet.list().some(isMine)) return;
    this.#parts.logger.error("the store is damaged; raising the CORRUPT alarm", {
      error: error.message,
    });
    this.#raise(corrupt);
  }

  #raise(type: number): void {
    this.#raising.add(type);
    const alarm = { action: AlarmAction.ACTIVATE, memberId: this.id, alarm: type };
    const settled = () => void this.#raising.delete(type);
    this.propose({ kind: "alarm", alarm }, { done: settled, refused: settled });
  }

  #compactByItself(revision: number): void {
    const { logger } = this.#parts;
    logger.info("starting auto compaction", { revision });
    this.propose(
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
  #fail(error: Error): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#loop.stop(errors.Stopped);
    this.#parts.onFatal(error);
  }

  get measures(): MemberMeasures {
    const { wal, hub, store, lessor } = this.#parts;
    return {
      fsyncSeconds: wal.metrics.fsyncSeconds,
      walWriteBytes: wal.metrics.writeBytes,
      commitSeconds: this.#pacer.commitSeconds,
      watch: hub.stats,
      leases: { ...this.#leases.stats, count: lessor.size },
      operations: this.#operations,
      proposalsPending: this.#loop.pending,
      proposalsFailed: this.#loop.failed,
      keys: store.keyCount,
      compactRevision: store.compactRevision,
    };
  }

  /** Answers what is under way, refuses the rest, brings everything to the disk, closes files. */
  async close(): Promise<void> {
    this.#tick.cancel();
    this.#leases.close();
    this.#autoCompactor.close();
    this.#scrubber.close();
    await this.#loop.drain(errors.Stopped);
    await this.#checkpointer.close();
    if (!this.#hasFailed) await this.#pacer.close();
    await this.#releaser.idle();
    await this.#parts.backend.close();
    await this.#parts.wal.close();
  }
}
