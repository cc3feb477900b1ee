/**
 * Whole stores to and from other members: an image for a follower that is too far behind, and the
 * leader's image in place of our own store (thesis 5.1, RA-05, PE-04).
 */
import { openImage } from "../datadir/index.ts";
import type { Logger, SnapshotArrival, Timers } from "../seam/index.ts";
import type { Message, Snapshot } from "../wire/index.ts";
import type { RaftMember } from "./raft-member.ts";

export interface SnapshotsOptions {
  readonly member: RaftMember;
  readonly timers: Timers;
  readonly logger: Logger;
}

export class Snapshots {
  readonly #options: SnapshotsOptions;
  /** Members to which one is on its way. */
  readonly #sending = new Set<bigint>();
  #isInstalling = false;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  get isInstalling(): boolean {
    return this.#isInstalling;
  }

  send(message: Message): void {
    void this.#send(message);
  }

  /** The image may be newer than the state that the consensus named: so is the message then. */
  async #send(message: Message): Promise<void> {
    const { member, timers, logger } = this.#options;
    const { to } = message;
    this.#sending.add(to);
    member.logHold.hold();
    try {
      const { backend } = member.local;
      const { image, applied } = await openImage({ backend, timers });
      const metadata = { ...applied, confState: member.confStateAt(applied.index) };
      const snapshot = { data: Buffer.alloc(0), metadata };
      member.network.sendSnapshot({ ...message, snapshot }, image);
    } catch (error) {
      logger.error("cannot make a snapshot of the store", {
        error: error instanceof Error ? error.message : String(error),
      });
      this.sent(to);
      member.driver.snapshotSent(to, true);
    }
  }

  /** The network is done with it, either way. */
  sent(to: bigint): void {
    if (this.#sending.delete(to)) this.#options.member.logHold.unhold();
  }

  async receive(_arrival: SnapshotArrival): Promise<void> {
    throw new Error("snapshots cannot be taken yet");
  }

  offset(_from: bigint, _index: number, _term: number): Promise<number> {
    return Promise.resolve(0);
  }

  async install(_snapshot: Snapshot): Promise<void> {
    this.#isInstalling = true;
    throw new Error("snapshots cannot be taken yet");
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
