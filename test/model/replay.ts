/**
 * The multi-version store as it ought to be: every key's versions, in order of revisions. It
 * answers any request as of any revision, and so is the measure for what clients were told.
 */
import type {
  Compare,
  HistoryEvent,
  KvRequest,
  Operation,
  Pair,
  Response,
  Result,
} from "./history.ts";

/** A key at one revision; `pair` undefined = deleted then. */
interface Version {
  readonly revision: number;
  readonly pair: Pair | undefined;
}

export interface Effect {
  readonly events: readonly HistoryEvent[];
  readonly isSuccess: boolean;
  readonly results: readonly Result[];
}

/** Whether `key` is in [lo, end), as etcd writes ranges. */
export function isInRange(key: string, lo: string, rangeEnd: string): boolean {
  if (rangeEnd === "") return key === lo;
  return key >= lo && (rangeEnd === "\0" || key < rangeEnd);
}

export class Replay {
  /** In order of keys. */
  readonly #keys: string[] = [];
  readonly #versions = new Map<string, Version[]>();
  #revision = 1;

  /** The last that was appended. */
  get revision(): number {
    return this.#revision;
  }

  append(revision: number, events: readonly HistoryEvent[]): void {
    this.#revision = revision;
    for (const { type, pair } of events) {
      let versions = this.#versions.get(pair.key);
      if (versions === undefined) {
        this.#versions.set(pair.key, (versions = []));
        this.#keys.splice(this.#place(pair.key), 0, pair.key);
      }
      versions.push({ revision, pair: type === "put" ? pair : undefined });
    }
  }

  /** Takes the newest revision back; it must be known which keys it was about. */
  retract(revision: number, events: readonly HistoryEvent[]): void {
    for (const { pair } of events) {
      const versions = this.#versions.get(pair.key);
      if (versions?.at(-1)?.revision === revision) versions.pop();
    }
    this.#revision = revision - 1;
  }

  get(key: string, revision = this.#revision): Pair | undefined {
    const versions = this.#versions.get(key);
    if (versions === undefined) return undefined;
    let lo = 0;
    let hi = versions.length;
    while (lo < hi) {
      const middle = (lo + hi) >>> 1;
      if ((versions[middle] as Version).revision <= revision) lo = middle + 1;
      else hi = middle;
    }
    return versions[lo - 1]?.pair;
  }

  range(key: string, rangeEnd: string, revision = this.#revision): Pair[] {
    if (rangeEnd === "") {
      const pair = this.get(key, revision);
      return pair === undefined ? [] : [pair];
    }
    const pairs: Pair[] = [];
    for (let at = this.#place(key); at < this.#keys.length; at += 1) {
      const next = this.#keys[at] as string;
      if (!isInRange(next, key, rangeEnd)) break;
      const pair = this.get(next, revision);
      if (pair !== undefined) pairs.push(pair);
    }
    return pairs;
  }

  /** Keys that hang on each lease now. */
  leased(): Map<string, Set<string>> {
    const leases = new Map<string, Set<string>>();
    for (const { key, lease } of this.range("", "\0")) {
      if (lease === "0") continue;
      const keys = leases.get(lease) ?? new Set();
      leases.set(lease, keys.add(key));
    }
    return leases;
  }

