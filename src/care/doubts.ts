/**
 * Who was found to have another state than this member, while nobody could decide whose is right.
 * A member that loses the lead forgets what it compared, and not this: should it lead again while
 * those who contradicted it do not answer, its state may still be the wrong one.
 */

/** Stands for the leader, whoever it was, whose stamp on an entry said otherwise. */
export const SOME_LEADER = 0n;

export class Doubts {
  /** The first index at which each differed. */
  readonly #differedAt = new Map<bigint, number>();

  differs(id: bigint, index: number): void {
    if (!this.#differedAt.has(id)) this.#differedAt.set(id, index);
  }

  /** It agrees again, is found to be wrong itself, or is no member any more. */
  forget(id: bigint): void {
    this.#differedAt.delete(id);
  }

  /** Those that a majority has decided: it has this member's state, at that index or after it. */
  settle(isAttested: (index: number) => boolean): void {
    for (const [id, index] of this.#differedAt) if (isAttested(index)) this.forget(id);
  }

  get ids(): bigint[] {
    return [...this.#differedAt.keys()];
  }

  /** This member has another state. */
  clear(): void {
    this.#differedAt.clear();
  }
}
