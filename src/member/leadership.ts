/**
 * Who leads, as far as this member knows, and since when; and what a request is told that waited in
 * vain (FR-08): whether a leader was lost, the connection to it, or just time.
 */
import { type EtcdError, errors } from "../errors/index.ts";
import { NONE } from "../raft/index.ts";

export interface LeadershipOptions {
  readonly id: bigint;
  readonly electionTimeoutMs: number;
  /** As PeerNetwork's. */
  readonly connectedSinceMs: (id: bigint) => number | undefined;
  readonly voters: () => readonly bigint[];
}

export class Leadership {
  readonly #options: LeadershipOptions;
  readonly #listeners = new Set<(leader: bigint) => void>();
  #leader = NONE;
  #electedAtMs = Number.NEGATIVE_INFINITY;
  /** etcd_server_leader_changes_seen_total. */
  changes = 0;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  get leader(): bigint {
    return this.#leader;
  }

  onChange(run: (leader: bigint) => void): () => void {
    this.#listeners.add(run);
    return () => void this.#listeners.delete(run);
  }

  update(leader: bigint, nowMs: number): void {
    if (leader === this.#leader) return;
    this.#leader = leader;
    if (leader !== NONE) {
      this.changes += 1;
      this.#electedAtMs = nowMs;
    }
    for (const run of this.#listeners) run(leader);
  }

  /** For a request of `atMs` whose time is up. */
  timeoutError(atMs: number): EtcdError {
    const { id, electionTimeoutMs, connectedSinceMs } = this.#options;
    const leaderLostMs = this.#electedAtMs - 2 * electionTimeoutMs;
    if (atMs > leaderLostMs && atMs < this.#electedAtMs) return errors.TimeoutDueToLeaderFail;
    if (this.#leader === NONE) return errors.Timeout;
    const isConnected =
      this.#leader === id
        ? this.#hasQuorumSince(atMs)
        : (connectedSinceMs(this.#leader) ?? Number.POSITIVE_INFINITY) <= atMs;
    return isConnected ? errors.Timeout : errors.TimeoutDueToConnectionLost;
  }

  #hasQuorumSince(atMs: number): boolean {
    const { id, connectedSinceMs, voters } = this.#options;
    const all = voters();
    const connected = all.filter(
      (voter) => voter === id || (connectedSinceMs(voter) ?? Number.POSITIVE_INFINITY) <= atMs,
    );
    return connected.length > all.length / 2;
  }
}
