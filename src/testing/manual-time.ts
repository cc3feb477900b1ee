/** Time that moves only when a test says so: a Clock and Timers of one instant. */
import type { Clock, Timer, Timers } from "../seam/index.ts";

interface Due {
  atMs: number;
  readonly order: number;
  readonly periodMs: number | undefined;
  readonly run: () => void;
}

export class ManualTime implements Clock, Timers {
  #nowMs: number;
  #order = 0;
  #due: Due[] = [];
  #soon: (() => void)[] = [];

  constructor(startMs = 1_000_000) {
    this.#nowMs = startMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#add(delayMs, undefined, run);
  }

  every(periodMs: number, run: () => void): Timer {
    return this.#add(periodMs, periodMs, run);
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  #add(delayMs: number, periodMs: number | undefined, run: () => void): Timer {
    this.#order += 1;
    const due = { atMs: this.#nowMs + delayMs, order: this.#order, periodMs, run };
    this.#due.push(due);
    return { cancel: () => (this.#due = this.#due.filter((other) => other !== due)) };
  }

  /** Forgets all that was planned: what a crash does to it. */
  crash(): void {
    this.#due = [];
    this.#soon = [];
  }

  /**
   * Runs what was put off to the end of the turn, and what that puts off, until nothing is left.
   */
  turn(): void {
    while (this.#soon.length > 0) {
      const runs = this.#soon;
      this.#soon = [];
      for (const run of runs) run();
    }
  }

  /** Moves time on, running everything due in its order, each at its own instant. */
  advance(byMs: number): void {
    const endMs = this.#nowMs + byMs;
    this.turn();
    for (;;) {
      const next = this.#due
        .filter((due) => due.atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (next === undefined) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      if (next.periodMs === undefined) this.#due = this.#due.filter((due) => due !== next);
      else next.atMs += next.periodMs;
      next.run();
      this.turn();
    }
    this.#nowMs = endMs;
  }
}
