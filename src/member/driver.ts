/**
 * The loop around the consensus: what came in a turn of the event loop goes in together, and what
 * comes out is written, sent and applied, with asynchronous storage writes (thesis 10.2.1).
 *
 *   proposals, messages, ticks -> RawNode -> Ready -> log | peers | machine -> answers -> RawNode
 *
 * A leader takes the next batch of proposals when its last one is durable: so the batch follows the
 * load, each costs one write here and one message a follower, and those go out while the write is
 * under way.
 */
import { Prng } from "../base/index.ts";
import {
  ETCD_RAFT_OPTIONS,
  type Evidence,
  isStorageMessage,
  NONE,
  RawNode,
  type Ready,
  type StepResult,
} from "../raft/index.ts";
import type { Entropy, PeerNetwork, Receipt, Timers } from "../seam/index.ts";
import {
  type ConfChange,
  EntryType,
  type HardState,
  type Message,
  MessageType,
  type Snapshot,
  type StateDigest,
  stampEntry,
} from "../wire/index.ts";
import { errors } from "../errors/index.ts";
import { type Applier, ApplyQueue } from "./apply-queue.ts";
import { CommitNews } from "./commit-news.ts";
import {
  APPLYING_BYTES_MAX,
  STAMPED_BYTES_MAX,
  TURN_ROUNDS_MAX,
  UNCOMMITTED_BYTES_MAX,
} from "./limits.ts";
import { Proposals } from "./proposals.ts";
import type { RaftStorage } from "./raft-storage.ts";
import { ReadRounds } from "./read-rounds.ts";
import { type DurableLog, StorageQueue } from "./storage-queue.ts";

export interface DriverEvents {
  /** The leader, or this member's part, is another one. */
  leadershipChanged(): void;
  evidence(evidence: Evidence): void;
  /** A member answered the leader, and says what its state comes to. */
  digestReported(from: bigint, digest: StateDigest): void;
  /** MsgSnap is to be sent with an image of the store. */
  sendSnapshot(message: Message): void;
  /** Makes the snapshot that was received the state; see StorageQueue. */
  installSnapshot(snapshot: Snapshot): Promise<void>;
  /** Applying met this. True: the store is replaced, and applying goes on when that is done. */
  damaged(error: Error): boolean;
  /** Nothing that follows can be trusted: the member must stop. */
  broken(error: Error): void;
}

export interface DriverOptions {
  readonly id: bigint;
  readonly log: DurableLog;
  readonly storage: RaftStorage;
  readonly hardState: HardState;
  readonly network: PeerNetwork;
  readonly timers: Timers;
  readonly entropy: Entropy;
  /** Monotonic; see `setNow`. */
  readonly nowMs: number;
  readonly electionTicks: number;
  readonly preVote: boolean;
  readonly applier: Applier;
  /** The store is behind: nothing is begun or applied until `storeCaughtUp`. */
  readonly isHeldBack: () => boolean;
  /** Nothing is applied until `storeCaughtUp`: the state is about to be replaced. */
  readonly isApplyHeld: () => boolean;
  readonly digests: StateDigests;
  readonly lives: PeerLives;
  readonly events: DriverEvents;
}

/** What this member's state comes to, as it goes into messages and entries (care/). */
export interface StateDigests {
  report(type: number): StateDigest | undefined;
  stamp(): StateDigest | undefined;
}

/** What of the traffic with peers may be relied on (care/). */
export interface PeerLives {
  readonly mayVote: boolean;
  /** Whether the consensus may have it. */
  takes(message: Message): boolean;
  /** Adds what the peer needs to know; false: it is not to be sent. */
  sends(message: Message): boolean;
}

export class Driver {
  readonly node: RawNode;
  readonly proposals: Proposals;
  readonly reads: ReadRounds;
  readonly #options: DriverOptions;
  readonly #storageQueue: StorageQueue;
  readonly #applyQueue: ApplyQueue;
  readonly #news: CommitNews;
  #confChanges: ConfChange[] = [];
  #isTurnPlanned = false;
  /** Something came since the last look. */
  #isNewsWaiting = false;
  #isChangeWaiting = false;
  #isStopped = false;
  #idleWaiters: (() => void)[] = [];