  #place(key: string): number {
    let lo = 0;
    let hi = this.#keys.length;
    while (lo < hi) {
      const middle = (lo + hi) >>> 1;
      if ((this.#keys[middle] as string) < key) lo = middle + 1;
      else hi = middle;
    }
    return lo;
  }

  /** What the request does and answers on the state at `revision`; nothing is changed here. */
  execute(request: KvRequest, revision = this.#revision): Effect {
    const isSuccess = request.compares.every((compare) => this.#holds(compare, revision));
    const operations = isSuccess ? request.success : request.failure;
    const own = new Map<string, Pair | undefined>();
    const events: HistoryEvent[] = [];
    const results = operations.map((operation) =>
      this.#perform(operation, { base: revision, own, events }),
    );
    return { events, isSuccess, results };
  }

  #holds(compare: Compare, revision: number): boolean {
    const pair = this.get(compare.key, revision);
    switch (compare.target) {
      case "modRevision":
        return (pair?.modRevision ?? 0) === compare.value;
      case "createRevision":
        return (pair?.createRevision ?? 0) === compare.value;
      case "version":
        return (pair?.version ?? 0) === compare.value;
      default:
        // The value of a key that is not there equals nothing.
        return pair?.value === compare.value;
    }
  }

  #perform(operation: Operation, run: Run): Result {
    const { base, own, events } = run;
    const now = (key: string): Pair | undefined =>
      own.has(key) ? own.get(key) : this.get(key, base);
    if (operation.kind === "put") {
      const { key, value, lease } = operation;
      const before = now(key);
      const modRevision = base + 1;
      const pair: Pair = {
        key,
        value,
        lease,
        modRevision,
        createRevision: before?.createRevision ?? modRevision,
        version: (before?.version ?? 0) + 1,
      };
      own.set(key, pair);
      events.push({ type: "put", pair });
      return { kind: "put", previous: operation.wantsPrevious === true ? before : undefined };
    }
    const { key, rangeEnd } = operation;
    if (operation.kind === "delete") {
      const keys = this.#current(key, rangeEnd, run).map((pair) => pair.key);
      for (const each of keys) {
        own.set(each, undefined);
        events.push({ type: "delete", pair: deletedPair(each, base + 1) });
      }
      return { kind: "delete", deleted: keys.length };
    }
    const isOld = operation.revision > 0 && operation.revision <= base;
    const pairs = isOld
      ? this.range(key, rangeEnd, operation.revision)
      : this.#current(key, rangeEnd, run);
    const taken = operation.limit > 0 ? pairs.slice(0, operation.limit) : pairs;
    return { kind: "range", pairs: taken, count: pairs.length };
  }

  #current(key: string, rangeEnd: string, { base, own }: Run): Pair[] {
    const pairs = this.range(key, rangeEnd, base).filter((pair) => !own.has(pair.key));
    for (const pair of own.values()) {
      if (pair !== undefined && isInRange(pair.key, key, rangeEnd)) pairs.push(pair);
    }
    return pairs.sort((a, b) => (a.key < b.key ? -1 : 1));
  }
}

interface Run {
  readonly base: number;
  /** What the request itself has written so far. */
  readonly own: Map<string, Pair | undefined>;
  readonly events: HistoryEvent[];
}

export function deletedPair(key: string, modRevision: number): Pair {
  return { key, value: "", createRevision: 0, modRevision, version: 0, lease: "0" };
}

/** Why the two are not the same answer; undefined = they are. */
export function answersDiffer(told: Response, due: Effect): string | undefined {
  if (told.isSuccess !== due.isSuccess) {
    return `its compares ${told.isSuccess ? "held" : "failed"}, but ought not to have`;
  }
  for (const [at, result] of due.results.entries()) {
    const got = told.results[at];
    if (got !== undefined && sameResult(got, result)) continue;
    return `it was told ${brief(got)}, due was ${brief(result)}`;
  }
  return undefined;
}

function sameResult(a: Result, b: Result): boolean {
  if (a.kind === "put") return b.kind === "put" && samePair(a.previous, b.previous);
  if (a.kind === "delete") return b.kind === "delete" && a.deleted === b.deleted;
  if (b.kind !== "range" || a.count !== b.count || a.pairs.length !== b.pairs.length) return false;
  return a.pairs.every((pair, at) => samePair(pair, b.pairs[at]));
}

export function sameEvents(a: readonly HistoryEvent[], b: readonly HistoryEvent[]): boolean {
  return a.length === b.length && a.every((event, at) => sameEvent(event, b[at]));
}

export function sameEvent(a: HistoryEvent, b: HistoryEvent | undefined): boolean {
  return b !== undefined && a.type === b.type && samePair(a.pair, b.pair);
}

export function samePair(a: Pair | undefined, b: Pair | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.key === b.key &&
    a.value === b.value &&
    a.createRevision === b.createRevision &&
    a.modRevision === b.modRevision &&
    a.version === b.version &&
    a.lease === b.lease
  );
}

function brief(result: Result | undefined): string {
  return result === undefined ? "nothing" : JSON.stringify(result).slice(0, 300);
}
