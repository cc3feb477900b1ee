/**
 * Whether this member's disk went back in time, and what its peers may count on until that is known
 * (decision 0029).
 *
 * Every member keeps floors of the others (floors.ts). The first words that two members exchange
 * compare: each tells what it knows of the other, and each judges itself. Until that has happened
 * with a peer, this member follows it in nothing; until it has happened with enough of them, it
 * neither votes nor stands. A member that finds that it lost what it promised says nothing more: it
 * is quarantined.
 *
 * What a member says counts only in its latest life that is known of (Michael et al., DISC 2017,
 * crash vectors): a vote or an acknowledgement that is still on its way from an earlier one may be
 * of things that the disk has lost since.
 *
 * Peers that never show a life are etcd's: nothing is asked of them.
 */
import {
  decodePeerNote,
  emptyRaftMessage,
  encodePeerNote,
  type Floor,
  type Life,
  type Message,
  MessageType,
  type PeerNote,
} from "../wire/index.ts";
import { Floors, lossOf, MEMBERS_MAX, type Sighting } from "./floors.ts";

/** `detect`: a peer that cannot be reached is waited for a moment. `strict`: for ever. */
export type RollbackProtection = "detect" | "strict";

/** What the consensus of this member stands at. */
export interface LivesView {
  readonly term: number;
  readonly votedTerm: number;
  readonly lastTerm: number;
  readonly lastIndex: number;
  readonly committed: number;
  readonly applied: number;
  readonly isLeader: boolean;
  /**
   * It leads, and its own vote for that is on its disk: the votes of the others may have come first
   * (thesis 10.2.1).
   */
  readonly isLeaderOnDisk: boolean;
}

export interface LivesOptions {
  readonly id: bigint;
  readonly life: Life;
  /** What was stored of the others. */
  readonly floors: readonly Floor[];
  readonly protection: RollbackProtection;
  /** Monotonic, as `tick` is given it. */
  readonly nowMs: number;
  /** How long `detect` waits for peers that do not answer. */
  readonly waitMs: number;
  readonly view: () => LivesView;
  /** All members but this one. */
  readonly others: () => readonly { readonly id: bigint; readonly isVoter: boolean }[];
  readonly send: (message: Message) => void;
  /** Brings the floors to the disk; whether that went well. Never rejects. */
  readonly save: () => Promise<boolean>;
  /** What `id` promised in an earlier life counts no more. */
  readonly reborn: (id: bigint) => void;
  /** This member's disk went back in time. Called once. */
  readonly proven: (why: string) => void;
}

const { APP, APP_RESP, HEARTBEAT, HEARTBEAT_RESP, VOTE, VOTE_RESP } = MessageType;
const { HELLO, HELLO_RESP, PRE_VOTE, PRE_VOTE_RESP, SNAP, TIMEOUT_NOW } = MessageType;

/** What is taken only from a peer that was compared with. */
const GUARDED: ReadonlySet<number> = new Set([
  APP,
  SNAP,
  HEARTBEAT,
  VOTE,
  PRE_VOTE,
  VOTE_RESP,
  PRE_VOTE_RESP,
  TIMEOUT_NOW,
]);
const ELECTING: ReadonlySet<number> = new Set([VOTE, PRE_VOTE, TIMEOUT_NOW]);
/** What says all that its sender knows. */
const TELLING: ReadonlySet<number> = new Set([
  HEARTBEAT,
  VOTE,
  PRE_VOTE,
  VOTE_RESP,
  PRE_VOTE_RESP,
  HELLO,
  HELLO_RESP,
]);
/** Calls of `tick` between two greetings of one that does not answer, after the first ones. */
const GREETING_TICKS = 20;
const GREETINGS_EAGER = 20;

/** How far a peer was when it answered. */
interface Position {
  readonly term: number;
  readonly lastTerm: number;
  readonly lastIndex: number;
}

