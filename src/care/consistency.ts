/**
 * Members whose state differs are found, named and healed, while the others go on.
 *
 * Each member says in its answers to the leader what its state comes to (`report`). The leader
 * compares, and decides by majority: a member in the minority gets an alarm of its own, stops
 * serving, and is sent the leader's store; a leader in the minority stops serving and hands over;
 * where no majority is, the alarm is everybody's and writes stop until an operator has chosen.
 *
 * Source: decision 0028; seed-systems f.5 and f.6.
 */
import { MessageType, readStamp, type StateDigest } from "../wire/index.ts";
import { Comparison } from "./comparison.ts";
import type { DivergenceRange } from "./divergence.ts";
import { type Doubts, SOME_LEADER } from "./doubts.ts";
import type { CareEvent } from "./journal.ts";
import { formatDigest, type StateChain } from "./state-chain.ts";
import { type Standing, type Verdict, verdictOf } from "./verdict.ts";

/** Members report at such indexes while they are busy, so that their reports can be compared. */
export const REPORT_ENTRIES = 64;
/** How long a difference may stay undecided, for members that do not answer, until writes stop. */
export const UNDECIDED_MS_MAX = 2_000;
/** A member that waits for another's store is sent one again after this, and twice as long ... */
export const RESYNC_RETRY_MS = 5_000;
const RESYNC_RETRY_MS_MAX = 300_000;

const NOBODY = 0n;
const FIRST_RESYNC = { dueAtMs: Number.NEGATIVE_INFINITY, delayMs: RESYNC_RETRY_MS };

export interface ConsistencyMember {
  readonly id: bigint;
  readonly isVoter: boolean;
}

export interface ConsistencyOptions {
  readonly id: bigint;
  readonly chain: () => StateChain;
  /** Of the store that the member has now. */
  readonly doubts: () => Doubts;
  readonly isLeader: () => boolean;
  /** All of the configuration, this one among them. */
  readonly members: () => readonly ConsistencyMember[];
  /** Members that have the CORRUPT alarm for themselves alone. */
  readonly quarantined: () => readonly bigint[];
  /** It is so far behind that it needs a store before it can have this member's state. */
  readonly needsStore: (id: bigint) => boolean;
  /** The alarm of one member alone; 0n = of all, so that writes stop. May be called again. */
  readonly raise: (id: bigint) => void;
  /** This member's state is wrong; these are right and should lead. May be called again. */
  readonly handOver: (to: readonly bigint[]) => void;
  /** The member is to get this member's store. */
  readonly resync: (id: bigint) => void;
  readonly note: (event: CareEvent) => void;
  /** The member's state became another one than that of the majority in this range of entries. */
  readonly diverged: (id: bigint, range: DivergenceRange) => void;
}

export class Consistency {
  /** A majority has another state than this member, which led: it serves nobody any more. */
  isSuspect = false;
  /** Comparisons that showed a difference, since the start. */
  mismatches = 0;
  readonly #options: ConsistencyOptions;
  readonly #comparison: Comparison;
  /** Members that were found to differ and not yet to agree again. */
  readonly #differing = new Set<bigint>();
  #quarantined: readonly bigint[] = [];
  /** Members that were sent a store, and when they are to be sent the next. */
  readonly #resyncs = new Map<bigint, { dueAtMs: number; delayMs: number }>();
  #undecidedSinceMs: number | undefined;
  #isStampWrong = false;
  /** Newest index at which a leader's stamp was right. */
  #stampedAt = 0;
  #isSplitTold = false;

  constructor(options: ConsistencyOptions) {
    this.#options = options;
    this.#comparison = new Comparison(options.chain);
  }

  /* What is said of this member */

  /** What goes into a message to the leader; undefined while the digest is not known. */
  report(type: number): StateDigest | undefined {
    const chain = this.#options.chain();
    if (!chain.isKnown) return undefined;
    if (type === MessageType.HEARTBEAT_RESP) return chain.current;
    return chain.at(chain.index - (chain.index % REPORT_ENTRIES)) ?? chain.current;
  }

  /** What goes into the log with the next entries. */
  stamp(): StateDigest {
    return this.#options.chain().current;
  }

