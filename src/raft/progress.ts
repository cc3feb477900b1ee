/** What a leader knows of one member's log, and how it sends to it. */
import { assert } from "../base/index.ts";
import { Inflights } from "./inflights.ts";

/**
 * How the leader sends to a member:
 * `probe`: one message at a time until the place where the logs meet is found;
 * `replicate`: a pipeline, as far as the inflight limits let it;
 * `snapshot`: nothing but the snapshot that is on its way.
 */
export type ProgressState = "probe" | "replicate" | "snapshot";

export interface ProgressOptions {
  readonly next: number;
  readonly isLearner: boolean;
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
}

/**
 * The leader's view of one member's log (thesis 3.5; pipelining 10.2.1).
 *
 * Invariant: `match < next`. In `snapshot`, `next === pendingSnapshot + 1`, or it was acknowledged
 * further. In `probe` at most one message with entries is out; entries of `(match, next)` are in
 * flight in `replicate`.
 */
export class Progress {
  state: ProgressState = "probe";
  isLearner: boolean;
  /** Heard from since the quorum was last checked. */
  isRecentlyActive = false;
  /** Index of the snapshot on its way; 0 when none is. */
  pendingSnapshot = 0;
  /** Highest commit index that was sent in an append or heartbeat. Invariant: below `next`. */
  sentCommit = 0;
  readonly inflights: Inflights;
  /** Set while sending waits for an answer; any answer or heartbeat response clears it. */
  isFlowPaused = false;
  #match = 0;
  #next: number;

  constructor(options: ProgressOptions) {
    this.#next = options.next;
    this.isLearner = options.isLearner;
    this.inflights = new Inflights(options.inflightMessagesMax, options.inflightBytesMax);
  }

  /** Highest index known to be durable on the member. */
  get match(): number {
    return this.#match;
  }

  /** Next index to send. */
  get next(): number {
    return this.#next;
  }

  get isPaused(): boolean {
    return this.state === "snapshot" || this.isFlowPaused;
  }

  /** Starts anew when a term begins. */
  restart(match: number, next: number): void {
    assert(match < next, "progress: match must stay below next");
    this.#enter("probe");
    this.#match = match;
    this.#next = next;
    this.sentCommit = 0;
    this.isRecentlyActive = false;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.isFlowPaused = false;
    this.pendingSnapshot = 0;
    this.inflights.reset();
  }

  becomeProbe(): void {
    // After a snapshot the member is expected to hold it; if not, the first probe will tell.
    const floor = this.state === "snapshot" ? Math.max(this.#match, this.pendingSnapshot) : 0;
    this.#enter("probe");
    this.#next = Math.max(this.#match, floor) + 1;
    this.#capSentCommit();
  }

  /**
   * What the member acknowledged counts no more; where its log may meet ours is kept. Behind 0,
   * which is all that a new leader knows it to hold, it would need a whole store.
   */
  forget(): void {
    const next = this.state === "replicate" ? this.#match + 1 : this.#next;
    this.#enter("probe");
    this.#match = 0;
    this.#next = next;
    this.#capSentCommit();
  }

  becomeReplicate(): void {
    this.#enter("replicate");
    this.#next = this.#match + 1;
  }

  becomeSnapshot(index: number): void {
    this.#enter("snapshot");
    this.pendingSnapshot = index;
    this.#next = Math.max(this.#match, index) + 1;
    this.sentCommit = index;
  }

  #capSentCommit(): void {
    if (this.sentCommit >= this.#next) this.sentCommit = this.#next - 1;
  }

  /** Notes that `count` entries from `next` on were sent. */
  sent(count: number, bytes: number): void {
    assert(this.state !== "snapshot", "progress: entries sent while a snapshot is on its way");
    if (this.state === "probe") {
      if (count > 0) this.isFlowPaused = true;
      return;
    }
    if (count > 0) {
      this.#next += count;
      this.inflights.add(this.#next - 1, bytes);
    }
    // The message that fills the window is also the probe that a silent follower gets.
    this.isFlowPaused = this.inflights.isFull;
  }

  /** Whether telling the member that `index` is committed can move its commit index. */
  canRaiseCommit(index: number): boolean {
    return index > this.sentCommit && this.sentCommit < this.#next - 1;
  }

  /** Records an acknowledgement; late and repeated ones are normal. Whether `match` moved. */
  acknowledge(index: number): boolean {
    if (index <= this.#match) return false;
    this.#match = index;
    if (index >= this.#next) this.#next = index + 1;
    this.isFlowPaused = false;
    return true;
  }

  /**
   * Steps back after the member refused an append at `rejected`; `hint` is where its log may match.
   * Returns whether the refusal was news: a late one says nothing about what was sent since.
   */
  stepBack(rejected: number, hint: number): boolean {
    if (this.state === "replicate") {
      if (rejected <= this.#match) return false;
      this.#next = this.#match + 1;
    } else {
      if (this.#next - 1 !== rejected) return false;
      this.#next = Math.max(Math.min(rejected, hint + 1), this.#match + 1);
      this.isFlowPaused = false;
    }
    this.#capSentCommit();
    return true;
  }
}
