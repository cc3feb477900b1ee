/**
 * Questions that only the leader can answer: here when it is this member, else asked of it over the
 * network, again and again until there is an answer or the time is up (LE-04).
 */
import { EtcdError, errors } from "../errors/index.ts";
import { NONE } from "../raft/index.ts";
import type { Timers } from "../seam/index.ts";
import { QUESTION_RETRY_MS } from "./limits.ts";
import type { Waiter } from "./types.ts";

export interface LeaderQuestionsOptions {
  readonly id: bigint;
  readonly timers: Timers;
  readonly nowMs: () => number;
  readonly timeoutMs: number;
  /** 0n = none known. */
  readonly leader: () => bigint;
  readonly isStopped: () => boolean;
}

export interface LeaderQuestion<T> {
  /** Answers as the leader; false: this member is not it, or not yet. */
  here(waiter: Waiter<T>): boolean;
  there(leader: bigint): Promise<T>;
}

export class LeaderQuestions {
  readonly #options: LeaderQuestionsOptions;

  constructor(options: LeaderQuestionsOptions) {
    this.#options = options;
  }

  ask<T>(question: LeaderQuestion<T>, waiter: Waiter<T>): void {
    this.#attempt(question, waiter, this.#options.nowMs() + this.#options.timeoutMs);
  }

  #attempt<T>(question: LeaderQuestion<T>, waiter: Waiter<T>, deadlineMs: number): void {
    if (this.#options.isStopped()) return waiter.refused(errors.Stopped);
    if (question.here(waiter)) return;
    const leader = this.#options.leader();
    if (leader === NONE || leader === this.#options.id) {
      return this.#later(question, waiter, deadlineMs);
    }
    question.there(leader).then(
      (answer) => waiter.done(answer),
      (error: unknown) => {
        const isFinal = error instanceof EtcdError && !isAboutLeadership(error);
        if (isFinal) waiter.refused(error);
        else this.#later(question, waiter, deadlineMs);
      },
    );
  }

  #later<T>(question: LeaderQuestion<T>, waiter: Waiter<T>, deadlineMs: number): void {
    const { timers, nowMs } = this.#options;
    if (nowMs() + QUESTION_RETRY_MS > deadlineMs) return waiter.refused(errors.Timeout);
    timers.after(QUESTION_RETRY_MS, () => this.#attempt(question, waiter, deadlineMs));
  }
}

function isAboutLeadership(error: EtcdError): boolean {
  return (
    error === errors.NotPrimaryLessor ||
    error === errors.NotLeader ||
    error === errors.NoLeader ||
    error === errors.TimeoutWaitAppliedIndex
  );
}
