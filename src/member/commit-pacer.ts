/**
 * Moves applied effects from the overlay to the store in batches, and tells what the log may let go
 * of: at each interval, or as soon as enough operations wait, one commit at a time (decision 5).
 */
import {
  type AppliedPoint,
  type Backend,
  COMMIT_RHYTHM,
  type CommitRhythm,
  shouldCommit,
} from "../backend/index.ts";
import type { Clock, Timer, Timers } from "../seam/index.ts";
import { Histogram, exponentialBounds } from "../base/index.ts";

export interface CommitPacerOptions {
  readonly backend: Backend;
  /** 0 = the store's own. */
  readonly rhythm: CommitRhythm;
  readonly timers: Timers;
  readonly clock: Clock;
  /** Effects up to `point` are on the medium. */
  readonly onDurable: (point: AppliedPoint) => void;
  /** A failed commit: the store is dead, the member must stop. */
  readonly onFatal: (error: Error) => void;
}

export class CommitPacer {
  readonly #backend: Backend;
  readonly #rhythm: CommitRhythm;
  readonly #clock: Clock;
  readonly #onDurable: (point: AppliedPoint) => void;
  readonly #onFatal: (error: Error) => void;
  readonly #timer: Timer;
  #running: Promise<void> | undefined;
  #isClosed = false;
  /** etcd_disk_backend_commit_duration_seconds. */
  readonly commitSeconds = new Histogram(exponentialBounds(0.001, 2, 14));

  constructor(options: CommitPacerOptions) {
    this.#backend = options.backend;
    this.#rhythm = {
      intervalMs: options.rhythm.intervalMs || COMMIT_RHYTHM.intervalMs,
      operations: options.rhythm.operations || COMMIT_RHYTHM.operations,
    };
    this.#clock = options.clock;
    this.#onDurable = options.onDurable;
    this.#onFatal = options.onFatal;
    this.#timer = options.timers.every(this.#rhythm.intervalMs, () => this.#commitIfIdle());
  }

  /** Called after entries were applied. */
  applied(): void {
    if (shouldCommit(this.#backend, 0, this.#rhythm)) this.#commitIfIdle();
  }

  /** Settles when everything applied before the call is on the medium; once stopped nothing is. */
  async flush(): Promise<void> {
    do await this.#running;
    while (this.#running !== undefined);
    if (!this.#isClosed && this.#hasWork()) await this.#commit();
  }

  /** After it settled no commit is under way and none will start. */
  async close(): Promise<void> {
    this.#timer.cancel();
    await this.flush();
    this.#isClosed = true;
  }

  /** No commit starts any more, what waits is given up; settles with the one under way. */
  async stop(): Promise<void> {
    this.#timer.cancel();
    this.#isClosed = true;
    await this.#running;
  }

  #hasWork(): boolean {
    const { applied, durable, pendingOperations } = this.#backend;
    return pendingOperations > 0 || applied.index !== durable.index;
  }

  #commitIfIdle(): void {
    if (this.#isClosed || this.#running !== undefined || !this.#hasWork()) return;
    void this.#commit();
  }

  /** Never rejects: a failure goes to `onFatal`. */
  #commit(): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    const run = this.#backend.commit().then(
      () => {
        this.#running = undefined;
        this.commitSeconds.observe((this.#clock.monotonicMs() - startMs) / 1000);
        this.#onDurable(this.#backend.durable);
      },
      (error: unknown) => {
        this.#running = undefined;
        this.#isClosed = true;
        this.#onFatal(error instanceof Error ? error : new Error(String(error)));
      },
    );
    this.#running = run;
    return run;
  }
}
