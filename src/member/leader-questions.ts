/**
 * Questions that only the leader can answer: here when it is this member, else asked of it over the
 * network, again and again until there is an answer or the time is up (LE-04).
 */
import { EtcdError, errors } from "../errors/index.ts";
import { NONE } from "../raft/index.ts";
import type { Timers } from "../seam/index.ts";
import { QUESTION_RETRY_MS, QUESTIONS_MAX } from "./limits.ts";
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
  #open = 0;

  constructor(options: LeaderQuestionsOptions) {
    this.#options = options;
  }

  /** A refusal that says no more than that another one leads is not an answer. */
  ask<T>(question: LeaderQuestion<T>, waiter: Waiter<T>): void {
    if (this.#open >= QUESTIONS_MAX) return waiter.refused(errors.TooManyRequests);
    this.#open += 1;
    const deadlineMs = this.#options.nowMs() + this.#options.timeoutMs;
    const answer: Waiter<T> = {
      done: (result) => {
        this.#open -= 1;
        waiter.done(result);
      },
      refused: (error) => {
        const final = isAboutLeadership(error) ? this.#end(deadlineMs) : error;
        if (final === undefined) {
          this.#options.timers.after(QUESTION_RETRY_MS, () => this.#attempt(question, answer));
          return;
        }
        this.#open -= 1;
        waiter.refused(final);
      },
    };
    this.#attempt(question, answer);
  }

  #attempt<T>(question: LeaderQuestion<T>, answer: Waiter<T>): void {
    if (this.#options.isStopped()) return answer.refused(errors.Stopped);
    if (question.here(answer)) return;
    const leader = this.#options.leader();
    if (leader === NONE || leader === this.#options.id) return answer.refused(errors.NoLeader);
    question.there(leader).then(answer.done, (error: unknown) => {
      answer.refused(error instanceof EtcdError ? error : errors.NoLeader);
    });
  }

  /** Why it is not asked again. */
  #end(deadlineMs: number): EtcdError | undefined {
    if (this.#options.isStopped()) return errors.Stopped;
    return this.#options.nowMs() + QUESTION_RETRY_MS > deadlineMs ? errors.Timeout : undefined;
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
