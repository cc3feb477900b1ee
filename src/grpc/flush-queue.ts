/** Writes each connection's output once a turn, however many calls were answered in it. */
import type { Timers } from "../seam/index.ts";

export interface Flushable {
  flush(): void;
}

export class FlushQueue {
  readonly #timers: Timers;
  readonly #run = (): void => this.flushNow();
  #waiting: Flushable[] = [];

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /**
   * `flushable.flush()` will be called at the end of this turn. Once a turn, by its owner's care.
   */
  add(flushable: Flushable): void {
    if (this.#waiting.length === 0) this.#timers.soon(this.#run);
    this.#waiting.push(flushable);
  }

  /**
   * For who knows that its batch is complete: the same, without waiting for the end of the turn.
   */
  flushNow(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const flushable of waiting) flushable.flush();
  }
}
