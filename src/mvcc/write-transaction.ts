import type { Backend } from "../backend/index.ts";
import { assert, type Key } from "../base/index.ts";
import { marshalKeyValue } from "../wire/index.ts";
import { isEmptySpan, spanOf } from "./range.ts";
import { deletedRecord, tombstoneRecord } from "./records.ts";
import { revisionKey } from "./revision.ts";
import { type KeyIndex, LATEST } from "./key-index.ts";
import type {
  Change,
  RangeOutcome,
  RangeQuery,
  RevisionChanges,
  WriteTransaction,
} from "./types.ts";

/** What a transaction needs of its store. */
export interface TransactionHost {
  readonly backend: Backend;
  readonly index: KeyIndex;
  readonly currentRevision: number;
  rangeAt(query: RangeQuery, currentRevision: number): RangeOutcome;
  endTransaction(changes: RevisionChanges | undefined): void;
}

/** Writes go to index and backend at once: what could refuse a request was checked before. */
export class StoreTransaction implements WriteTransaction {
  readonly #host: TransactionHost;
  /** The revision that this transaction makes, if it changes anything. */
  readonly #main: number;
  readonly #changes: Change[] = [];
  #isOpen = true;

  constructor(host: TransactionHost) {
    this.#host = host;
    this.#main = host.currentRevision + 1;
  }

  get revision(): number {
    return this.#changes.length === 0 ? this.#main - 1 : this.#main;
  }

  range(query: RangeQuery): RangeOutcome {
    return this.#host.rangeAt(query, this.revision);
  }

  put(key: Key, value: Buffer, lease: bigint): void {
    assert(this.#isOpen, "a transaction is open while it writes");
    const { index, backend } = this.#host;
    const main = this.#main;
    const sub = this.#changes.length;
    index.put(key, main, sub, lease);
    const record = marshalKeyValue({
      key,
      createRevision: index.create,
      modRevision: main,
      version: index.version,
      value,
      lease,
    });
    backend.put("key", revisionKey(main, sub, false), record);
    this.#changes.push({ type: "put", key, record, sub });
  }

  deleteRange(key: Key, rangeEnd: Key): Key[] {
    assert(this.#isOpen, "a transaction is open while it writes");
    const { index } = this.#host;
    const span = spanOf(key, rangeEnd);
    const keys: Key[] = [];
    if (span.isPoint) {
      if (this.#delete(key)) keys.push(key);
      return keys;
    }
    if (isEmptySpan(span)) return keys;
    index.walk(span.lo, span.hi, LATEST, (found) => {
      keys.push(found);
      return true;
    });
    for (const found of keys) this.#delete(found);
    return keys;
  }

  end(): RevisionChanges | undefined {
    assert(this.#isOpen, "a transaction ends once");
    this.#isOpen = false;
    const isChanged = this.#changes.length > 0;
    const changes = isChanged ? { revision: this.#main, changes: this.#changes } : undefined;
    this.#host.endTransaction(changes);
    return changes;
  }

  #delete(key: Key): boolean {
    const { index, backend } = this.#host;
    const main = this.#main;
    const sub = this.#changes.length;
    if (!index.tombstone(key, main, sub)) return false;
    backend.put("key", revisionKey(main, sub, true), tombstoneRecord(key));
    this.#changes.push({ type: "delete", key, record: deletedRecord(key, main), sub });
    return true;
  }
}
