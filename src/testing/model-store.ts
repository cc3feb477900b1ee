/**
 * The multi-version store as an array of everything that ever happened: slow, obviously right, and
 * the measure for rooms above the store. It has the shape of mvcc's `Store` without importing it.
 */
import type { Key } from "../base/index.ts";
import { type EncodedKeyValue, marshalKeyValue } from "../wire/index.ts";

export interface ModelQuery {
  readonly key: Key;
  readonly rangeEnd: Key;
  readonly revision: number;
  readonly limit: number;
  readonly countOnly: boolean;
  readonly keysOnly: boolean;
}

export interface ModelChange {
  readonly type: "put" | "delete";
  readonly key: Key;
  readonly record: EncodedKeyValue;
  readonly sub: number;
}

export interface ModelRevision {
  readonly revision: number;
  readonly changes: readonly ModelChange[];
}

interface Pair {
  readonly key: Key;
  readonly value: Buffer;
  readonly lease: bigint;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
}

const EMPTY = Buffer.alloc(0);

function encode(pair: Pair, isKeyOnly: boolean): EncodedKeyValue {
  return marshalKeyValue(isKeyOnly ? { ...pair, value: EMPTY, lease: 0n } : { ...pair });
}

export class ModelStore {
  currentRevision = 1;
  compactRevision = -1;
  isCompacting = false;
  keyCount = 0;
  /** The live pairs at each revision, newest last. */
  readonly #states: { revision: number; pairs: ReadonlyMap<Key, Pair> }[] = [
    { revision: 1, pairs: new Map() },
  ];
  readonly #history: ModelRevision[] = [];

  range(query: ModelQuery) {
    return this.rangeIn(this.#stateAt(query.revision), query, this.currentRevision);
  }

  rangeIn(pairs: ReadonlyMap<Key, Pair>, query: ModelQuery, current: number) {
    if (query.revision > current) return { kind: "future" } as const;
    if (query.revision > 0 && query.revision < this.compactRevision) {
      return { kind: "compacted" } as const;
    }
    const found = [...pairs.values()].filter((pair) => isIn(pair.key, query.key, query.rangeEnd));
    found.sort((a, b) => (a.key < b.key ? -1 : 1));
    const taken = query.limit > 0 ? found.slice(0, query.limit) : found;
    const kvs = query.countOnly ? [] : taken.map((pair) => encode(pair, query.keysOnly));
    return { kind: "ok", kvs, count: found.length } as const;
  }

  get(key: Key, revision: number): EncodedKeyValue | undefined {
    const pair = this.#stateAt(revision).get(key);
    return pair === undefined ? undefined : encode(pair, false);
  }

  #stateAt(revision: number): ReadonlyMap<Key, Pair> {
    const at = revision > 0 ? revision : this.currentRevision;
    return this.#states.findLast((state) => state.revision <= at)?.pairs ?? new Map();
  }

  begin(): ModelTransaction {
    return new ModelTransaction(this, new Map(this.#stateAt(0)));
  }

  publish(pairs: ReadonlyMap<Key, Pair>, changes: readonly ModelChange[]): ModelRevision {
    this.currentRevision += 1;
    this.#states.push({ revision: this.currentRevision, pairs });
    const made = { revision: this.currentRevision, changes };
    this.#history.push(made);
    return made;
  }

  compact(revision: number): "ok" | "compacted" | "future" {
    if (revision <= this.compactRevision) return "compacted";
    if (revision > this.currentRevision) return "future";
    this.compactRevision = revision;
    return "ok";
  }

  compactStep(): boolean {
    return false;
  }

  changesFrom(lo: number, maxChanges: number): ModelRevision[] | "compacted" {
    if (lo < this.compactRevision) return "compacted";
    const out: ModelRevision[] = [];
    let count = 0;
    for (const made of this.#history) {
      if (made.revision < lo) continue;
      if (count >= maxChanges) break;
      out.push(made);
      count += made.changes.length;
    }
    return out;
  }

  openRange(): never {
    throw new Error("model store: no cursors");
  }

  hashKv(): never {
    throw new Error("model store: no hashes");
  }

  /* For tests. */

  put(key: Key, value: string, lease = 0n): ModelRevision {
    const tx = this.begin();
    tx.put(key, Buffer.from(value), lease);
    return tx.end() as ModelRevision;
  }

  delete(key: Key, rangeEnd: Key = ""): ModelRevision | undefined {
    const tx = this.begin();
    tx.deleteRange(key, rangeEnd);
    return tx.end();
  }
}

export class ModelTransaction {
  readonly #store: ModelStore;
  readonly #pairs: Map<Key, Pair>;
  readonly #changes: ModelChange[] = [];
  readonly #base: number;

  constructor(store: ModelStore, pairs: Map<Key, Pair>) {
    this.#store = store;
    this.#pairs = pairs;
    this.#base = store.currentRevision;
  }

  get revision(): number {
    return this.#changes.length > 0 ? this.#base + 1 : this.#base;
  }

  range(query: ModelQuery) {
    if (query.revision > 0 && query.revision <= this.#base) return this.#store.range(query);
    return this.#store.rangeIn(this.#pairs, query, this.revision);
  }

  put(key: Key, value: Buffer, lease: bigint): void {
    const before = this.#pairs.get(key);
    const revision = this.#base + 1;
    const pair: Pair = {
      key,
      value: Buffer.from(value),
      lease,
      createRevision: before?.createRevision ?? revision,
      modRevision: revision,
      version: (before?.version ?? 0) + 1,
    };
    this.#pairs.set(key, pair);
    const sub = this.#changes.length;
    this.#changes.push({ type: "put", key, record: encode(pair, false), sub });
  }

  deleteRange(key: Key, rangeEnd: Key): Key[] {
    const keys = [...this.#pairs.keys()].filter((each) => isIn(each, key, rangeEnd)).sort();
    for (const each of keys) {
      this.#pairs.delete(each);
      const record = marshalKeyValue({
        key: each,
        createRevision: 0,
        modRevision: this.#base + 1,
        version: 0,
        value: EMPTY,
        lease: 0n,
      });
      this.#changes.push({ type: "delete", key: each, record, sub: this.#changes.length });
    }
    return keys;
  }

  end(): ModelRevision | undefined {
    if (this.#changes.length === 0) return undefined;
    return this.#store.publish(this.#pairs, this.#changes);
  }
}

function isIn(key: Key, lo: Key, rangeEnd: Key): boolean {
  if (rangeEnd === "") return key === lo;
  return key >= lo && (rangeEnd === "\0" || key < rangeEnd);
}