export class Lives {
  readonly floors: Floors;
  readonly #options: LivesOptions;
  readonly #lifeNote: Buffer;
  #ackNote: Buffer | undefined;
  /** Peers that showed a life since this one began. */
  readonly #ours = new Set<bigint>();
  readonly #compared = new Map<bigint, Position>();
  #why: string | undefined;
  #ticks = 0;
  #nowMs: number;
  #hasVoted = false;

  constructor(options: LivesOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs;
    this.floors = new Floors(options.floors);
    this.#lifeNote = encodePeerNote({ life: options.life, floors: [], epochs: [] });
  }

  /** Why this member is quarantined; undefined = it is not. */
  get quarantine(): string | undefined {
    return this.#why;
  }

  /** It waits until it was compared with enough others, and does not vote. */
  get isSuspect(): boolean {
    return this.#why === undefined && !this.mayVote;
  }

  /** Voters that it waits for. */
  get missing(): readonly bigint[] {
    const voters = this.#options.others().filter(({ isVoter }) => isVoter);
    return voters.filter(({ id }) => !this.#compared.has(id)).map(({ id }) => id);
  }

  /** What this member itself noted of its promises, on a disk of its own. */
  witnessed(floor: Floor): void {
    const { id, life, view } = this.#options;
    const loss = floor.id === id ? lossOf({ life, ...view() }, floor) : undefined;
    if (loss !== undefined) this.prove(loss);
  }

  /** The disk is older than what somebody remembers of it. */
  prove(why: string): void {
    if (this.#why !== undefined) return;
    this.#why = why;
    this.#options.proven(why);
  }

  /* Votes */

  get mayVote(): boolean {
    if (this.#why !== undefined) return false;
    if (!this.#hasVoted) this.#hasVoted = this.#isComparedEnough();
    return this.#hasVoted;
  }

  #isComparedEnough(): boolean {
    const { protection, life, waitMs, others, nowMs } = this.#options;
    const voters = others().filter(({ isVoter }) => isVoter);
    const compared = voters.filter(({ id }) => this.#compared.has(id));
    if (compared.length === voters.length) return true;
    if (protection === "strict") return this.#isCovered(voters.length, compared);
    // A member that never lived before has promised nothing.
    return life.epoch === 1 || this.#nowMs - nowMs >= waitMs;
  }

  /**
   * Some voters are missing. Whatever is committed is on a quorum, so that of n voters any
   * n - quorum + 1 others have all of it between them, and know of every term that was won: it is
   * enough to be as far as they were.
   */
  #isCovered(others: number, compared: readonly { readonly id: bigint }[]): boolean {
    const quorum = Math.floor((others + 1) / 2) + 1;
    if (compared.length < others + 1 - quorum + 1) return false;
    const { term, lastTerm, lastIndex } = this.#options.view();
    return compared.every(({ id }) => {
      const theirs = this.#compared.get(id) as Position;
      if (theirs.term >= term) return false;
      return (
        lastTerm > theirs.lastTerm ||
        (lastTerm === theirs.lastTerm && lastIndex >= theirs.lastIndex)
      );
    });
  }

  /* Messages out */

  /** Adds what the peer needs to know. False: it is not to be sent. */
  sends(message: Message): boolean {
    const { type } = message;
    if (this.#why !== undefined && type !== HELLO_RESP) return false;
    if (type === APP) message.note = this.#lifeNote;
    else if (type === APP_RESP || type === HEARTBEAT_RESP) message.note = this.#ackNoteNow();
    else if (TELLING.has(type)) message.note = this.#fullNote(message.to);
    return true;
  }

  /** Whoever counts an acknowledgement has to know of all lives that its sender knows of. */
  #ackNoteNow(): Buffer {
    const { life } = this.#options;
    this.#ackNote ??= encodePeerNote({ life, floors: [], epochs: this.floors.epochs() });
    return this.#ackNote;
  }

  #fullNote(to: bigint): Buffer {
    const { id, life, view } = this.#options;
    const floors = this.floors.all().filter((floor) => floor.id !== to && floor.id !== id);
    const { isLeaderOnDisk, term, applied } = view();
    const own = { ...this.floors.of(id), ...life };
    // It has voted for itself, and what it has applied is on its disk.
    floors.push(isLeaderOnDisk ? { ...own, term, votedTerm: term, stable: applied } : own);
    floors.push(this.floors.of(to));
    return encodePeerNote({ life, floors, epochs: [] });
  }

  /* Messages in */

  /** Whether the consensus may have it. */
  takes(message: Message): boolean {
    const { type, from } = message;
    const note = message.note === undefined ? undefined : decodePeerNote(message.note);
    if (note !== undefined) {
      if (this.#ours.size < MEMBERS_MAX) this.#ours.add(from);
      const sighting = this.#learn(message, note);
      if (type === HELLO) void this.#answer(from);
      if (sighting === "new" && this.#why === undefined) this.#greet(HELLO, from);
      if (sighting === "stale") return false;
    }
    if (type === HELLO || type === HELLO_RESP || this.#why !== undefined) return false;
    if (GUARDED.has(type) && this.#ours.has(from) && !this.#compared.has(from)) return false;
    if (ELECTING.has(type) && !this.mayVote) return false;
    this.#remember(message);
    return true;
  }

  #learn(message: Message, note: PeerNote): Sighting {
    const { id: self, reborn } = this.#options;
    const { from } = message;
    const before = this.floors.of(from).epoch;
    const sighting = this.floors.sighted(from, note.life);
    if (sighting === "new") {
      this.#ackNote = undefined;
      this.#compared.delete(from);
      if (before > 0) reborn(from);
    }
    for (const floor of note.floors) {
      if (floor.id === self) this.#judge(message, floor);
      else if (this.floors.merge(floor)) this.#raised(floor.id);
    }
    for (const row of note.epochs) {
      if (row.id !== self && this.floors.raise(row)) this.#raised(row.id);
    }
    return sighting;
  }

  #raised(id: bigint): void {
    this.#ackNote = undefined;
    this.#options.reborn(id);
  }

  /** Words from before the sender knew of this life may show a loss, never that there is none. */
  #judge(message: Message, floor: Floor): void {
    const { life, view } = this.#options;
    const loss = lossOf({ life, ...view() }, floor);
    if (loss !== undefined) return this.prove(loss);
    const isOfNow = floor.epoch === life.epoch && floor.nonce === life.nonce;
    if (message.type !== HELLO_RESP || !isOfNow) return;
    const { rejectHint, logTerm, index } = message;
    this.#compared.set(message.from, { term: rejectHint, lastTerm: logTerm, lastIndex: index });
  }

  /** What the sender can not take back. What a leader is it says itself, in notes. */
  #remember({ type, from, term, reject, index }: Message): void {
    if (!this.#ours.has(from)) return;
    if (type === VOTE_RESP) {
      this.floors.promised(from, { term, isVote: !reject });
    } else if (type === APP_RESP) {
      const { isLeader, term: own, committed } = this.#options.view();
      const isCounted = !reject && isLeader && term === own;
      const acked = isCounted ? { match: index, stable: Math.min(index, committed) } : {};
      this.floors.promised(from, { term, ...acked });
    }
  }

  /* Greetings */

  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#ticks += 1;
    if (this.#why !== undefined) return;
    const isEager = this.#ticks <= GREETINGS_EAGER || this.#ticks % GREETING_TICKS === 0;
    // A member that joins is heard before it knows who belongs to the cluster.
    const ids = new Set(this.#ours);
    if (isEager) for (const { id } of this.#options.others()) ids.add(id);
    for (const id of ids) if (!this.#compared.has(id)) this.#greet(HELLO, id);
  }

  /** What this member knows of the asker is on its disk before it is told. */
  async #answer(to: bigint): Promise<void> {
    if (this.floors.isDirty && !(await this.#options.save())) return;
    this.#greet(HELLO_RESP, to);
  }

  #greet(type: number, to: bigint): void {
    const { id, view, send } = this.#options;
    const message = { ...emptyRaftMessage(), type, from: id, to };
    const { term, lastTerm, lastIndex } = view();
    send({ ...message, rejectHint: term, logTerm: lastTerm, index: lastIndex });
  }
}
