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
