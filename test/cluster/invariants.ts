/** What must hold at every moment of a run, whatever the faults; a breach fails the run at once. */
import {
  type AppliedPoint,
  MemoryBackend,
  type MemoryBackendOptions,
  type Table,
} from "../../src/backend/index.ts";
import { crc32c } from "../../src/base/index.ts";
import type { NetworkEvent } from "../../src/testing/index.ts";
import { type Entry, keyValueKey, type Message, MessageType } from "../../src/wire/index.ts";
import type { HistoryEvent } from "../model/history.ts";
import { deletedPair } from "../model/replay.ts";
import { pairOf } from "./member-endpoint.ts";

/** A row of table `key`. */
interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** What one entry did to the store. */
interface Effects {
  readonly text: string;
  readonly rows: readonly Row[];
}

/** Of a revision in table `key`; a deletion's has a mark behind it. */
const REVISION_BYTES = 17;

interface AppliedEntry {
  readonly term: number;
  readonly effects: string;
  readonly by: string;
}

export class Invariants {
  /** Term -> who acted as its leader. */
  readonly leaders = new Map<number, bigint>();
  /** Index -> what the first member to apply it made of it. */
  readonly applied = new Map<number, AppliedEntry>();
  /** Revision -> what the first member to apply it changed, as clients see it. */
  readonly chronicle = new Map<number, readonly HistoryEvent[]>();
  readonly breaches: string[] = [];
  /** "member/term" -> for whom it voted. */
  readonly #votes = new Map<string, bigint>();
  /** Members made to go wrong on purpose: what they make of entries is not judged. */
  readonly excused = new Set<string>();
  /** "index/term" -> the term of the entry before it, and its content. */
  readonly #logs = new Map<string, { readonly before: number; readonly entry: Entry }>();

  /** Election safety: at most one leader a term, one vote of a member. Log matching: `#append`. */
  network({ fate, message }: NetworkEvent): void {
    if (fate === "sent" && message.type === MessageType.VOTE_RESP) this.#vote(message);
    if (fate !== "sent" || !isLeaders(message)) return;
    if (message.type === MessageType.APP) this.#append(message);
    const known = this.leaders.get(message.term);
    if (known === undefined) this.leaders.set(message.term, message.from);
    else if (known !== message.from) {
      this.breaches.push(
        `leader: two leaders in term ${message.term}: ${known} and ${message.from}`,
      );
    }
  }

  #vote({ from, to, term, reject }: Message): void {
    if (reject) return;
    const vote = `${from}/${term}`;
    const known = this.#votes.get(vote);
    if (known === undefined) this.#votes.set(vote, to);
    else if (known !== to) {
      this.breaches.push(`leader: ${from} voted twice in term ${term}: for ${known} and ${to}`);
    }
  }

  /** Log matching: an index and a term name one entry, and one entry before it. */
  #append({ entries, logTerm }: Message): void {
    let before = logTerm;
    for (const entry of entries) {
      const place = `${entry.index}/${entry.term}`;
      const known = this.#logs.get(place);
      if (known === undefined) this.#logs.set(place, { before, entry });
      else if (known.before !== before || !known.entry.data.equals(entry.data)) {
        this.breaches.push(`log matching: two different logs up to ${place}`);
      }
      before = entry.term;
    }
  }

  /** State machine safety: the same entry and the same effects at an index, everywhere. */
  entryApplied(by: string, { index, term }: AppliedPoint, effects: Effects): void {
    if (this.excused.has(by)) return;
    const known = this.applied.get(index);
    if (known === undefined) {
      this.applied.set(index, { term, effects: effects.text, by });
      this.#chronicle(effects.rows);
      return;
    }
    if (known.term !== term) {
      this.breaches.push(
        `state machine: index ${index}: term ${known.term} at ${known.by}, ${term} at ${by}`,
      );
    } else if (known.effects !== effects.text) {
      this.breaches.push(
        `state machine: index ${index}: ${known.effects} at ${known.by}, ${effects.text} at ${by}`,
      );
    }
  }

  #chronicle(rows: readonly Row[]): void {
    const events = new Map<number, HistoryEvent[]>();
    for (const { key, value } of rows) {
      const revision = Number(key.readBigUInt64BE(0));
      const list = events.get(revision) ?? [];
      events.set(revision, list);
      if (key.length === REVISION_BYTES) list.push({ type: "put", pair: pairOf(value) });
      else list.push({ type: "delete", pair: deletedPair(keyValueKey(value), revision) });
    }
    for (const [revision, list] of events) {
      if (this.chronicle.has(revision)) this.breaches.push(`revision ${revision} was made twice`);
      this.chronicle.set(revision, list);
    }
  }

  /** Every entry moves the applied index by one, whatever it is about. */
  jumped(by: string, from: number, to: number): void {
    if (this.excused.has(by)) return;
    this.breaches.push(`state machine: ${by} went from index ${from} to ${to} at once`);
  }

  /** No member may fail by itself: the disks of these runs are whole. */
  fatal(by: string, error: Error): void {
    this.breaches.push(`member failed: ${by}: ${error.stack ?? error.message}`);
  }

  check(): void {
    if (this.breaches.length > 0) throw new Error(`breach: ${this.breaches.join("; ")}`);
  }
}

