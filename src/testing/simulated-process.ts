/**
 * One life of a process on shared simulated time: its timers can be held (SIGSTOP) and end with it.
 *
 * A process that has ended runs nothing any more; its successor is a new one on the same time.
 */
import type { Clock, Timer, Timers } from "../seam/index.ts";
import type { ManualTime } from "./manual-time.ts";

export class SimulatedProcess implements Clock, Timers {
  readonly #time: ManualTime;
  /** What came while it was paused, in order. */
  #held: (() => void)[] = [];
  #isPaused = false;
  #hasEnded = false;
  readonly #endRuns = new Set<() => void>();
  /** Added to the wall clock: how wrong this host's is. */
  wallOffsetMs = 0;
  /** Runs that had to wait for the process to go on. */
  heldRuns = 0;
  /** Times that the wall clock was looked at while it was wrong. */
  wrongWallReads = 0;
  #rate = 1;
  /** Where its monotonic clock stood when the rate was last set, and what time it was then. */
  #rateSet = { ownMs: 0, trueMs: 0 };

  constructor(time: ManualTime) {
    this.#time = time;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whole milliseconds, as hosts tell them. */
  wallMs(): number {
    if (this.wallOffsetMs !== 0) this.wrongWallReads += 1;
    return Math.floor(this.#time.wallMs() + this.wallOffsetMs);
  }

  monotonicMs(): number {
    const { ownMs, trueMs } = this.#rateSet;
    return ownMs + (this.#time.monotonicMs() - trueMs) * this.#rate;
  }

  /** Its clock runs this much faster than the true one from now on, its timers too: 1.01, 0.9. */
  setRate(rate: number): void {
    this.#rateSet = { ownMs: this.monotonicMs(), trueMs: this.#time.monotonicMs() };
    this.#rate = rate;
  }

  every(periodMs: number, run: () => void): Timer {
    let isCancelled = false;
    let isHeld = false;
    const timer = this.#time.every(
      () => periodMs / this.#rate,
      () => {
        if (this.#hasEnded) return timer.cancel();
        // One that comes due several times while the process stands still comes once.
        if (isHeld) return;
        isHeld = this.#isPaused;
        this.enter(() => {
          isHeld = false;
          if (!isCancelled) run();
        });
      },
    );
    const cancel = (): void => {
      isCancelled = true;
      timer.cancel();
    };
    return { cancel };
  }

  after(delayMs: number, run: () => void): Timer {
    let isCancelled = false;
    const timer = this.#time.after(delayMs / this.#rate, () => {
      this.enter(() => {
        if (!isCancelled) run();
      });
    });
    const cancel = (): void => {
      isCancelled = true;
      timer.cancel();
    };
    return { cancel };
  }

  soon(run: () => void): void {
    this.#time.soon(() => this.enter(run));
  }

  /** Runs something that comes from outside: at once, when it goes on, or never. */
  enter(run: () => void): void {
    if (this.#hasEnded) return;
    if (!this.#isPaused) return run();
    this.heldRuns += 1;
    this.#held.push(run);
  }

  /** Settles after a time; never when the process ends before. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** It stands still and knows nothing of it. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    const held = this.#held;
    this.#held = [];
    for (const run of held) this.#time.soon(() => this.enter(run));
  }

  /** Called when the process ends; at once when it has. Answers how to take it back. */
  onEnd(run: () => void): () => void {
    if (this.#hasEnded) run();
    else this.#endRuns.add(run);
    return () => this.#endRuns.delete(run);
  }

  /** Nothing that it planned runs any more. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#held = [];
    const runs = [...this.#endRuns];
    this.#endRuns.clear();
    for (const run of runs) run();
  }
}
