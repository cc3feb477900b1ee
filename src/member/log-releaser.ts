/**
 * Lets the log go of what the store holds durably: every `snapshotCount` entries a snapshot record,
 * then what is more than `snapshotCatchUpEntries` before it is forgotten, and old segments are
 * removed but for the newest `walsMax` (RA-05, WL-09, WL-10).
 *
 * A follower that is far behind gets a snapshot and then the entries after it: while one is on its
 * way, and a while after, nothing is let go of, or the follower would need the next one at once.
 */
import type { AppliedPoint } from "../backend/index.ts";
import type { Timer, Timers } from "../seam/index.ts";
import type { WalSnapshot } from "../wal/index.ts";
import type { ConfState } from "../wire/index.ts";

/** The part of wal/ that is used. */
export interface ReleasableWal {
  cut(): Promise<number>;
  saveSnapshot(snapshot: WalSnapshot): Promise<void>;
  release(index: number): void;
  purge(segmentsMax: number): Promise<string[]>;
}

export interface LogReleaserOptions {
  readonly wal: ReleasableWal;
  /** Raft's view of the log, of which the beginning moves. */
  readonly storage?: { release(index: number): void };
  /** Of the state that is applied. */
  readonly confState: () => ConfState;
  readonly settings: {
    readonly snapshotCount: number;
    readonly snapshotCatchUpEntries: number;
    readonly walsMax: number;
  };
  readonly timers: Timers;
  /** Index of the newest snapshot record in the log; 0 by default. */
  readonly snapshotIndex?: number;
  readonly onFatal: (error: Error) => void;
}

/** After a snapshot was sent (RA-05). */
const HOLD_AFTER_SNAPSHOT_MS = 30_000;

export class LogReleaser {
  readonly #options: LogReleaserOptions;
  #snapshotIndex: number;
  /** Up to here the log may go, once nothing holds it. */
  #releasable = 0;
  /** What is before this is to be removed, since it cannot be read. */
  #forsaken: number | undefined;
  #released = 0;
  /** Snapshots on their way. */
  #holds = 0;
  /** Runs while the last of them was sent a short time ago. */
  #afterHold: Timer | undefined;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: LogReleaserOptions) {
    this.#options = options;
    this.#snapshotIndex = options.snapshotIndex ?? 0;
  }

  /**
   * Part of the log can no longer be read. It goes on in a new segment, and what is before that is
   * removed as soon as the store holds an entry of the new one; followers that would have needed it
   * get a snapshot.
   */
  async forsake(): Promise<void> {
    if (this.#forsaken !== undefined) return;
    this.#forsaken = await this.#options.wal.cut();
  }

  /** The store holds everything up to `point`. */
  durable(point: AppliedPoint): void {
    if (this.#running !== undefined || this.#isClosed) return;
    if (this.#forsaken !== undefined && point.index >= this.#forsaken) {
      return this.#run(this.#dropForsaken(point));
    }
    const { snapshotCount } = this.#options.settings;
    if (point.index - this.#snapshotIndex >= snapshotCount) this.#run(this.#record(point));
    else if (this.#isDue()) this.#run(this.#release());
  }

  /** A snapshot is being sent. Each call is followed by one of `unhold`. */
  hold(): void {
    this.#holds += 1;
    this.#afterHold?.cancel();
    this.#afterHold = undefined;
  }

  /** It was sent, or given up. */
  unhold(): void {
    this.#holds -= 1;
    if (this.#holds > 0 || this.#isClosed) return;
    this.#afterHold = this.#options.timers.after(HOLD_AFTER_SNAPSHOT_MS, () => {
      this.#afterHold = undefined;
      if (this.#running === undefined && this.#isDue()) this.#run(this.#release());
    });
  }

  get isHeld(): boolean {
    return this.#holds > 0 || this.#afterHold !== undefined;
  }

  /** Settles when nothing is under way. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** After it settled nothing is under way and nothing will start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#afterHold?.cancel();
    this.#afterHold = undefined;
    await this.#running;
  }

  #isDue(): boolean {
    return !this.isHeld && this.#releasable > this.#released;
  }

  #run(work: Promise<void>): void {
    const running = work.then(
      () => {
        this.#running = undefined;
      },
      (error: unknown) => {
        this.#running = undefined;
        this.#options.onFatal(error instanceof Error ? error : new Error(String(error)));
      },
    );
    this.#running = running;
  }

  /** The store is durable before its record is written, and the log goes after that (WL-09). */
  async #record(point: AppliedPoint): Promise<void> {
    const { wal, confState, settings } = this.#options;
    await wal.saveSnapshot({ index: point.index, term: point.term, confState: confState() });
    this.#snapshotIndex = point.index;
    this.#releasable = Math.max(0, point.index - settings.snapshotCatchUpEntries);
    if (this.#isDue()) await this.#release();
  }

  async #dropForsaken(point: AppliedPoint): Promise<void> {
    const { wal, storage, confState } = this.#options;
    await wal.saveSnapshot({ index: point.index, term: point.term, confState: confState() });
    this.#snapshotIndex = point.index;
    this.#releasable = point.index;
    this.#released = point.index;
    storage?.release(point.index);
    wal.release(point.index);
    await wal.purge(1);
    this.#forsaken = undefined;
  }

  async #release(): Promise<void> {
    const { wal, storage, settings } = this.#options;
    this.#released = this.#releasable;
    storage?.release(this.#released);
    wal.release(this.#released);
    await wal.purge(settings.walsMax);
  }
}
