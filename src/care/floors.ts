/**
 * What the members of a cluster are known to have promised, and whether one of them still has it on
 * its disk (pure).
 *
 * A floor is a set of facts of the past that only grow; so what several members know is merged by
 * taking the higher of each. An acknowledgement alone may be taken back by a leader of a later
 * term, and counts only in its own; what was acknowledged and is committed counts for ever.
 */
import type { Floor, Life, MemberEpoch } from "../wire/index.ts";

/** A promise that was seen; what is missing was not part of it. */
export interface Promised {
  readonly term: number;
  readonly isVote?: boolean;
  /** Acknowledged to the leader of `term`. */
  readonly match?: number;
  /** Of it, what is committed. */
  readonly stable?: number;
}

/** What a member has on its disk now. */
export interface Holdings {
  readonly life: Life;
  readonly term: number;
  readonly votedTerm: number;
  readonly lastIndex: number;
}

/** A message of another life of its sender: of an earlier one, or of a copy that runs as well. */
export type Sighting = "known" | "new" | "stale";

/** Of whom something is kept. Beyond: those that come are not members of any real cluster. */
export const MEMBERS_MAX = 255;

const NO_LIFE: Life = { epoch: 0, nonce: 0, base: 0 };
const NO_PROMISE = { term: 0, votedTerm: 0, ackTerm: 0, match: 0, stable: 0 };

export class Floors {
  readonly #rows = new Map<bigint, Floor>();
  /** Something changed since it was last set to false. */
  isDirty = false;

  constructor(rows: readonly Floor[] = []) {
    for (const row of rows) this.#rows.set(row.id, row);
  }

  /** Of a member that nothing is known of: one that says so. */
  of(id: bigint): Floor {
    return this.#rows.get(id) ?? { id, ...NO_LIFE, ...NO_PROMISE };
  }

  all(): Floor[] {
    return [...this.#rows.values()];
  }

  epochs(): MemberEpoch[] {
    return this.all().map(({ id, epoch }) => ({ id, epoch }));
  }

  #set(row: Floor): void {
    if (!this.#rows.has(row.id) && this.#rows.size >= MEMBERS_MAX) return;
    this.#rows.set(row.id, row);
    this.isDirty = true;
  }

  /** A member speaks. Promises from before the base of its life are forgotten. */
  sighted(id: bigint, life: Life): Sighting {
    const row = this.of(id);
    if (life.epoch === row.epoch && life.nonce === row.nonce) return "known";
    // Told by others already, without its nonce.
    const isNamed = life.epoch === row.epoch && row.nonce === 0;
    if (life.epoch <= row.epoch && !isNamed) return "stale";
    this.#set({ ...row, ...(life.base > row.base ? NO_PROMISE : {}), ...life });
    return "new";
  }

  promised(id: bigint, { term, isVote = false, match = 0, stable = 0 }: Promised): void {
    const row = this.of(id);
    const isNewer =
      match > 0 && (term > row.ackTerm || (term === row.ackTerm && match > row.match));
    const votedTerm = isVote ? Math.max(term, row.votedTerm) : row.votedTerm;
    const isNews = isNewer || term > row.term || votedTerm > row.votedTerm || stable > row.stable;
    if (!isNews) return;
    this.#set({
      ...row,
      term: Math.max(term, row.term),
      votedTerm,
      ackTerm: isNewer ? term : row.ackTerm,
      match: isNewer ? match : row.match,
      stable: Math.max(stable, row.stable),
    });
  }

  /** What another member knows of a third one. Whether that has a later life than was known. */
  merge(other: Floor): boolean {
    const row = this.of(other.id);
    const merged = merge(row, other);
    if (sameFloor(row, merged)) return false;
    this.#set(merged);
    return merged.epoch > row.epoch;
  }

  /** As merge, when nothing but the epoch is told. */
  raise({ id, epoch }: MemberEpoch): boolean {
    const row = this.of(id);
    if (epoch <= row.epoch) return false;
    this.#set({ ...row, epoch, nonce: 0 });
    return true;
  }

  /** Forgets all members but these. */
  keep(ids: readonly bigint[]): void {
    for (const id of this.#rows.keys()) {
      if (ids.includes(id)) continue;
      this.#rows.delete(id);
      this.isDirty = true;
    }
  }
}

function merge(one: Floor, other: Floor): Floor {
  const later = other.epoch > one.epoch || (other.epoch === one.epoch && one.nonce === 0);
  const { epoch, nonce } = later ? other : one;
  const life = { epoch, nonce };
  if (other.base < one.base) return { ...one, ...life };
  if (other.base > one.base) return { ...other, ...life };
  const acked =
    other.ackTerm > one.ackTerm || (other.ackTerm === one.ackTerm && other.match > one.match)
      ? other
      : one;
  return {
    ...one,
    ...life,
    term: Math.max(one.term, other.term),
    votedTerm: Math.max(one.votedTerm, other.votedTerm),
    ackTerm: acked.ackTerm,
    match: acked.match,
    stable: Math.max(one.stable, other.stable),
  };
}

function sameFloor(one: Floor, other: Floor): boolean {
  return (
    one.epoch === other.epoch &&
    one.nonce === other.nonce &&
    one.base === other.base &&
    one.term === other.term &&
    one.votedTerm === other.votedTerm &&
    one.ackTerm === other.ackTerm &&
    one.match === other.match &&
    one.stable === other.stable
  );
}

/** Why a member with `holdings` cannot be all that made the promises of `floor`; for operators. */
export function lossOf(holdings: Holdings, floor: Floor): string | undefined {
  const { life, term, votedTerm, lastIndex } = holdings;
  // Promises that an operator took back.
  const isCurrent = floor.base >= life.base;
  if (floor.epoch > life.epoch) {
    return `it was started ${floor.epoch} times, and its disk knows of ${life.epoch}`;
  }
  if (floor.epoch === life.epoch && floor.nonce !== 0 && floor.nonce !== life.nonce) {
    return `its start number ${life.epoch} happened twice, on two copies of its disk`;
  }
  if (!isCurrent) return undefined;
  if (floor.stable > lastIndex) {
    return `it acknowledged index ${floor.stable}, and its log ends at ${lastIndex}`;
  }
  if (floor.ackTerm === term && floor.match > lastIndex) {
    return `it acknowledged index ${floor.match} in term ${term}, and its log ends at ${lastIndex}`;
  }
  if (floor.term > term) return `it was in term ${floor.term}, and its disk knows of ${term}`;
  if (floor.votedTerm > votedTerm) {
    return `it voted in term ${floor.votedTerm}, and its disk knows of no vote since ${votedTerm}`;
  }
  return undefined;
}
