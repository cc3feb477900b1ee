/** Slows a long piece of work down to a rate, and ends it when the member closes. */
import type { Clock, Timers } from "../seam/index.ts";
import { BackupStopped } from "./errors.ts";
import { BYTES_PER_SECOND_MAX } from "./limits.ts";

export class Pace {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #bytesPerSecond: number;
  /** Until then what was done so far has used up its time. */
  #busyUntilMs = 0;
  #isStopped = false;

  constructor(
    { clock, timers }: { readonly clock: Clock; readonly timers: Timers },
    bytesPerSecond = BYTES_PER_SECOND_MAX,
  ) {
    this.#clock = clock;
    this.#timers = timers;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Call it after each part of the work. Rejects with BackupStopped once `stop` was called. */
  async spend(bytes: number): Promise<void> {
    if (this.#isStopped) throw new BackupStopped();
    const nowMs = this.#clock.monotonicMs();
    this.#busyUntilMs = Math.max(this.#busyUntilMs, nowMs) + (bytes / this.#bytesPerSecond) * 1000;
    const waitMs = this.#busyUntilMs - nowMs;
    if (waitMs < 1) return;
    await new Promise<void>((resolve) => this.#timers.after(waitMs, resolve));
    if (this.#isStopped) throw new BackupStopped();
  }

  stop(): void {
    this.#isStopped = true;
  }
}
