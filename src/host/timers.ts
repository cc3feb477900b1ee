import type { Timer, Timers } from "../seam/index.ts";

class TimeoutTimer implements Timer {
  readonly #handle: NodeJS.Timeout;

  constructor(handle: NodeJS.Timeout) {
    this.#handle = handle;
    handle.unref();
  }

  cancel(): void {
    // One call ends timeouts and intervals alike (Node's documentation of clearTimeout).
    clearTimeout(this.#handle);
  }
}

/** Node's timers. None keeps the process alive; `soon` runs after the input of this turn. */
export const systemTimers: Timers = {
  after: (delayMs, run) => new TimeoutTimer(setTimeout(run, delayMs)),
  every: (periodMs, run) => new TimeoutTimer(setInterval(run, periodMs)),
  soon: (run) => {
    setImmediate(run);
  },
};

/** The same, but a timer that was not cancelled keeps the process alive. */
export const holdingTimers: Timers = {
  after: (delayMs, run) => holding(setTimeout(run, delayMs)),
  every: (periodMs, run) => holding(setInterval(run, periodMs)),
  soon: systemTimers.soon,
};

function holding(handle: NodeJS.Timeout): Timer {
  return { cancel: () => clearTimeout(handle) };
}
