/**
 * Lets the log go of what the store holds durably: every `snapshotCount` entries a snapshot record,
 * then old segments are removed but for the newest `walsMax` (WL-09, WL-10).
 */
import type { AppliedPoint } from "../backend/index.ts";
import type { Wal } from "../wal/index.ts";

export interface LogReleaserOptions {
  readonly wal: Wal;
  readonly voter: bigint;
  readonly settings: { readonly snapshotCount: number; readonly walsMax: number };
  readonly onFatal: (error: Error) => void;
}

export class LogReleaser {
  readonly #options: LogReleaserOptions;
  #snapshotIndex = 0;
  #running: Promise<void> | undefined;

  constructor(options: LogReleaserOptions) {
    this.#options = options;
  }

  /** The store holds everything up to `point`. */
  durable(point: AppliedPoint): void {
    if (this.#running !== undefined) return;
    if (point.index - this.#snapshotIndex < this.#options.settings.snapshotCount) return;
    this.#running = this.#release(point).then(
      () => {
        this.#running = undefined;
      },
      (error: unknown) => {
        this.#running = undefined;
        this.#options.onFatal(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  async #release(point: AppliedPoint): Promise<void> {
    const { wal, voter, settings } = this.#options;
    const confState = {
      voters: [voter],
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    };
    await wal.saveSnapshot({ index: point.index, term: point.term, confState });
    this.#snapshotIndex = point.index;
    wal.release(point.index);
    await wal.purge(settings.walsMax);
  }
}