  constructor(options: DriverOptions) {
    this.#options = options;
    const { id, storage, entropy, timers, applier } = options;
    this.#nowMs = options.nowMs;
    const epoch = entropy.bytes(8).readBigUInt64BE(0);
    this.node = new RawNode({
      ...ETCD_RAFT_OPTIONS,
      id,
      storage,
      prng: new Prng(entropy.bytes(4).readUInt32BE(0)),
      electionTimeoutTicks: options.electionTicks,
      preVote: options.preVote,
      appliedIndex: storage.applied,
      applyingBytesMax: APPLYING_BYTES_MAX,
      uncommittedBytesMax: UNCOMMITTED_BYTES_MAX,
      readEpoch: epoch,
      asyncStorageWrites: true,
      gatherCommits: true,
    });
    this.#news = new CommitNews({ node: this.node, timers, wake: () => this.wake() });
    this.proposals = new Proposals(Number(id & 0xffffn));
    this.reads = new ReadRounds({
      id,
      epoch,
      ask: (context) => this.leader !== NONE && this.node.readIndex(context) === "ok",
      send: (message) => options.network.send(message),
      applied: () => storage.applied,
      term: () => this.term,
    });
    const onBroken = (error: unknown) => this.#broken(error);
    this.#storageQueue = new StorageQueue({
      log: options.log,
      hardState: options.hardState,
      onEntries: (entries) => storage.append(entries),
      install: (snapshot) => options.events.installSnapshot(snapshot),
      deliver: (responses) => this.#written(responses),
      onBroken,
    });
    this.#applyQueue = new ApplyQueue({
      timers,
      proposals: this.proposals,
      applier,
      isHeldBack: () => options.isHeldBack() || options.isApplyHeld(),
      ensureCommit: (index) => this.#ensureCommit(index),
      isHealable: (error) => options.events.damaged(error),
      onBroken,
    });
  }

  get leader(): bigint {
    return this.node.raft.lead;
  }

  get isLeader(): boolean {
    return this.node.raft.role === "leader";
  }

  get term(): number {
    return this.node.raft.term;
  }

  /** All that the consensus has said is on the disk. */
  get isDurable(): boolean {
    return this.#storageQueue.isIdle && !this.node.hasReady();
  }

  get committed(): number {
    return this.node.raft.log.committed;
  }

  /** Up to where this member's own log is durable, as its leader part counts it. */
  get ownMatch(): number {
    return this.node.raft.tracker.progress(this.#options.id)?.match ?? 0;
  }

  /** A change of the configuration is applied when the disk knows that it is committed. */
  get isChangeWaiting(): boolean {
    return this.#isChangeWaiting;
  }

  get applied(): number {
    return this.#options.storage.applied;
  }

  tick(): void {
    // Time passes for elections, which this member is to have no part in.
    if (this.#isStopped || !this.#options.lives.mayVote) return;
    this.node.tick();
    this.wake();
  }

  /** Something was put into `proposals` or `reads`, or changed that they wait for. */
  wake(): void {
    this.#isNewsWaiting = true;
    if (this.#isTurnPlanned || this.#isStopped) return;
    this.#isTurnPlanned = true;
    this.#options.timers.soon(this.#turn);
  }

  /** The store has caught up with what was applied. */
  storeCaughtUp(): void {
    this.#applyQueue.wake();
    this.wake();
  }

  /** Proposed as soon as there is a leader; it is the caller's to stop waiting. */
  proposeConfChange(change: ConfChange): void {
    if (this.#isStopped) return;
    this.#confChanges.push(change);
    this.wake();
  }

  /** The asker waits no more. */
  dropConfChange(change: ConfChange): void {
    this.#confChanges = this.#confChanges.filter((other) => other !== change);
  }

  campaign(): void {
    if (this.#isStopped || !this.#options.lives.mayVote) return;
    this.node.campaign();
    this.wake();
  }

  /** Its host says that the leader's process is gone: no need to wait for the timeout. */
  forgetLeader(): void {
    if (this.#isStopped) return;
    this.node.forgetLeader();
    this.wake();
  }

  transferLeader(to: bigint): void {
    if (this.#isStopped) return;
    this.node.transferLeader(to);
    this.wake();
  }

  receive(message: Message): Receipt {
    if (message.to !== this.#options.id) return "notForMe";
    if (this.#isStopped) return "taken";
    if (!this.#options.lives.takes(message)) return "taken";
    const { digest } = message;
    if (digest !== undefined && message.term === this.term && this.isLeader) {
      this.#options.events.digestReported(message.from, digest);
    }
    if (message.type === MessageType.PROP && this.#takeForwarded(message)) return "taken";
    if (message.type === MessageType.READ_INDEX && this.isLeader && message.entries.length === 1) {
      this.reads.addForwarded(message);
    } else {
      this.node.step(message);
      if (message.type === MessageType.PROP) this.#news.awaitNewest();
    }
    this.wake();
    return "taken";
  }

  /** Normal entries join the next batch; a change of the configuration goes its own way. */
  #takeForwarded(message: Message): boolean {
    if (message.entries.some((entry) => entry.type !== EntryType.NORMAL)) return false;
    for (const entry of message.entries) {
      if (!this.proposals.addForwarded(entry.data, this.#nowMs)) break;
    }
    this.wake();
    return true;
  }

  unreachable(id: bigint): void {
    if (this.#isStopped) return;
    this.node.reportUnreachable(id);
    this.wake();
  }

  snapshotSent(id: bigint, isFailure: boolean): void {
    if (this.#isStopped) return;
    this.node.reportSnapshot(id, isFailure);
    this.wake();
  }

  /** Whether the consensus has taken the snapshot of `index`, which is not the state yet. */
  isInstalling(index: number): boolean {
    return this.node.raft.log.unstable.snapshot?.metadata.index === index;
  }

  /**
   * Settles when the machine has all that was handed to it. What `isVoid` becomes true of is passed
   * over: a state that is wrong takes nothing more, and another one is about to take its place.
   */
  async allApplied(isVoid: () => boolean): Promise<void> {
    while (!this.#applyQueue.isEmpty && !this.#isStopped) {
      if (isVoid()) this.#applyQueue.passOver();
      else await new Promise<void>((resolve) => void this.#options.timers.after(1, resolve));
    }
  }

  /** Entries that were only on disk are in memory now. */
  entriesLoaded(): void {
    for (const [id] of this.node.status().progress) this.node.resumeSending(id);
    this.wake();
  }

  /** What it causes itself belongs to the same turn, but for news without end. */
  readonly #turn = (): void => {
    if (!this.#isStopped) {
      try {
        for (let round = 0; round < TURN_ROUNDS_MAX && this.#isNewsWaiting; round += 1) {
          this.#isNewsWaiting = false;
          this.#work();
        }
      } catch (error) {
        this.#broken(error);
      }
    }
    this.#isTurnPlanned = false;
    if (this.#isNewsWaiting) this.wake();
    this.#checkIdle();
  };

  #work(): void {
    this.#feed();
    this.#news.share();
    while (this.node.hasReady()) {
      this.#process(this.node.ready());
      this.#feed();
      this.#news.share();
    }
  }

  #feed(): void {
    if (this.reads.isWaiting) this.reads.start(this.#nowMs);
    if (this.leader === NONE) return;
    if (this.#confChanges.length > 0) {
      this.#confChanges = this.#confChanges.filter(
        (change) => this.node.proposeConfChange(change) === "proposalDropped",
      );
      this.#news.awaitNewest();
    }
    if (!this.proposals.isWaiting) return;
    if (this.isLeader && (!this.#storageQueue.isIdle || this.#options.isHeldBack())) return;
    this.#propose();
  }

  #propose(): void {
    const batch = this.proposals.take(this.isLeader, errors.NotPrimaryLessor);
    if (batch === undefined) return;
    const { term } = this;
    if (this.isLeader) this.#stamp(batch.data);
    const result: StepResult = this.node.proposeBatch(batch.data);
    if (result !== "ok") return this.proposals.giveBack(batch);
    this.proposals.handedOver(batch, term);
    if (batch.forwarded.length > 0) this.#news.awaitNewest();
  }

  /** One entry of a batch says what the leader's state came to when the batch began. */
  #stamp(data: Buffer[]): void {
    const last = data[data.length - 1] as Buffer;
    const stamp = last.length > STAMPED_BYTES_MAX ? undefined : this.#options.digests.stamp();
    if (stamp !== undefined) data[data.length - 1] = stampEntry(last, stamp);
  }

  /** Monotonic, set by `setNow`: a coarse time will do for retries. */
  #nowMs: number;

  setNow(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  #process(ready: Ready): void {
    for (const evidence of ready.evidence) this.#options.events.evidence(evidence);
    if (ready.softState !== undefined) {
      this.reads.leaderChanged();
      this.#options.events.leadershipChanged();
    }
    for (const state of ready.readStates) this.reads.confirmed(state);
    const { durableCommit } = this.#storageQueue;
    if (ready.hardState !== undefined) this.#news.committed(ready.hardState.commit, durableCommit);
    this.#send(ready.messages);
    for (const message of ready.messages) {
      if (!isStorageMessage(message)) continue;
      if (message.type === MessageType.STORAGE_APPEND) this.#storageQueue.push(message);
      else this.#applyQueue.push(message.entries, () => this.#deliver(message.responses));
    }
    if (this.#news.isHeld) this.#storageQueue.syncCommit();
  }

  /** Before the log is written: followers write at the same time. */
  #send(messages: readonly Message[]): void {
    for (const message of messages) {
      if (isStorageMessage(message)) continue;
      this.#news.limit(message);
      if (message.type === MessageType.SNAP) this.#options.events.sendSnapshot(message);
      else this.#transmit(message);
    }
    this.#options.network.flush();
  }

  #ensureCommit(index: number): boolean {
    this.#isChangeWaiting = this.#storageQueue.durableCommit < index;
    if (this.#isChangeWaiting) this.#storageQueue.syncCommit();
    return !this.#isChangeWaiting;
  }

  #written(responses: readonly Message[]): void {
    this.#deliver(responses);
    this.#news.durable(this.#storageQueue.durableCommit);
    if (this.#isChangeWaiting) this.#applyQueue.wake();
  }

  #deliver(responses: readonly Message[]): void {
    if (this.#isStopped) return;
    for (const response of responses) {
      if (response.to === this.#options.id) this.node.deliver(response);
      else this.#transmit(response);
    }
    this.wake();
  }

  /** Answers to the leader say what this member's state comes to. */
  #transmit(message: Message): void {
    const { type } = message;
    if (!this.#options.lives.sends(message)) return;
    if (type === MessageType.APP_RESP || type === MessageType.HEARTBEAT_RESP) {
      const digest = this.#options.digests.report(type);
      if (digest !== undefined) message.digest = digest;
    }
    this.#options.network.send(message);
  }

  #broken(error: unknown): void {
    if (this.#isStopped) return;
    // The member first: whoever is refused by the stop may ask for something at once.
    this.#options.events.broken(error instanceof Error ? error : new Error(String(error)));
    this.stop();
  }

  /** Refuses what waits; nothing is proposed, sent or applied any more. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#applyQueue.stop();
    this.proposals.refuseAll(errors.Stopped);
    this.reads.refuseAll(errors.Stopped);
    this.#checkIdle();
  }

  /** Settles when nobody waits, all that is committed is applied, and no write goes on. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idleWaiters.push(resolve);
      this.wake();
      this.#checkIdle();
    });
  }

  #checkIdle(): void {
    if (this.#idleWaiters.length === 0) return;
    const isIdle =
      this.proposals.size === 0 &&
      this.reads.size === 0 &&
      this.#storageQueue.isIdle &&
      this.#applyQueue.isEmpty;
    if (!isIdle && !this.#isStopped) return;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }
}
