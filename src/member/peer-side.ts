/** The member as its peers meet it (seam/peers.ts): each call goes to the part that answers it. */
import { EtcdError, errors } from "../errors/index.ts";
import type {
  LeaseAnswer,
  LostMember,
  PeerHandler,
  PeerHash,
  PeerMember,
  PeerVersions,
  Receipt,
  SnapshotArrival,
  SnapshotFormat,
} from "../seam/index.ts";
import { type Message, MessageType } from "../wire/index.ts";
import type { RaftMember } from "./raft-member.ts";
import { promised } from "./replacements.ts";

export class PeerSide implements PeerHandler {
  readonly #member: RaftMember;
  readonly #serverVersion: string;

  constructor(member: RaftMember, serverVersion: string) {
    this.#member = member;
    this.#serverVersion = serverVersion;
  }

  get id(): bigint {
    return this.#member.id;
  }

  get clusterId(): bigint {
    return this.#member.clusterId;
  }

  receive(message: Message): Receipt {
    if (this.isRemoved(message.from)) return "senderRemoved";
    // Without its image the consensus would take what is not there.
    if (message.type === MessageType.SNAP) return "notForMe";
    return this.#member.driver.receive(message);
  }

  receiveSnapshot(arrival: SnapshotArrival): Promise<void> {
    return this.#member.snapshots.receive(arrival);
  }

  snapshotOffset(
    from: bigint,
    index: number,
    term: number,
    format?: SnapshotFormat,
  ): Promise<number> {
    return this.#member.snapshots.offset({ from, index, term, ...(format && { format }) });
  }

  isRemoved(id: bigint): boolean {
    return this.#member.local.machine.isRemovedMember(id);
  }

  members(): readonly PeerMember[] {
    return this.#member.members();
  }

  versions(): PeerVersions {
    const cluster = this.#member.clusterVersion ?? "not_decided";
    return { server: this.#serverVersion, cluster };
  }

  renewForPeer(leaseId: bigint): Promise<number> {
    return promised((waiter) => {
      if (!this.#member.leaseService.renewHere(leaseId, waiter))
        waiter.refused(errors.NotPrimaryLessor);
    });
  }

  leaseTimesForPeer(leaseId: bigint, withKeys: boolean): Promise<LeaseAnswer> {
    return promised((waiter) => {
      if (!this.#member.leaseService.timesHere(leaseId, withKeys, waiter)) {
        waiter.refused(errors.NotPrimaryLessor);
      }
    });
  }

  async promoteForPeer(learnerId: bigint): Promise<readonly PeerMember[]> {
    if (!this.#member.driver.isLeader) throw errors.NotLeader;
    const { members } = await promised<{ members: readonly PeerMember[] }>((waiter) =>
      this.#member.promoteMember(learnerId, waiter),
    );
    return members;
  }

  async hashKvForPeer(revision: number): Promise<PeerHash> {
    const outcome = await this.#member.hashKv(revision);
    if (outcome instanceof EtcdError) throw outcome;
    return { ...outcome, revision: this.#member.currentRevision };
  }

  replaceForPeer(lost: LostMember): Promise<readonly PeerMember[]> {
    return this.#member.replacements.replace(lost);
  }

  unreachable(id: bigint): void {
    this.#member.driver.unreachable(id);
  }

  snapshotSent(id: bigint, isFailure: boolean): void {
    this.#member.snapshots.sent(id, isFailure);
    this.#member.driver.snapshotSent(id, isFailure);
  }

  processGone(id: bigint): void {
    this.#member.cluster.elections.processGone(id);
  }

  removedByPeers(): void {
    this.#member.cluster.toldOfRemoval();
  }
}
