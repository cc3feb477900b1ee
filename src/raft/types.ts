/**
 * The words of the room: roles, options, what a step answers, and evidence.
 *
 * Messages, entries, hard state and configuration are the types of wire/. Read ready.ts next for
 * what a node hands out, and raw-node.ts for how it is driven.
 */
import type { Prng } from "../base/index.ts";
import { type Message, MessageType } from "../wire/index.ts";
import type { Storage } from "./storage.ts";

/** No member: nobody leads, or nobody got the vote. */
export const NONE = 0n;

/** Where StorageAppend goes: whoever makes hard state, entries and snapshots durable. */
export const APPEND_THREAD = 0xffff_ffff_ffff_ffffn;
/** Where StorageApply goes: whoever applies committed entries. */
export const APPLY_THREAD = 0xffff_ffff_ffff_fffen;

/**
 * What a node is at present. A pre-candidate asks whether it could win before it disturbs anybody
 * with a new term (thesis 9.6).
 */
export type Role = "follower" | "preCandidate" | "candidate" | "leader";

/**
 * How a leader proves that it still leads before it answers a read (thesis 6.4).
 *
 * `safe` asks a quorum in each round. `leaseBased` trusts the election timeout instead, and with it
 * that clocks run at about the same speed; it needs `checkQuorum`.
 */
export type ReadOnlyOption = "safe" | "leaseBased";

/**
 * Why a message or a request was not taken. A closed set of answers, never thrown:
 * `proposalDropped`: no leader, a leadership transfer, or the uncommitted log is full; try later.
 * `peerNotFound`: a response from someone who is not in the configuration.
 * `localMessage`: a message that only this node may make, or one in this node's own name.
 * `malformed`: contents that no correct member sends.
 */
export type StepResult = "ok" | "proposalDropped" | "peerNotFound" | "localMessage" | "malformed";

/**
 * Something that a correct member with an intact disk never shows. The node carries on as if the
 * message had not come; what to do about it is the driver's matter.
 */
export type Evidence =
  /**
   * The leader `from` says that `commit` is committed on this node, or its own hard state says so
   * (`from` is this node), but its log ends at `lastIndex`: this node lost what it acknowledged.
   */
  | {
      readonly kind: "commitBeyondLog";
      readonly from: bigint;
      readonly commit: number;
      readonly lastIndex: number;
    }
  /** The leader `from` sent an entry of `term` where one of `ownTerm` is committed here. */
  | {
      readonly kind: "conflictBelowCommit";
      readonly from: bigint;
      readonly index: number;
      readonly term: number;
      readonly ownTerm: number;
    }
  /** `from` acknowledged `index`, which this leader never wrote. */
  | {
      readonly kind: "ackBeyondLog";
      readonly from: bigint;
      readonly index: number;
      readonly lastIndex: number;
    }
  /** `from` acts as leader of the term that this node leads. */
  | { readonly kind: "secondLeader"; readonly from: bigint; readonly term: number };

/** A read that is safe at any applied index >= `index`; `context` is the caller's own. */
export interface ReadState {
  readonly index: number;
  readonly context: Buffer;
}

/** A message to APPEND_THREAD or APPLY_THREAD; `responses` go out once its work is done. */
export interface StorageMessage extends Message {
  readonly responses: Message[];
}

export function isStorageMessage(message: Message): message is StorageMessage {
  return message.type === MessageType.STORAGE_APPEND || message.type === MessageType.STORAGE_APPLY;
}

export interface RaftOptions {
  /** This member. Never 0n and none of the thread ids. */
  readonly id: bigint;
  readonly storage: Storage;
  /** Chooses election timeouts. */
  readonly prng: Prng;
  /**
   * Ticks without word from a leader before an election; the timeout is drawn anew from
   * [electionTimeoutTicks, 2 * electionTimeoutTicks) for each term (RA-01).
   */
  readonly electionTimeoutTicks: number;
  /** Ticks between a leader's heartbeats. Invariant: below `electionTimeoutTicks`. */
  readonly heartbeatTimeoutTicks: number;
  /** Index up to which the state machine is known to have applied; 0 = as far as the snapshot. */
  readonly appliedIndex?: number;
  /** Entry bytes in one append message; at least one entry always goes. */
  readonly appendBytesMax: number;
  /** Entry bytes handed out for applying, not yet reported applied. 0 = `appendBytesMax`. */
  readonly applyingBytesMax?: number;
  /** Payload bytes of the uncommitted tail. Beyond: proposals are dropped. 0 = no limit. */
  readonly uncommittedBytesMax?: number;
  /** Append messages on their way to one follower. Beyond: sending to it pauses. */
  readonly inflightMessagesMax: number;
  /** Payload bytes on their way to one follower. 0 = no limit. */
  readonly inflightBytesMax?: number;
  /** Reads waiting for their round. Beyond: further ones are dropped, and the caller retries. */
  readonly pendingReadsMax?: number;
  /** Step down when no quorum was heard for an election timeout; refuse votes while a leader is. */
  readonly checkQuorum?: boolean;
  readonly preVote?: boolean;
  readonly readOnly?: ReadOnlyOption;
  /** Tells this run's reads from those of any other run: random, given once per start. */
  readonly readEpoch: bigint;
  /** Durable writes and applying are reported by messages instead of `advance()`. */
  readonly asyncStorageWrites?: boolean;
  /**
   * A moved commit index goes out with the next entries, and by itself only when the driver says
   * so (`shareCommit`): half the messages under load. With heartbeats it goes in any case.
   */
  readonly gatherCommits?: boolean;
  /** Followers drop proposals instead of passing them to the leader. */
  readonly disableProposalForwarding?: boolean;
  /** Lets configuration changes into the log that do not fit the present configuration. */
  readonly disableConfChangeValidation?: boolean;
  /** A leader that removes itself, or becomes a learner, steps down at once. */
  readonly stepDownOnRemoval?: boolean;
}

/** What etcd runs with (RA-01, RA-02), for a heartbeat interval that is one tick. */
export const ETCD_RAFT_OPTIONS = {
  electionTimeoutTicks: 10,
  heartbeatTimeoutTicks: 1,
  appendBytesMax: 1024 * 1024,
  inflightMessagesMax: 512,
  checkQuorum: true,
  preVote: true,
  readOnly: "safe",
} as const;

export const PENDING_READS_MAX = 4096;
/** Evidence kept between two Readys; more of it says nothing new. */
export const EVIDENCE_MAX = 16;
