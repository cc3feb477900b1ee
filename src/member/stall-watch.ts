/**
 * Whether the ticks of the consensus come in time. A leader that was held up, by a stopped process
 * or a blocked loop, may have been replaced without having heard of it: until a round of reads says
 * that it still leads, it does nothing in that role that needs no other member (LE-04).
 */
import type { Clock } from "../seam/index.ts";
import type { Waiter } from "./types.ts";

export interface StallWatchOptions {
  readonly clock: Clock;
  readonly heartbeatMs: number;
  readonly isLeader: () => boolean;
  readonly readIndex: (waiter: Waiter<void>) => void;
}

/** Heartbeats without a tick after which another may lead; etcd's measure. */
const STALL_HEARTBEATS = 3;

export class StallWatch {
  readonly #options: StallWatchOptions;
  #tickedAtMs: number;
  /** Counts stalls; up to which of them this member has proven since that it leads. */
  #stalls = 0;
  #provenStalls = 0;
  #isProving = false;
  /** Heartbeats of this leader that went out late: etcd_server_heartbeat_send_failures_total. */
  lateTicks = 0;

  constructor(options: StallWatchOptions) {
    this.#options = options;
    this.#tickedAtMs = options.clock.monotonicMs();
  }

  /** With each heartbeat, before the consensus has its tick. */
  ticked(): void {
    const { clock, heartbeatMs, isLeader } = this.#options;
    const nowMs = clock.monotonicMs();
    const passedMs = nowMs - this.#tickedAtMs;
    this.#tickedAtMs = nowMs;
    if (!isLeader()) {
      this.#provenStalls = this.#stalls;
      return;
    }
    if (passedMs > 2 * heartbeatMs) this.lateTicks += 1;
    if (passedMs > STALL_HEARTBEATS * heartbeatMs) this.#stalls += 1;
    if (this.#provenStalls < this.#stalls && !this.#isProving) this.#prove();
  }

  /** Another member may lead by now. */
  get isInDoubt(): boolean {
    const { clock, heartbeatMs } = this.#options;
    const isHeldUp = clock.monotonicMs() - this.#tickedAtMs > STALL_HEARTBEATS * heartbeatMs;
    return isHeldUp || this.#provenStalls < this.#stalls;
  }

  /** What is proven is as of the question: a stall after it is another matter. */
  #prove(): void {
    const stalls = this.#stalls;
    this.#isProving = true;
    this.#options.readIndex({
      done: () => {
        this.#isProving = false;
        this.#provenStalls = Math.max(this.#provenStalls, stalls);
      },
      refused: () => {
        this.#isProving = false;
      },
    });
  }
}