  /**
   * An entry is about to be applied. What its leader stamped on it is compared with what this
   * member had at the same index; who does not know its own digest takes over the stamp's.
   */
  entry(data: Buffer): void {
    const stamp = readStamp(data);
    if (stamp === undefined) return;
    const chain = this.#options.chain();
    if (!chain.isKnown) return void chain.adopt(stamp);
    const agrees = chain.agrees(stamp);
    // One's own stamps say nothing of oneself.
    if (agrees === true && !this.#options.isLeader()) this.#stampedAt = stamp.index;
    if (agrees !== false || this.#isStampWrong) return;
    this.#isStampWrong = true;
    this.#options.doubts().differs(SOME_LEADER, stamp.index);
    this.#options.diverged(this.#options.id, { after: this.#stampedAt, upTo: stamp.index });
    this.#stampDiffers(stamp, chain);
  }

  #stampDiffers(stamp: StateDigest, chain: StateChain): void {
    const { id, note, members, raise } = this.#options;
    const own = chain.at(stamp.index) as StateDigest;
    const isAlone = members().every((member) => member.id === id || !member.isVoter);
    note({
      kind: isAlone ? "split" : "difference",
      found:
        `at index ${stamp.index} this state has digest ${formatDigest(own)}, that of the leader ` +
        `who wrote the log had ${formatDigest(stamp)}`,
      why: "the same entries with the same effects have the same digest",
      done: isAlone
        ? "writes stop: the log and the store contradict each other, and nobody else has either"
        : "the leader of now compares all members",
    });
    if (isAlone) raise(0n);
  }

  /* What others say */

  reported(from: bigint, digest: StateDigest): void {
    if (this.#options.isLeader()) this.#comparison.reported(from, digest);
  }

  /**
   * Whether a majority is known to have the state that this member had at `index`. Who is going to
   * be given that state is not asked; the others are enough, if they are too few for a majority.
   */
  isAttested(index: number, to: bigint): boolean {
    const { id, members, chain } = this.#options;
    if (!chain().isKnown) return true;
    const voters = members().filter(({ isVoter }) => isVoter);
    const others = voters.filter((voter) => voter.id !== to);
    const agreeing = others.filter(
      (voter) => voter.id === id || this.#comparison.agreedAt(voter.id) >= index,
    );
    const quorum = Math.floor(voters.length / 2) + 1;
    return agreeing.length >= Math.min(quorum, others.length);
  }

  /**
   * Whether nobody is left who could say that another state than this member's at `index` is right:
   * each voter but `to` has it, was found wrong, or needs a store itself and has not contradicted.
   */
  isUncontested(index: number, to: bigint): boolean {
    const { id: self, members, quarantined, needsStore } = this.#options;
    const isSilent = (id: bigint): boolean =>
      quarantined().includes(id) || (needsStore(id) && this.#comparison.range(id) === undefined);
    return members().every(({ id, isVoter }) => {
      if (!isVoter || id === self || id === to) return true;
      return this.#comparison.agreedAt(id) >= index || isSilent(id);
    });
  }

  /** Whether anybody is known to have another state, and no majority has decided. */
  get isDoubted(): boolean {
    this.#weigh();
    return this.#options.doubts().ids.length > 0;
  }

  #weigh(): void {
    this.#comparison.review();
    const { others } = this.#standings();
    const quarantined = this.#options.quarantined();
    const doubts = this.#options.doubts();
    for (const { id, agrees } of others) {
      const range = this.#comparison.range(id);
      if (range === undefined) {
        if (agrees === true || quarantined.includes(id)) doubts.forget(id);
      } else if (!this.isAttested(range.upTo, NOBODY)) doubts.differs(id, range.upTo);
    }
    for (const id of doubts.ids) {
      const isMember = others.some((other) => other.id === id);
      if (id !== SOME_LEADER && !isMember) doubts.forget(id);
    }
    // Whoever that leader was: it has this state now, is wrong itself, or was removed by a person.
    const isNobodyLeft = (id: bigint, index: number): boolean =>
      id === SOME_LEADER && this.isUncontested(index, NOBODY);
    doubts.settle((id, index) => this.isAttested(index, NOBODY) || isNobodyLeft(id, index));
  }

  /** Another store took the place of this member's. */
  storeReplaced(): void {
    this.isSuspect = false;
    this.#isStampWrong = false;
    this.#comparison.clear();
  }

  /** Several times a second. */
  tick(nowMs: number): void {
    const { isLeader, chain } = this.#options;
    this.#weigh();
    if (!isLeader()) return this.#leave();
    this.#healed();
    if (chain().isKnown) this.#act(this.#verdict(), nowMs);
    this.#resync(nowMs);
  }

  #leave(): void {
    this.#comparison.clear();
    this.#resyncs.clear();
    this.#quarantined = [];
    this.#undecidedSinceMs = undefined;
    this.#isSplitTold = false;
  }

  /** Who has lost its alarm has another state, or is to be compared anew. */
  #healed(): void {
    const now = this.#options.quarantined();
    for (const id of this.#quarantined) {
      if (now.includes(id)) continue;
      this.#comparison.forget(id);
      this.#resyncs.delete(id);
      this.#differing.delete(id);
    }
    this.#quarantined = now;
  }

