/**
 * Linearizable reads: one round of the consensus for all that wait (thesis 6.4, KV-10).
 *
 * Reads that come while a round is under way wait for the next one. A leader's round answers the
 * reads that followers passed on as well. A round whose messages were lost is asked for again, one
 * whose leader was lost is begun anew: a read needs no more than that its round started after it
 * came. Lists of reads are in the order in which they came.
 */
import { type ReadState, readRequestContext } from "../raft/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import { emptyRaftMessage, type Message, MessageType } from "../wire/index.ts";
import { READ_RETRY_MS, READS_WAITING_MAX } from "./limits.ts";
import type { Waiter } from "./types.ts";

interface Read {
  readonly waiter: Waiter<void>;
  readonly atMs: number;
}

interface Round {
  readonly context: Buffer;
  reads: readonly Read[];
  readonly forwarded: readonly Message[];
  /** When it was asked for last. */
  askedAtMs: number;
}

interface Confirmed {
  readonly index: number;
  reads: readonly Read[];
}

export interface ReadRoundsOptions {
  readonly id: bigint;
  readonly epoch: bigint;
  /** Starts a round; false: it cannot be now. */
  readonly ask: (context: Buffer) => boolean;
  readonly send: (message: Message) => void;
  readonly applied: () => number;
  readonly term: () => number;
}

export class ReadRounds {
  readonly #options: ReadRoundsOptions;
  #waiting: Read[] = [];
  #forwarded: Message[] = [];
  #round: Round | undefined;
  /** Rounds that were confirmed at an index that is not applied yet, in order of the index. */
  #confirmed: Confirmed[] = [];
  #sequence = 0;
  #size = 0;
  /** etcd_server_read_indexes_failed_total, etcd_server_slow_read_indexes_total. */
  failed = 0;
  slow = 0;

  constructor(options: ReadRoundsOptions) {
    this.#options = options;
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0 || this.#forwarded.length > 0;
  }

  /** Reads of this member that are not answered. */
  get size(): number {
    return this.#size;
  }

  /** A round is under way, or wanted. */
  get isBusy(): boolean {
    return this.#round !== undefined || this.isWaiting;
  }

  add(waiter: Waiter<void>, nowMs: number): void {
    if (this.#size >= READS_WAITING_MAX) return waiter.refused(errors.TooManyRequests);
    this.#size += 1;
    this.#waiting.push({ waiter, atMs: nowMs });
  }

  /** A follower's MsgReadIndex, at the leader. Beyond the limit it is dropped, and asked again. */
  addForwarded(message: Message): void {
    if (this.#forwarded.length < READS_WAITING_MAX) this.#forwarded.push(message);
  }

  /** Begins a round if there is something to ask for and none is under way. */
  start(nowMs: number): void {
    if (this.#round !== undefined || !this.isWaiting) return;
    const context = this.#newContext();
    if (!this.#options.ask(context)) return;
    const reads = this.#waiting;
    const forwarded = this.#forwarded;
    this.#waiting = [];
    this.#forwarded = [];
    this.#round = { context, reads, forwarded, askedAtMs: nowMs };
  }

  #newContext(): Buffer {
    this.#sequence += 1;
    return readRequestContext(this.#options.epoch, this.#sequence);
  }

  confirmed({ index, context }: ReadState): void {
    const round = this.#round;
    if (round === undefined || !round.context.equals(context)) return;
    this.#round = undefined;
    for (const asked of round.forwarded) this.#options.send(this.#answerTo(asked, index));
    if (index <= this.#options.applied()) return this.#answer(round.reads);
    this.#confirmed.push({ index, reads: round.reads });
  }

  #answerTo(asked: Message, index: number): Message {
    const message = emptyRaftMessage();
    message.type = MessageType.READ_INDEX_RESP;
    message.to = asked.from;
    message.from = this.#options.id;
    message.term = this.#options.term();
    message.index = index;
    message.entries = asked.entries;
    return message;
  }

  /** Entries up to `index` are applied. */
  appliedTo(index: number): void {
    while (this.#confirmed.length > 0) {
      const next = this.#confirmed[0] as Confirmed;
      if (next.index > index) return;
      this.#confirmed.shift();
      this.#answer(next.reads);
    }
  }

  #answer(reads: readonly Read[]): void {
    this.#size -= reads.length;
    for (const { waiter } of reads) waiter.done();
  }

  /**
   * The leader is another one: its round is void, those who asked here go on waiting. Whoever
   * passed reads on asks the new leader.
   */
  leaderChanged(): void {
    const round = this.#round;
    if (round === undefined) return;
    this.#round = undefined;
    this.#waiting = [...round.reads, ...this.#waiting];
  }

  /** Asks again for a round that got no answer, and gives up reads older than `deadlineMs`. */
  tick(nowMs: number, deadlineMs: number, errorOf: (atMs: number) => EtcdError): void {
    this.#waiting = this.#expire(this.#waiting, deadlineMs, errorOf) as Read[];
    for (const confirmed of this.#confirmed) {
      confirmed.reads = this.#expire(confirmed.reads, deadlineMs, errorOf);
    }
    const round = this.#round;
    if (round === undefined) return;
    round.reads = this.#expire(round.reads, deadlineMs, errorOf);
    if (round.reads.length === 0 && round.forwarded.length === 0) this.#round = undefined;
    else if (nowMs - round.askedAtMs >= READ_RETRY_MS) this.#askAgain(round, nowMs);
  }

  /** With the same context: the answer to any of the requests will do, however late it comes. */
  #askAgain(round: Round, nowMs: number): void {
    this.slow += 1;
    round.askedAtMs = nowMs;
    this.#options.ask(round.context);
  }

  /** Refuses the reads that came before; answers the others. */
  #expire(
    reads: readonly Read[],
    deadlineMs: number,
    errorOf: (atMs: number) => EtcdError,
  ): readonly Read[] {
    const oldest = reads[0];
    if (oldest === undefined || oldest.atMs > deadlineMs) return reads;
    const end = reads.findIndex(({ atMs }) => atMs > deadlineMs);
    const over = end < 0 ? reads : reads.slice(0, end);
    this.failed += over.length;
    this.#size -= over.length;
    for (const { waiter, atMs } of over) waiter.refused(errorOf(atMs));
    return end < 0 ? [] : reads.slice(end);
  }

  refuseAll(error: EtcdError): void {
    const reads = [
      ...this.#confirmed.flatMap((confirmed) => confirmed.reads),
      ...(this.#round?.reads ?? []),
      ...this.#waiting,
    ];
    this.#confirmed = [];
    this.#round = undefined;
    this.#waiting = [];
    this.#forwarded = [];
    this.#size = 0;
    for (const { waiter } of reads) waiter.refused(error);
  }
}
