/**
 * What the other members report of their states, compared with this member's own: the leader's
 * view, from which `verdictOf` decides.
 */
import type { StateDigest } from "../wire/index.ts";
import type { StateChain } from "./state-chain.ts";
import type { Standing } from "./verdict.ts";

/** Reports that are kept of each member. */
const REPORTS_MAX = 32;

interface Compared {
  agrees: boolean | undefined;
  /** Oldest first, each of a higher index than the one before, or of a rebuilt state. */
  reports: StateDigest[];
}

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
      compared = { agrees: undefined, reports: [] };
      this.#members.set(id, compared);
    }
    const { reports } = compared;
    if (reports.at(-1)?.index === digest.index) reports.pop();
    reports.push(digest);
    if (reports.length > REPORTS_MAX) reports.shift();
    const agrees = this.#chain().agrees(digest);
    if (agrees !== undefined) compared.agrees = agrees;
  }

  /** Reports that came before this member had applied as much are compared now. */
  review(): void {
    const chain = this.#chain();
    for (const compared of this.#members.values()) {
      const last = compared.reports.at(-1);
      const agrees = last === undefined ? undefined : chain.agrees(last);
      if (agrees !== undefined) compared.agrees = agrees;
    }
  }

  standing(id: bigint, isVoter: boolean): Standing {
    const compared = this.#members.get(id);
    return { id, isVoter, agrees: compared?.agrees, reports: compared?.reports ?? [] };
  }

  /** It has another state now, or is gone. */
  forget(id: bigint): void {
    this.#members.delete(id);
  }

  clear(): void {
    this.#members.clear();
  }
}