  #standings(): { readonly others: Standing[]; readonly isVoter: boolean } {
    const { id, members } = this.#options;
    const all = members();
    return {
      others: all
        .filter((member) => member.id !== id)
        .map((member) => this.#comparison.standing(member.id, member.isVoter)),
      isVoter: all.some((member) => member.id === id && member.isVoter),
    };
  }

  #verdict(): Verdict {
    const { others, isVoter } = this.#standings();
    return verdictOf(others, isVoter);
  }

  #act(verdict: Verdict, nowMs: number): void {
    if (verdict.kind !== "undecided") this.#undecidedSinceMs = undefined;
    if (verdict.kind === "others") {
      for (const id of verdict.wrong) this.#accuse(id);
    } else if (verdict.kind === "self") {
      this.#accuseSelf(verdict.right);
    } else if (verdict.kind === "split") {
      this.#stopAll("no digest has a majority");
    } else if (verdict.kind === "undecided") {
      this.#undecidedSinceMs ??= nowMs;
      if (nowMs - this.#undecidedSinceMs < UNDECIDED_MS_MAX) return;
      this.#stopAll("too few members answer to tell who is right");
    }
  }

  #accuse(id: bigint): void {
    if (!this.#differing.has(id)) {
      this.#differing.add(id);
      this.mismatches += 1;
      this.#options.note({
        kind: "difference",
        found: `the state of member ${id.toString(16)} differs: ${this.#digests()}`,
        why: "a strict majority of the voters agrees on another",
        done: "it gets the CORRUPT alarm for itself alone, and another member's store",
      });
      const range = this.#comparison.range(id);
      if (range !== undefined) this.#options.diverged(id, range);
    }
    if (!this.#quarantined.includes(id)) this.#options.raise(id);
  }

  #accuseSelf(right: readonly bigint[]): void {
    if (!this.isSuspect) {
      this.isSuspect = true;
      this.mismatches += 1;
      this.#options.note({
        kind: "suspect",
        found: `this member's state differs: ${this.#digests()}`,
        why: "a strict majority of the voters agrees on another",
        done: "it serves nobody, hands the leadership over and waits for another member's store",
      });
    }
    // Whoever leads next sends it a store, even if it should not get round to comparing.
    if (!this.#quarantined.includes(this.#options.id)) this.#options.raise(this.#options.id);
    this.#options.handOver(right);
  }

  #stopAll(why: string): void {
    if (!this.#isSplitTold) {
      this.#isSplitTold = true;
      this.mismatches += 1;
      this.#options.note({
        kind: "split",
        found: `members' states differ: ${this.#digests()}`,
        why,
        done: "writes stop until an operator has chosen which member is to be replaced",
      });
    }
    this.#options.raise(0n);
  }

  /** Of all members, for who has to find out. */
  #digests(): string {
    const { id, chain } = this.#options;
    const own = chain().current;
    const texts = [`${id.toString(16)} (this one) has ${formatDigest(own)} at ${own.index}`];
    for (const { id: other, reports, agrees } of this.#standings().others) {
      const last = reports.at(-1);
      const said = last === undefined ? "nothing yet" : `${formatDigest(last)} at ${last.index}`;
      const relation = agrees === undefined ? "" : agrees ? ", the same" : ", another";
      texts.push(`${other.toString(16)} has ${said}${relation}`);
    }
    return texts.join("; ");
  }

  #resync(nowMs: number): void {
    if (this.isSuspect) return;
    const { id: self, members, resync } = this.#options;
    for (const id of this.#quarantined) {
      if (id === self || !members().some((member) => member.id === id)) continue;
      const { dueAtMs, delayMs } = this.#resyncs.get(id) ?? FIRST_RESYNC;
      if (nowMs < dueAtMs) continue;
      const nextMs = Math.min(2 * delayMs, RESYNC_RETRY_MS_MAX);
      this.#resyncs.set(id, { dueAtMs: nowMs + delayMs, delayMs: nextMs });
      resync(id);
    }
  }
}
