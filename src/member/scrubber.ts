/**
 * Removes what a compaction left over, in small steps with rests between them, so that it never
 * stands in the way of a write (CP-04). Goes on at once after a restart that interrupted it.
 */
import type { Store } from "../mvcc/index.ts";
import type { Timer, Timers } from "../seam/index.ts";

export interface ScrubberOptions {
  readonly store: Store;
  readonly timers: Timers;
  readonly stepRecords: number;
  readonly restMs: number;
  /** A step failed, for instance on a record with a bad checksum. */
  readonly onFatal: (error: Error) => void;
  /** One compaction was scrubbed to its end. */
  readonly onFinished: () => void;
}

export class Scrubber {
  readonly #options: ScrubberOptions;
  #timer: Timer | undefined;
  #waiters: (() => void)[] = [];
  #isClosed = false;

  constructor(options: ScrubberOptions) {
    this.#options = options;
    this.wake();
  }

  /** Called after a compaction was applied. */
  wake(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    if (!this.#options.store.isCompacting) return this.#finish();
    this.#timer = this.#options.timers.after(this.#options.restMs, () => this.#step());
  }

  /** Settles when nothing is left to scrub, or when the scrubber was closed. */
  finished(): Promise<void> {
    if (!this.#options.store.isCompacting || this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#finish();
  }

  #step(): void {
    this.#timer = undefined;
    try {
      this.#options.store.compactStep(this.#options.stepRecords);
    } catch (error) {
      this.close();
      this.#options.onFatal(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (!this.#options.store.isCompacting) this.#options.onFinished();
    this.wake();
  }

  #finish(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }
}
