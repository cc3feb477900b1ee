/** Wall and monotonic time. Rooms below floor 6 never see it: they are handed `nowMs` values. */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump. For stamps shown to people and for ids. */
  wallMs(): number;
  /** Milliseconds from an arbitrary start; never goes back. For timeouts and leases. */
  monotonicMs(): number;
}

export interface Timer {
  cancel(): void;
}

export interface Timers {
  /** Calls `run` once, `delayMs` from now or later. Does not keep the process alive. */
  after(delayMs: number, run: () => void): Timer;
  every(periodMs: number, run: () => void): Timer;
  /** Calls `run` after the input of the current turn of the event loop was handled. */
  soon(run: () => void): void;
}
