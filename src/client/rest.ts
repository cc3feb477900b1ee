import type { Timer, Timers } from "../seam/index.ts";
import { RETRY_MS_MAX, RETRY_MS_MIN } from "./limits.ts";

/** Rests between attempts, each twice as long as the one before, until something succeeds. */
export class Rest {
  readonly #timers: Timers;
  readonly #jitter: (ms: number) => number;
  #taken = 0;
  #timer: Timer | undefined = undefined;
  #wake: () => void = () => undefined;

  constructor(timers: Timers, jitter: (ms: number) => number) {
    this.#timers = timers;
    this.#jitter = jitter;
  }

  /** Resolves after the next rest, or at once when `end` is called. */
  take(): Promise<void> {
    const restMs = Math.min(RETRY_MS_MIN * 2 ** this.#taken, RETRY_MS_MAX);
    this.#taken = Math.min(this.#taken + 1, 16);
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#timer = this.#timers.after(this.#jitter(restMs), resolve);
    });
  }

  /** The next rest is a short one again. */
  reset(): void {
    this.#taken = 0;
  }

  /** Ends the rest that is being taken. */
  end(): void {
    this.#timer?.cancel();
    this.#wake();
  }
}
