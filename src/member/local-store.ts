/**
 * What a member holds of the replicated state, with everything that works on it: store, machine,
 * leases, alarms, and those who commit, scrub and measure it. One piece, because a snapshot of
 * another member replaces all of it at once.
 */
import { type AlarmSet, openAlarms } from "../alarm/index.ts";
import { createMachine, executeRange, executeReadTxn, type Machine } from "../apply/index.ts";
import type { AppliedPoint, Backend, CommitRhythm } from "../backend/index.ts";
import { DigestingBackend, Doubts, type EffectLog, type StateChain } from "../care/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import { type Lessor, openLessor } from "../lease/index.ts";
import {
  type CheckpointingStore,
  type HashOutcome,
  openStore,
  type RangeCursor,
  type RangeQuery,
} from "../mvcc/index.ts";
import type { Clock, Disk, Logger, Timers } from "../seam/index.ts";
import type { RangeRequest, RangeResponse, TxnRequest, TxnResponse } from "../wire/index.ts";
import { CommitPacer } from "./commit-pacer.ts";
import { IndexCheckpointer } from "./index-checkpointer.ts";
import { Quota } from "./quota.ts";
import { Scrubber } from "./scrubber.ts";
import { hashStore } from "./store-image.ts";

/** Of table `local`: no member's store brings the row to another. */
const CURE_KEY = Buffer.from("cure");

export interface LocalStoreOptions {
  readonly directory: string;
  readonly settings: {
    readonly quotaBytes: number;
    readonly commitRhythm: CommitRhythm;
    readonly compactStepRecords: number;
    readonly compactRestMs: number;
    readonly keysOnlyWithLease: boolean;
  };
  readonly disk: Disk;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Effects up to `point` are on the medium. */
  readonly onDurable: (point: AppliedPoint) => void;
  readonly onFatal: (error: Error) => void;
}

export class LocalStore {
  /** What the effects of all applied entries come to. */
  readonly chain: StateChain;
  /** The newest of those effects. */
  readonly effects: EffectLog;
  /** Who contradicts this state. */
  readonly doubts: Doubts;
  readonly backend: Backend;
  readonly store: CheckpointingStore;
  readonly lessor: Lessor;
  readonly alarmSet: AlarmSet;
  readonly machine: Machine;
  readonly quota: Quota;
  readonly pacer: CommitPacer;
  readonly scrubber: Scrubber;
  readonly #checkpointer: IndexCheckpointer;
  readonly #options: LocalStoreOptions;
  #isCure: boolean;

  /** Reads what is in `inner`, which belongs to the new store from here. */
  static async open(inner: Backend, options: LocalStoreOptions): Promise<LocalStore> {
    const backend = new DigestingBackend(inner);
    const lessor = openLessor(backend);
    const { timers, disk, directory, logger } = options;
    const store = await openStore(backend, {
      yieldToLoop: () => new Promise((resolve) => timers.soon(resolve)),
      checkpoint: { disk, directory },
      logger,
      onLease: (key, lease) => lessor.attach(lease, key),
    });
    return new LocalStore(backend, store, lessor, options);
  }

  private constructor(
    backend: DigestingBackend,
    store: CheckpointingStore,
    lessor: Lessor,
    options: LocalStoreOptions,
  ) {
    const { timers, clock, logger, settings, onFatal } = options;
    this.#options = options;
    this.backend = backend;
    this.#isCure = backend.get("local", CURE_KEY) !== undefined;
    this.chain = backend.chain;
    this.effects = backend.effects;
    this.doubts = new Doubts(backend, () => void this.pacer.flush());
    this.store = store;
    this.lessor = lessor;
    this.alarmSet = openAlarms(backend);
    this.machine = createMachine({
      backend,
      store,
      lessor,
      alarms: this.alarmSet,
      keysOnlyWithLease: settings.keysOnlyWithLease,
    });
    this.quota = new Quota(backend, settings.quotaBytes);
    const { onDurable } = options;
    this.pacer = new CommitPacer({
      backend,
      rhythm: settings.commitRhythm,
      timers,
      clock,
      onDurable,
      onFatal,
    });
    this.scrubber = new Scrubber({
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
    this.#checkpointer = new IndexCheckpointer({ store, timers, logger });
  }

  /**
   * It took the place of one that was damaged or wrong, and the alarm of that is not known to be
   * gone. A restart between the two would have it replaced again, though nothing is wrong with it.
   */
  get isCure(): boolean {
    return this.#isCure;
  }

  set isCure(isCure: boolean) {
    if (isCure === this.#isCure) return;
    this.#isCure = isCure;
    if (isCure) {
      this.backend.put("local", CURE_KEY, Buffer.from("1"));
      // A restart may come before the next batch is due.
      void this.pacer.flush();
    } else {
      this.backend.delete("local", CURE_KEY);
    }
  }

  range(request: RangeRequest): RangeResponse | EtcdError {
    const { store } = this;
    const { keysOnlyWithLease } = this.#options.settings;
    return executeRange(store, request, store.currentRevision, keysOnlyWithLease);
  }

  openRange(query: RangeQuery): RangeCursor | EtcdError {
    const cursor = this.store.openRange(query);
    if (cursor === "compacted") return errors.Compacted;
    if (cursor === "future") return errors.FutureRev;
    return cursor;
  }

  readTxn(request: TxnRequest): TxnResponse | EtcdError {
    return executeReadTxn(this.store, request, this.#options.settings.keysOnlyWithLease);
  }

  /** Of all tables, as etcd's Hash (MA-05). */
  async hash(): Promise<number> {
    await this.pacer.flush();
    return hashStore(this.backend, this.#options.timers);
  }

  async hashKv(revision: number, rest?: () => Promise<void>): Promise<HashOutcome | EtcdError> {
    const outcome = await this.store.hashKv(revision, rest);
    if (outcome === "compacted") return errors.Compacted;
    if (outcome === "future") return errors.FutureRev;
    return outcome;
  }

  async defragment(): Promise<void> {
    const before = this.backend.sizeBytes();
    await this.pacer.flush();
    await this.backend.defragment();
    const after = this.backend.sizeBytes();
    this.#options.logger.info("finished defragmenting", {
      "size-before-bytes": before.total,
      "size-after-bytes": after.total,
    });
  }

  /** Settles when nothing is left to scrub, and that is on disk (CP-02). */
  async compactionFinished(): Promise<void> {
    await this.scrubber.finished();
    await this.pacer.flush();
  }

  /** Brings everything to the disk and closes it; `hasFailed`: closes it as it is. */
  async close(hasFailed: boolean): Promise<void> {
    this.scrubber.close();
    await this.#checkpointer.close();
    if (!hasFailed) await this.pacer.close();
    await this.backend.close();
  }

  /**
   * Another store takes its place: once this has settled nothing is written any more. Reads under
   * way go on until `drop`.
   */
  async retire(): Promise<void> {
    this.scrubber.close();
    await this.#checkpointer.stop();
    await this.pacer.stop();
  }

  /** The end of a retired store. */
  drop(): Promise<void> {
    return this.backend.close();
  }
}