function isLeaders({ type }: Message): boolean {
  return (
    type === MessageType.APP || type === MessageType.HEARTBEAT || type === MessageType.TIMEOUT_NOW
  );
}

export interface WatchedBackendOptions extends MemoryBackendOptions {
  readonly name: string;
  readonly invariants: Invariants;
  /** An entry that was applied wrongly on purpose, whose effects are on this medium. */
  readonly strike: () => { readonly index: number; effects: string | undefined } | undefined;
  /** Plans the settling of a batch. */
  readonly later: (run: () => void) => void;
}

/** A backend that takes some time to settle, and tells the effects of each entry. */
export class WatchedBackend extends MemoryBackend {
  readonly #options: WatchedBackendOptions;
  #effects: string[] = [];
  #rows: Row[] = [];

  constructor(options: WatchedBackendOptions) {
    super({ ...options, settle: "manual" });
    this.#options = options;
  }

  override put(table: Table, key: Buffer, value: Buffer): void {
    super.put(table, key, value);
    if (isEffect(table, key)) this.#effects.push(effect(table, key, value));
    if (table === "key") this.#rows.push({ key: Buffer.from(key), value });
  }

  override delete(table: Table, key: Buffer): void {
    super.delete(table, key);
    // Compaction takes records away at each member's own pace.
    if (isEffect(table, key) && table !== "key") this.#effects.push(effect(table, key, undefined));
  }

  override setApplied(point: AppliedPoint): void {
    const { index } = this.applied;
    // A store that is filled from a snapshot jumps.
    const isNext = point.index === index + 1;
    super.setApplied(point);
    const text = this.#effects.join(",");
    const rows = this.#rows;
    this.#effects = [];
    this.#rows = [];
    const { name, invariants, strike } = this.#options;
    const struck = strike();
    if (struck !== undefined) {
      if (struck.index === point.index) struck.effects ??= text;
      return;
    }
    if (index > 0 && point.index !== index && !isNext) invariants.jumped(name, index, point.index);
    if (isNext) invariants.entryApplied(name, point, { text, rows });
  }

  override commit(): Promise<void> {
    const done = super.commit();
    this.#options.later(() => this.settleOldest());
    return done;
  }
}

const OWN_META = new Set(["consistent_index", "term", "finishedCompactRev", "holdfast_digest"]);

function isEffect(table: Table, key: Buffer): boolean {
  return table !== "local" && !(table === "meta" && OWN_META.has(key.latin1Slice()));
}

function effect(table: Table, key: Buffer, value: Buffer | undefined): string {
  const content = value === undefined ? "gone" : `${value.length}:${crc32c(0, value)}`;
  return `${table}/${key.toString("hex")}=${content}`;
}
