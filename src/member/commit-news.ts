/**
 * Who is told, and when, that entries of this leader's log are committed: with the next entries, at
 * once where somebody waits, and of a change of the configuration not before the disk knows.
 */
import type { RawNode } from "../raft/index.ts";
import type { Timers } from "../seam/index.ts";
import type { Message } from "../wire/index.ts";
import { SHARE_COMMIT_MS } from "./limits.ts";

export interface CommitNewsOptions {
  readonly node: RawNode;
  readonly timers: Timers;
  /** The node has something to send. */
  readonly wake: () => void;
}

export class CommitNews {
  readonly #options: CommitNewsOptions;
  /** Entries in this range of the log are waited for by followers' clients; 0 = none. */
  #firstAwaited = 0;
  #lastAwaited = 0;
  #isSharePlanned = false;
  /** Nobody is told yet that this index is committed, or any after it. */
  #heldFrom = Number.POSITIVE_INFINITY;

  constructor(options: CommitNewsOptions) {
    this.#options = options;
  }

  /**
   * That the newest entries are committed must reach the others at once: clients of theirs wait, or
   * the change is about them (one that removes a member is the last that it hears).
   */
  awaitNewest(): void {
    const { raft } = this.#options.node;
    if (raft.role !== "leader") return;
    this.#lastAwaited = raft.log.lastIndex();
    if (this.#firstAwaited === 0) this.#firstAwaited = this.#lastAwaited;
  }

  /**
   * Followers learn of a new commit index with the next entries, or a moment later; at once when
   * clients of theirs wait for it. On its own it costs each of them a message and an answer.
   */
  share(): void {
    const { node, timers, wake } = this.#options;
    if (!node.hasUnsharedCommit) return;
    const { committed } = node.raft.log;
    if (this.#firstAwaited !== 0 && committed >= this.#firstAwaited) {
      this.#firstAwaited = this.#lastAwaited > committed ? committed + 1 : 0;
      node.shareCommit();
    } else if (!this.#isSharePlanned) {
      this.#isSharePlanned = true;
      timers.after(SHARE_COMMIT_MS, () => {
        this.#isSharePlanned = false;
        node.shareCommit(committed);
        wake();
      });
    }
  }

  /* Changes of the configuration (decision 0033) */

  /** `commit` needs to be durable, and `durable` to be called then. */
  get isHeld(): boolean {
    return this.#heldFrom !== Number.POSITIVE_INFINITY;
  }

  /** The commit index moved. On the disk it is `durableCommit`. */
  committed(commit: number, durableCommit: number): void {
    const index = this.#options.node.raft.pendingConfIndex;
    if (index <= durableCommit || index > commit || this.isHeld) return;
    this.#heldFrom = index;
  }

  /** Makes a message that is about to go say no more than may be said. */
  limit(message: Message): void {
    if (message.commit >= this.#heldFrom) message.commit = this.#heldFrom - 1;
  }

  /** The disk knows that this much is committed. */
  durable(commit: number): void {
    if (commit < this.#heldFrom) return;
    this.#options.node.tellCommitAgain(this.#heldFrom);
    this.#heldFrom = Number.POSITIVE_INFINITY;
    this.#options.wake();
  }
}
