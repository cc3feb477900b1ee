/**
 * The members of one cluster to each other: `PeerNetwork` is what a member asks of the network
 * (peer/ speaks rafthttp; a simulator moves the messages itself), `PeerHandler` is what the network
 * tells a member. Source: surface 15.
 */
import type { Counter, Histogram } from "../base/index.ts";
import type { Message } from "../wire/index.ts";

/**
 * What travels: a bbolt file, which every member takes, or the store's own file with its key index,
 * which members of our own kind take.
 */
export type SnapshotFormat = "bbolt" | "store";

/** A consistent image of the whole store, made while it is read. */
export interface SnapshotImage {
  /** Missing = "bbolt". */
  readonly format?: SnapshotFormat;
  readonly sizeBytes: number;
  /**
   * The bytes from `offset` to the end. Those of a bbolt file are the same each time; those of a
   * store's own file may differ where the store does not use them. Chunks belong to the receiver.
   */
  read(offset: number): AsyncIterable<Buffer>;
  /** Called once by whoever was given the image, when it is sent or given up. */
  close(): void;
}

export interface LeaseAnswer {
  /** -1 = unknown lease. */
  readonly ttlSeconds: number;
  readonly grantedTtlSeconds: number;
  /** One-byte strings, sorted. */
  readonly keys: readonly string[];
}

/** A row of `/members` (surface 15.5). */
export interface PeerMember {
  readonly id: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

export interface PeerVersions {
  /** "3.7.1" */
  readonly server: string;
  /** "3.7.0", or "not_decided". */
  readonly cluster: string;
}

export interface PeerHash {
  readonly hash: number;
  readonly revision: number;
  readonly compactRevision: number;
  readonly hashRevision: number;
}

/** A member that lost what it had promised, and would come back under another id. */
export interface LostMember {
  readonly id: bigint;
  readonly peerUrls: readonly string[];
}

/**
 * Nothing here blocks or throws for a peer's fault. Questions reject with an EtcdError when the
 * peer refused with a known one, with a plain Error when it could not be asked.
 */
export interface PeerNetwork {
  /** Keeps connections to a member from now on. */
  add(id: bigint, urls: readonly string[]): void;
  update(id: bigint, urls: readonly string[]): void;
  /** Forgets a member: its streams are closed, and it is told 410 when it comes again. */
  remove(id: bigint): void;
  /**
   * Sends to `message.to`, in order per peer and kind. When the peer's queue is full or nothing
   * leads to it, the message is dropped and the handler told `unreachable`. The message is encoded
   * before this returns.
   */
  send(message: Message): void;
  /** What was sent leaves now, rather than at the end of the turn of the event loop. */
  flush(): void;
  /** Sends MsgSnap with its image; the outcome comes as `snapshotSent`. Takes over the image. */
  sendSnapshot(message: Message, image: SnapshotImage): void;
  /** Whether the member takes a store's own file as a snapshot. Missing = none is known to. */
  takesStores?(id: bigint): boolean;
  /** Monotonic ms since when messages flow to the member; undefined = they do not. */
  connectedSinceMs(id: bigint): number | undefined;
  versions(id: bigint): Promise<PeerVersions>;
  keepAlive(id: bigint, leaseId: bigint): Promise<number>;
  leaseTimes(id: bigint, leaseId: bigint, withKeys: boolean): Promise<LeaseAnswer>;
  promote(id: bigint, learnerId: bigint): Promise<readonly PeerMember[]>;
  hashKv(id: bigint, revision: number): Promise<PeerHash>;
  /** Missing = nobody can be asked. */
  replace?(id: bigint, lost: LostMember): Promise<readonly PeerMember[]>;
  /** Hands over what is queued for at most a moment, then ends all connections. */
  close(): Promise<void>;
}

/** What became of a message that came in. */
export type Receipt = "taken" | "notForMe" | "senderRemoved";

export interface SnapshotArrival {
  readonly message: Message;
  /** Missing = "bbolt". */
  readonly format?: SnapshotFormat;
  /** Where in the file `chunks` begins: what `snapshotOffset` answered, or 0. */
  readonly offset: number;
  readonly chunks: AsyncIterable<Buffer>;
  /** SHA-256 of the whole file, known after the last chunk; undefined from an etcd member. */
  sha256(): Buffer | undefined;
}

/** The member as its peers meet it. */
export interface PeerHandler {
  readonly id: bigint;
  readonly clusterId: bigint;
  /** Takes over the message and its buffers. */
  receive(message: Message): Receipt;
  /** Settles when the file is kept and the consensus has been told; rejects when it is refused. */
  receiveSnapshot(arrival: SnapshotArrival): Promise<void>;
  /** Bytes already here of a snapshot that broke off: the sender may go on from there. */
  snapshotOffset(
    from: bigint,
    index: number,
    term: number,
    format?: SnapshotFormat,
  ): Promise<number>;
  isRemoved(id: bigint): boolean;
  members(): readonly PeerMember[];
  versions(): PeerVersions;
  /** As the leader (LE-04, PE-09). Rejects with an EtcdError, `NotPrimaryLessor` elsewhere. */
  renewForPeer(leaseId: bigint): Promise<number>;
  leaseTimesForPeer(leaseId: bigint, withKeys: boolean): Promise<LeaseAnswer>;
  promoteForPeer(learnerId: bigint): Promise<readonly PeerMember[]>;
  hashKvForPeer(revision: number): Promise<PeerHash>;
  /** As the leader; rejects with `NotLeader` elsewhere. Answers all members. */
  replaceForPeer(lost: LostMember): Promise<readonly PeerMember[]>;
  /** The last message to a member did not go. */
  unreachable(id: bigint): void;
  snapshotSent(id: bigint, isFailure: boolean): void;
  /** Its host answers and nothing listens there any more: the process is gone. */
  processGone(id: bigint): void;
  /** A peer answered 410: this member was removed from the cluster (PE-20). */
  removedByPeers(): void;
}

/** Of one other member, since the start; its row stays while the member is known. */
export interface PeerMeasures {
  readonly id: bigint;
  /** A stream is up, in either direction. */
  readonly isActive: boolean;
  /** Up now: two that we have dialled and two that it has. */
  readonly streams: number;
  readonly sentBytes: Counter;
  readonly receivedBytes: Counter;
  readonly sentFailures: Counter;
  readonly receivedFailures: Counter;
  /** Times that it was active and ceased to be. */
  readonly disconnects: Counter;
  readonly roundTripSeconds: Histogram;
  /** Its clock minus ours, seconds, as the last probe saw it; undefined before the first. */
  readonly clockDifferenceSeconds: number | undefined;
  readonly snapshotsSent: Counter;
  readonly snapshotSendFailures: Counter;
  readonly snapshotSendSeconds: Histogram;
  readonly snapshotsBeingSent: number;
  readonly snapshotsReceived: Counter;
  readonly snapshotReceiveFailures: Counter;
  readonly snapshotReceiveSeconds: Histogram;
  readonly snapshotsBeingReceived: number;
}
