/** What must hold at every moment of a run, whatever the faults; a breach fails the run at once. */
import { createHash } from "node:crypto";
import {
  type AppliedPoint,
  MemoryBackend,
  type MemoryBackendOptions,
  type Table,
} from "../../src/backend/index.ts";
import type { NetworkEvent } from "../../src/testing/index.ts";
import { type Message, MessageType } from "../../src/wire/index.ts";

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
  readonly breaches: string[] = [];

  /** Election safety: at most one leader a term. */
  network({ fate, message }: NetworkEvent): void {
    if (fate !== "sent" || !isLeaders(message)) return;
    const known = this.leaders.get(message.term);
    if (known === undefined) this.leaders.set(message.term, message.from);
    else if (known !== message.from) {
      this.breaches.push(`two leaders in term ${message.term}: ${known} and ${message.from}`);
    }
  }

  /** State machine safety: the same entry and the same effects at an index, everywhere. */
  entryApplied(by: string, { index, term }: AppliedPoint, effects: string): void {
    const known = this.applied.get(index);
    if (known === undefined) {
      this.applied.set(index, { term, effects, by });
      return;
    }
    if (known.term !== term) {
      this.breaches.push(`index ${index}: term ${known.term} at ${known.by}, ${term} at ${by}`);
    } else if (known.effects !== effects) {
      this.breaches.push(`index ${index}: ${known.effects} at ${known.by}, ${effects} at ${by}`);
    }
  }

  /** No member may fail by itself: the disks of these runs are whole. */
  fatal(by: string, error: Error): void {
    this.breaches.push(`${by} failed: ${error.stack ?? error.message}`);
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
  /** Plans the settling of a batch. */
  readonly later: (run: () => void) => void;
}

/** A backend that takes some time to settle, and tells the effects of each entry. */
export class WatchedBackend extends MemoryBackend {
  readonly #options: WatchedBackendOptions;
  #effects: string[] = [];

  constructor(options: WatchedBackendOptions) {
    super({ ...options, settle: "manual" });
    this.#options = options;
  }

  override put(table: Table, key: Buffer, value: Buffer): void {
    super.put(table, key, value);
    if (isEffect(table, key)) this.#effects.push(effect(table, key, value));
  }

  override delete(table: Table, key: Buffer): void {
    super.delete(table, key);
    // Compaction takes records away at each member's own pace.
    if (isEffect(table, key) && table !== "key") this.#effects.push(effect(table, key, undefined));
  }

  override setApplied(point: AppliedPoint): void {
    // A store that is filled from a snapshot jumps.
    const isNext = point.index === this.applied.index + 1;
    super.setApplied(point);
    const { name, invariants } = this.#options;
    if (isNext) invariants.entryApplied(name, point, this.#effects.join(","));
    this.#effects = [];
  }

  override commit(): Promise<void> {
    const done = super.commit();
    this.#options.later(() => this.settleOldest());
    return done;
  }
}

const OWN_META = new Set(["consistent_index", "term", "finishedCompactRev"]);

function isEffect(table: Table, key: Buffer): boolean {
  return table !== "local" && !(table === "meta" && OWN_META.has(key.latin1Slice()));
}

function effect(table: Table, key: Buffer, value: Buffer | undefined): string {
  const content = value === undefined ? "gone" : createHash("md5").update(value).digest("hex");
  return `${table}/${key.toString("hex")}=${content.slice(0, 12)}`;
}
