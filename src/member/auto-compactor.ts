/**
 * Compacts by itself (CP-08): "revision" keeps the newest N revisions and looks every 5 minutes;
 * "periodic" keeps what was written in the last period. Proposes like any client would.
 */
import type { Clock, Timer, Timers } from "../seam/index.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const REVISION_CHECK_MS = 5 * MINUTE_MS;
/** A period is sampled this many times. */
const SAMPLES_PER_PERIOD = 10;
const SAMPLE_MS_MAX = 6 * MINUTE_MS;

export type Retention =
  | { readonly mode: "off" }
  | { readonly mode: "revision"; readonly revisions: number }
  | { readonly mode: "periodic"; readonly periodMs: number };

export interface AutoCompactorOptions {
  readonly retention: Retention;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly currentRevision: () => number;
  readonly compact: (revision: number) => void;
}

export class AutoCompactor {
  readonly #options: AutoCompactorOptions;
  readonly #timer: Timer | undefined;
  /** Revisions seen at each sample, oldest first, covering one period. */
  #samples: { atMs: number; revision: number }[] = [];
  #compactedAtMs: number | undefined;
  #compactedRevision = 0;

  constructor(options: AutoCompactorOptions) {
    this.#options = options;
    const { retention, timers } = options;
    if (retention.mode === "revision") {
      this.#timer = timers.every(REVISION_CHECK_MS, () => this.#byRevision(retention.revisions));
    } else if (retention.mode === "periodic") {
      const sampleMs = Math.min(retention.periodMs / SAMPLES_PER_PERIOD, SAMPLE_MS_MAX);
      this.#timer = timers.every(sampleMs, () => this.#byPeriod(retention.periodMs));
    }
  }

  close(): void {
    this.#timer?.cancel();
  }

  #byRevision(revisions: number): void {
    this.#compact(this.#options.currentRevision() - revisions);
  }

  /** The first compaction comes after one full period, the next ones every min(period, 1 h). */
  #byPeriod(periodMs: number): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#samples.push({ atMs: nowMs, revision: this.#options.currentRevision() });
    let oldest: { atMs: number; revision: number } | undefined;
    while (this.#samples.length > 0 && (this.#samples[0]?.atMs ?? 0) <= nowMs - periodMs) {
      oldest = this.#samples.shift();
    }
    if (oldest === undefined) return;
    const isDue =
      this.#compactedAtMs === undefined ||
      nowMs - this.#compactedAtMs >= Math.min(periodMs, HOUR_MS);
    if (!isDue) return;
    this.#compactedAtMs = nowMs;
    this.#compact(oldest.revision);
  }

  #compact(revision: number): void {
    if (revision <= this.#compactedRevision || revision <= 0) return;
    this.#compactedRevision = revision;
    this.#options.compact(revision);
  }
}
