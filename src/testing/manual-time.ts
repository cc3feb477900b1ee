/** Time that moves only when a test says so: a Clock and Timers of one instant. */
import { Heap } from "../base/index.ts";
import type { Clock, Timer, Timers } from "../seam/index.ts";

interface Due {
  atMs: number;
  readonly order: number;
  /** Asked anew each time, since a clock may drift. */
  readonly periodMs: (() => number) | undefined;
  readonly run: () => void;
  position: number;
}

function newQueue(): Heap<Due> {
  return new Heap({
    before: (a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order),
    positionOf: (due) => due.position,
    place: (due, position) => {
      due.position = position;
    },
  });
}

export class ManualTime implements Clock, Timers {
  #nowMs: number;
  #order = 0;
  #due = newQueue();
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

  /** When the next timer is due; undefined = none is planned. */
  get nextDueMs(): number | undefined {
    return this.#due.peek()?.atMs;
  }

  /** Whether something was put off to the end of the turn. */
  get hasSoon(): boolean {
    return this.#soon.length > 0;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#add(delayMs, undefined, run);
  }

  every(periodMs: number | (() => number), run: () => void): Timer {
    const period = typeof periodMs === "number" ? () => periodMs : periodMs;
    return this.#add(period(), period, run);
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  #add(delayMs: number, periodMs: (() => number) | undefined, run: () => void): Timer {
    this.#order += 1;
    const due = { atMs: this.#nowMs + delayMs, order: this.#order, periodMs, run, position: -1 };
    this.#due.push(due);
    return { cancel: () => this.#due.remove(due) };
  }

  /** Forgets all that was planned: what a crash does to it. */
  crash(): void {
    this.#due.clear();
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
      const next = this.#due.peek();
      if (next === undefined || next.atMs > endMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      if (next.periodMs === undefined) {
        this.#due.remove(next);
      } else {
        next.atMs += next.periodMs();
        this.#due.update(next);
      }
      next.run();
      this.turn();
    }
    this.#nowMs = endMs;
  }
}
