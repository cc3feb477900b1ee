/** Reads that wait until a quorum confirms that the leader still leads (thesis 6.4). */
import type { Message } from "../wire/index.ts";
import { type Acknowledged, jointCommitted, type JointVoters } from "./quorum.ts";

/** A read to answer: `request` is the message that asked, `index` what its state must reach. */
export interface ConfirmedRead {
  readonly request: Message;
  readonly index: number;
}

const CONTEXT_BYTES = 24;
const REQUEST_BYTES = 16;

/**
 * A context for `RawNode.readIndex` that never repeats: the epoch of this run and a sequence that
 * counts up. An etcd leader before 3.7 takes two reads of one context for the same read.
 */
export function readRequestContext(epoch: bigint, sequence: number): Buffer {
  const context = Buffer.allocUnsafe(REQUEST_BYTES);
  context.writeBigUInt64BE(BigInt.asUintN(64, epoch), 0);
  context.writeBigUInt64BE(BigInt(sequence), 8);
  return context;
}

/** The sequence of a ReadState's context; undefined when it is not of this epoch. */
export function readRequestSequence(epoch: bigint, context: Buffer): number | undefined {
  if (context.length !== REQUEST_BYTES) return undefined;
  if (context.readBigUInt64BE(0) !== BigInt.asUintN(64, epoch)) return undefined;
  return Number(context.readBigUInt64BE(8));
}

/**
 * Rounds of reads. Each request opens a round; its number goes out with the heartbeats and comes
 * back with the answers. An answer to a round confirms all rounds before it as well.
 *
 * A context is (epoch, term, round): the epoch is random for each start of the program, the term
 * belongs to one leader, and rounds count up. So an answer that was delayed, or was meant for an
 * earlier leadership or an earlier run of this member, never confirms a read of now, whatever ids
 * the callers choose for their requests.
 *
 * Invariant: `#pending` is in ascending order of rounds; its length is at most `#pendingMax`.
 */
export class ReadOnly implements Acknowledged {
  readonly #id: bigint;
  readonly #epoch: bigint;
  readonly #pendingMax: number;
  #term = 0;
  #round = 0;
  #context: Buffer = Buffer.alloc(0);
  #pending: { readonly round: number; readonly read: ConfirmedRead }[] = [];
  /** Highest round each member has answered. */
  readonly #answered = new Map<bigint, number>();

  constructor(options: {
    readonly id: bigint;
    readonly epoch: bigint;
    readonly pendingMax: number;
  }) {
    this.#id = options.id;
    this.#epoch = options.epoch;
    this.#pendingMax = options.pendingMax;
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  get isFull(): boolean {
    return this.#pending.length >= this.#pendingMax;
  }

  /** Forgets all reads: their askers hear of the change of leader and ask again. */
  reset(term: number): void {
    this.#term = term;
    this.#pending = [];
    this.#answered.clear();
    this.#context = Buffer.alloc(0);
  }

  /** Opens a round for `request`, at the commit index of now. Refuses when full. */
  add(index: number, request: Message): boolean {
    if (this.isFull) return false;
    this.#round += 1;
    this.#pending.push({ round: this.#round, read: { request, index } });
    const context = Buffer.allocUnsafe(CONTEXT_BYTES);
    context.writeBigUInt64BE(BigInt.asUintN(64, this.#epoch), 0);
    context.writeBigUInt64BE(BigInt(this.#term), 8);
    context.writeBigUInt64BE(BigInt(this.#round), 16);
    this.#context = context;
    return true;
  }

  /** What heartbeats carry: the newest round's context, empty when nothing waits. */
  heartbeatContext(): Buffer {
    return this.#context;
  }

  /** Notes an answer. Contexts that are not of this epoch and term are left aside. */
  noteAnswer(from: bigint, context: Buffer): void {
    if (context.length !== CONTEXT_BYTES || this.#pending.length === 0) return;
    // Epoch and term together are the first bytes of the newest context.
    if (context.compare(this.#context, 0, 16, 0, 16) !== 0) return;
    const round = Number(context.readBigUInt64BE(16));
    if (round > this.#round) return;
    if (round > (this.#answered.get(from) ?? 0)) this.#answered.set(from, round);
  }

  /** The leader itself has answered every round. */
  acknowledged(id: bigint): number | undefined {
    return id === this.#id ? this.#round : this.#answered.get(id);
  }

  /** Takes the reads that a quorum has confirmed, oldest first. */
  takeConfirmed(voters: JointVoters): ConfirmedRead[] {
    const confirmed = jointCommitted(voters, this);
    const reads: ConfirmedRead[] = [];
    for (const { round, read } of this.#pending) {
      if (round > confirmed) break;
      reads.push(read);
    }
    if (reads.length > 0) this.#pending = this.#pending.slice(reads.length);
    if (this.#pending.length === 0) this.#context = Buffer.alloc(0);
    return reads;
  }
}
