/**
 * Keeps the checkpoint of the key index fresh, so that the next start need not read every record:
 * looked at every few seconds and written when a restart would have much to read.
 */
import type { CheckpointingStore } from "../mvcc/index.ts";
import type { Logger, Timer, Timers } from "../seam/index.ts";
import { CHECKPOINT_CHECK_MS } from "./limits.ts";

export interface IndexCheckpointerOptions {
  readonly store: CheckpointingStore;
  readonly timers: Timers;
  readonly logger: Logger;
}

export class IndexCheckpointer {
  readonly #options: IndexCheckpointerOptions;
  readonly #timer: Timer;
  #running: Promise<void> | undefined;

  constructor(options: IndexCheckpointerOptions) {
    this.#options = options;
    this.#timer = options.timers.every(CHECKPOINT_CHECK_MS, () => this.#check(false));
  }

  /** Writes a last one when it is due; the one under way is awaited. */
  async close(): Promise<void> {
    this.#timer.cancel();
    await this.#running;
    this.#check(true);
    await this.#running;
  }

  /** None is written any more. */
  async stop(): Promise<void> {
    this.#timer.cancel();
    await this.#running;
  }

  #check(isLast: boolean): void {
    if (this.#running !== undefined || !this.#options.store.isCheckpointDue(isLast)) return;
    this.#running = this.#write().finally(() => {
      this.#running = undefined;
    });
  }

  /** A start without a checkpoint is slow, not wrong: a failure is told and tried again later. */
  async #write(): Promise<void> {
    try {
      await this.#options.store.checkpoint();
    } catch (error) {
      this.#options.logger.warn("the key index could not be written to its file", {
        error: error instanceof Error ? error.message : String(error),
      });
    }
  }
}
