/**
 * Proposals of this member's own clients, from the request to the answer: first they wait for the
 * next batch, then they are open until their entry is applied here. Entries find their proposal by
 * the request's id, so an entry of our own is never decoded.
 *
 * A proposal that was handed over and whose leader was lost may or may not come to pass; only those
 * that still wait are given to the next leader.
 */
import type { ApplyResponse } from "../apply/index.ts";
import type { EtcdError } from "../errors/index.ts";
import {
  type RaftRequest,
  type RaftRequestHeader,
  readRaftRequestHeader,
  STAMP_BYTES,
} from "../wire/index.ts";
import { BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, FORWARDED_BYTES_MAX } from "./limits.ts";
import type { Waiter } from "./types.ts";

export interface Proposal {
  readonly data: Buffer;
  readonly request: RaftRequest;
  /** Undefined once it was answered. */
  waiter: Waiter<ApplyResponse> | undefined;
  readonly atMs: number;
  /** Proposed as the leader, and of no use once it leads no more: never forwarded. */
  readonly isLeaders: boolean;
  /** Term in which it was handed to the consensus; 0 = it waits. */
  term: number;
}

/** The data of a normal entry that another member passed on. */
interface Forwarded {
  readonly data: Buffer;
  readonly atMs: number;
}

/** What goes into one MsgProp: own proposals first, then those that followers forwarded. */
export interface ProposalBatch {
  readonly data: Buffer[];
  readonly own: readonly Proposal[];
  readonly forwarded: readonly Forwarded[];
}

export class Proposals {
  readonly #memberPrefix: number;
  #waiting: Proposal[] = [];
  #forwarded: Forwarded[] = [];
  #forwardedBytes = 0;
  /** Waiting and handed over, oldest first, by the request's sequence. */
  readonly #open = new Map<number, Proposal>();
  readonly #header: RaftRequestHeader = {
    memberPrefix: 0,
    sequence: 0,
    username: "",
    authRevision: 0,
  };

  constructor(memberPrefix: number) {
    this.#memberPrefix = memberPrefix;
  }

  /** Not yet answered. */
  get size(): number {
    return this.#open.size;
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0 || this.#forwarded.length > 0;
  }

  add(proposal: Proposal): void {
    this.#waiting.push(proposal);
    this.#open.set(proposal.request.header.sequence, proposal);
  }

  /** Data of normal entries that a follower passed on. False: there is no room for more. */
  addForwarded(data: Buffer, nowMs: number): boolean {
    if (this.#forwardedBytes + data.length > FORWARDED_BYTES_MAX) return false;
    this.#forwardedBytes += data.length;
    this.#forwarded.push({ data, atMs: nowMs });
    return true;
  }

  /** The next batch, in order; undefined when nothing waits. To be given back if it was dropped. */
  take(isLeader: boolean, refusal: EtcdError): ProposalBatch | undefined {
    const data: Buffer[] = [];
    const own: Proposal[] = [];
    let bytes = 0;
    let at = 0;
    for (; at < this.#waiting.length && isRoom(data.length, bytes); at += 1) {
      const proposal = this.#waiting[at] as Proposal;
      if (proposal.waiter === undefined) continue;
      if (proposal.isLeaders && !isLeader) {
        this.#refuse(proposal, refusal);
        continue;
      }
      bytes += proposal.data.length;
      data.push(proposal.data);
      own.push(proposal);
    }
    this.#waiting = at === this.#waiting.length ? [] : this.#waiting.slice(at);
    let taken = 0;
    for (; taken < this.#forwarded.length && isRoom(data.length, bytes); taken += 1) {
      const piece = this.#forwarded[taken] as Forwarded;
      bytes += piece.data.length;
      this.#forwardedBytes -= piece.data.length;
      data.push(piece.data);
    }
    const forwarded = this.#forwarded.slice(0, taken);
    this.#forwarded = taken === this.#forwarded.length ? [] : this.#forwarded.slice(taken);
    return data.length === 0 ? undefined : { data, own, forwarded };
  }

  /** The batch was handed to the consensus in `term`. */
  handedOver(batch: ProposalBatch, term: number): void {
    for (const proposal of batch.own) proposal.term = term;
  }

  giveBack(batch: ProposalBatch): void {
    this.#waiting = [...batch.own, ...this.#waiting];
    this.#forwarded = [...batch.forwarded, ...this.#forwarded];
    for (const { data } of batch.forwarded) this.#forwardedBytes += data.length;
  }

  /** The proposal that made this entry, which is closed by that; undefined for anybody else's. */
  claim(data: Buffer): Proposal | undefined {
    if (this.#open.size === 0 || !readRaftRequestHeader(data, this.#header)) return undefined;
    if (this.#header.memberPrefix !== this.#memberPrefix) return undefined;
    const proposal = this.#open.get(this.#header.sequence);
    // Ids of two members may meet in their 16 bits.
    if (proposal === undefined) return undefined;
    if (proposal.data !== data && !isEntryOf(proposal.data, data)) return undefined;
    this.#open.delete(this.#header.sequence);
    return proposal;
  }

  /**
   * Answers what was made before `deadlineMs`, oldest first. What was handed over may still happen;
   * what waits, here or for others, is forgotten.
   */
  expire(deadlineMs: number, errorOf: (proposal: Proposal) => EtcdError): void {
    for (const proposal of this.#open.values()) {
      if (proposal.atMs > deadlineMs) break;
      this.#refuse(proposal, errorOf(proposal));
    }
    if (this.#waiting[0]?.waiter === undefined) {
      const from = this.#waiting.findIndex(({ waiter }) => waiter !== undefined);
      this.#waiting = from < 0 ? [] : this.#waiting.slice(from);
    }
    const oldest = this.#forwarded[0];
    if (oldest === undefined || oldest.atMs > deadlineMs) return;
    this.#forwarded = this.#forwarded.filter(({ atMs }) => atMs > deadlineMs);
    this.#forwardedBytes = this.#forwarded.reduce((bytes, { data }) => bytes + data.length, 0);
  }

  /** Answers what was handed over in a term before `term`: nobody can tell what became of it. */
  abandonBefore(term: number, error: EtcdError): void {
    for (const proposal of this.#open.values()) {
      if (proposal.term !== 0 && proposal.term < term) this.#refuse(proposal, error);
    }
  }

  refuseAll(error: EtcdError): void {
    const open = [...this.#open.values()];
    this.#waiting = [];
    this.#forwarded = [];
    this.#forwardedBytes = 0;
    for (const proposal of open) this.#refuse(proposal, error);
  }

  #refuse(proposal: Proposal, error: EtcdError): void {
    const { waiter } = proposal;
    proposal.waiter = undefined;
    this.#open.delete(proposal.request.header.sequence);
    waiter?.refused(error);
  }
}

/** Whether `data` is what was proposed, with or without the leader's stamp behind it. */
function isEntryOf(proposed: Buffer, data: Buffer): boolean {
  const more = data.length - proposed.length;
  if (more === 0) return proposed.equals(data);
  return more === STAMP_BYTES && data.compare(proposed, 0, undefined, 0, proposed.length) === 0;
}

function isRoom(entries: number, bytes: number): boolean {
  return entries < BATCH_ENTRIES_MAX && bytes < BATCH_BYTES_MAX;
}
