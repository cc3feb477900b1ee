/**
 * Writes each connection's output once, however many calls were answered by what runs at present:
 * the input of a connection, or a batch of entries that was applied. Right after it, a microtask:
 * waiting for the event loop to come round would cost an answer as much as making it.
 */

export interface Flushable {
  flush(): void;
}

export class FlushQueue {
  readonly #run = (): void => this.flushNow();
  readonly #afterThis: (run: () => void) => void;
  #waiting: Flushable[] = [];

  /** `afterThis` calls a function once the present callback has run. */
  constructor(afterThis: (run: () => void) => void = queueMicrotask) {
    this.#afterThis = afterThis;
  }

  /**
   * `flushable.flush()` will be called when the present callback has run: once, by its care.
   */
  add(flushable: Flushable): void {
    if (this.#waiting.length === 0) this.#afterThis(this.#run);
    this.#waiting.push(flushable);
  }

  /**
   * For who knows that its batch is complete: the same, without waiting for its end.
   */
  flushNow(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const flushable of waiting) flushable.flush();
  }
}
