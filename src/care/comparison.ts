/**
 * What the other members report of their states, compared with this member's own: the leader's
 * view, from which `verdictOf` decides.
 */
import type { StateDigest } from "../wire/index.ts";
import type { DivergenceRange } from "./divergence.ts";
import type { StateChain } from "./state-chain.ts";
import type { Standing } from "./verdict.ts";

/** Reports that are kept of each member. */
const REPORTS_MAX = 32;

interface Compared {
  agrees: boolean | undefined;
  /** Newest index at which it agreed, and the first after it at which it did not. */
  agreedAt: number;
  differedAt: number | undefined;
  /** Oldest first, each of a higher index than the one before, or of a rebuilt state. */
  reports: StateDigest[];
}

const UNKNOWN: Compared = { agrees: undefined, agreedAt: 0, differedAt: undefined, reports: [] };

export class Comparison {
  readonly #chain: () => StateChain;
  readonly #members = new Map<bigint, Compared>();

  /** `chain`: of the store that the member has now. */
  constructor(chain: () => StateChain) {
    this.#chain = chain;
  }

  /** A member answered, and said what its state comes to. */
  reported(id: bigint, digest: StateDigest): void {
    let compared = this.#members.get(id);
    if (compared === undefined) {
      compared = { agrees: undefined, agreedAt: 0, differedAt: undefined, reports: [] };
      this.#members.set(id, compared);
    }
    const { reports } = compared;
    if (reports.at(-1)?.index === digest.index) reports.pop();
    reports.push(digest);
    if (reports.length > REPORTS_MAX) reports.shift();
    this.#compare(compared, digest);
  }

  #compare(compared: Compared, digest: StateDigest): void {
    const agrees = this.#chain().agrees(digest);
    if (agrees === undefined) return;
    const { index } = digest;
    if (!agrees) {
      compared.agrees = false;
      compared.agreedAt = Math.min(compared.agreedAt, index - 1);
      compared.differedAt ??= index;
      return;
    }
    // Answers to appends are of the last round index: it may be of before the difference.
    if (compared.differedAt !== undefined && index < compared.differedAt) return;
    compared.agrees = true;
    compared.agreedAt = Math.max(compared.agreedAt, index);
    compared.differedAt = undefined;
  }

  /** Among which entries a member began to differ; undefined when it does not. */
  range(id: bigint): DivergenceRange | undefined {
    const compared = this.#members.get(id);
    if (compared?.differedAt === undefined) return undefined;
    return { after: compared.agreedAt, upTo: compared.differedAt };
  }

  /** Reports that came before this member had applied as much are compared now. */
  review(): void {
    for (const compared of this.#members.values()) {
      const last = compared.reports.at(-1);
      if (last !== undefined) this.#compare(compared, last);
    }
  }

  /**
   * What counts is what was said of an index that all who differ have gone beyond: before that a
   * member may have agreed with anybody.
   */
  standing(id: bigint, isVoter: boolean): Standing {
    const { agrees, agreedAt, differedAt, reports } = this.#members.get(id) ?? UNKNOWN;
    if (differedAt !== undefined) {
      return { id, isVoter, agrees, reports: reports.filter(({ index }) => index >= differedAt) };
    }
    const isOld = agreedAt < this.#differedAt();
    return { id, isVoter, agrees: isOld ? undefined : agrees, reports };
  }

  /** The highest index at which somebody was found to have begun to differ; 0 = nobody does. */
  #differedAt(): number {
    let highest = 0;
    for (const { differedAt } of this.#members.values()) {
      if (differedAt !== undefined) highest = Math.max(highest, differedAt);
    }
    return highest;
  }

  /** Newest index at which a member was known to have this member's state; 0 = none. */
  agreedAt(id: bigint): number {
    return this.#members.get(id)?.agreedAt ?? 0;
  }

  /** It has another state now, or is gone. */
  forget(id: bigint): void {
    this.#members.delete(id);
  }

  clear(): void {
    this.#members.clear();
  }
}
