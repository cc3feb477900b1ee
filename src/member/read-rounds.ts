/**
 * Linearizable reads: one round of the consensus for all that wait (thesis 6.4, KV-10).
 *
 * Reads that come while a round is under way wait for the next one. A leader's round answers the
 * reads that followers passed on as well. A round that was lost, with its leader or its messages,
 * is begun anew; what a read was promised is only that the round started after it came.
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
  readonly reads: readonly Read[];
  readonly forwarded: readonly Message[];
  readonly atMs: number;
}

interface Confirmed {
  readonly index: number;
  readonly reads: readonly Read[];
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
  /** etcd_server_read_indexes_failed_total, etcd_server_slow_read_indexes_total. */
  failed = 0;
  slow = 0;

  constructor(options: ReadRoundsOptions) {
    this.#options = options;
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0 || this.#forwarded.length > 0;
  }

  add(waiter: Waiter<void>, nowMs: number): void {
    if (this.#waiting.length >= READS_WAITING_MAX) return waiter.refused(errors.TooManyRequests);
    this.#waiting.push({ waiter, atMs: nowMs });
  }

  /** A follower's MsgReadIndex, at the leader. Beyond the limit it is dropped, and asked again. */
  addForwarded(message: Message): void {
    if (this.#forwarded.length < READS_WAITING_MAX) this.#forwarded.push(message);
  }

  /** Begins a round if there is something to ask for and none is under way. */
  start(nowMs: number): void {
    if (this.#round !== undefined || !this.isWaiting) return;
    this.#begin({
      context: this.#newContext(),
      reads: this.#waiting,
      forwarded: this.#forwarded,
      atMs: nowMs,
    });
  }

  #begin(round: Round): void {
    if (!this.#options.ask(round.context)) return;
    if (round.reads === this.#waiting) {
      this.#waiting = [];
      this.#forwarded = [];
    }
    this.#round = round;
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
    if (index <= this.#options.applied()) return answer(round.reads);
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
      answer(next.reads);
    }
  }

  /** The leader is another one: its rounds are void, those who asked here go on waiting. */
  leaderChanged(): void {
    const round = this.#round;
    if (round === undefined) return;
    this.#round = undefined;
    this.#waiting = [...round.reads, ...this.#waiting];
    // Whoever passed reads on asks the new leader.
    this.#forwarded = [];
  }

  /** Asks again for a round that got no answer, and gives up reads older than `deadlineMs`. */
  tick(nowMs: number, deadlineMs: number, errorOf: (atMs: number) => EtcdError): void {
    const round = this.#round;
    if (round !== undefined && nowMs - round.atMs >= READ_RETRY_MS) {
      this.slow += 1;
      this.leaderChanged();
    }
    const isOver = (read: Read) => {
      if (read.atMs > deadlineMs) return false;
      this.failed += 1;
      read.waiter.refused(errorOf(read.atMs));
      return true;
    };
    const oldest = this.#waiting[0];
    if (oldest !== undefined && oldest.atMs <= deadlineMs) {
      this.#waiting = this.#waiting.filter((read) => !isOver(read));
    }
    this.#confirmed = this.#confirmed
      .map(({ index, reads }) => ({ index, reads: reads.filter((read) => !isOver(read)) }))
      .filter(({ reads }) => reads.length > 0);
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
    for (const { waiter } of reads) waiter.refused(error);
  }
}

function answer(reads: readonly Read[]): void {
  for (const { waiter } of reads) waiter.done();
}
