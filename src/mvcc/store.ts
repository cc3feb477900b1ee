/**
 * The multi-version store over a backend: revisions, reads at any of them, one writer.
 *
 * Reads go from the index to the record; the write path is synchronous and touches neither clocks
 * nor promises. Read next: key-index.ts, write-transaction.ts, compaction.ts, restore.ts.
 */
import type { Backend } from "../backend/index.ts";
import { assert, type Key } from "../base/index.ts";
import type { EncodedKeyValue } from "../wire/index.ts";
import type { CheckpointFile } from "./checkpoint.ts";
import type { Compaction } from "./compaction.ts";
import { hashRecords } from "./hash-kv.ts";
import { type KeyIndex, LATEST } from "./key-index.ts";
import { CHANGES_BYTES_MAX, CHECKPOINT_LAST_SHARE, CHECKPOINT_RECORDS } from "./limits.ts";
import { isEmptySpan, refusalOf, spanOf, type Span } from "./range.ts";
import { changeOf, keyOnlyRecord, readRecord, recordSize } from "./records.ts";
import { StoreCursor } from "./range-cursor.ts";
import { lowestKey, mainOf, subOf } from "./revision.ts";
import type {
  Change,
  CheckpointingStore,
  CompactOutcome,
  HashOutcome,
  RangeCursor,
  RangeOutcome,
  RangeQuery,
  RevisionChanges,
  WriteTransaction,
} from "./types.ts";
import { StoreTransaction, type TransactionHost } from "./write-transaction.ts";

export interface StoreParts {
  readonly backend: Backend;
  readonly index: KeyIndex;
  readonly compaction: Compaction;
  readonly checkpoint: CheckpointFile | undefined;
  readonly currentRevision: number;
  /** Records read at the start beside the checkpoint. */
  readonly tailRecords: number;
  yieldToLoop(): Promise<void>;
}

export class MvccStore implements CheckpointingStore, TransactionHost {
  readonly backend: Backend;
  readonly index: KeyIndex;
  currentRevision: number;
  readonly #compaction: Compaction;
  readonly #checkpoint: CheckpointFile | undefined;
  readonly #yieldToLoop: () => Promise<void>;
  #isCheckpointing = false;
  /** Records that a start would have to read beside the checkpoint: many may share a revision. */
  #tailRecords: number;
  #isWriting = false;

  constructor(parts: StoreParts) {
    this.backend = parts.backend;
    this.index = parts.index;
    this.currentRevision = parts.currentRevision;
    this.#tailRecords = parts.tailRecords;
    this.#compaction = parts.compaction;
    this.#checkpoint = parts.checkpoint;
    this.#yieldToLoop = parts.yieldToLoop;
    this.#compaction.onTombstoneDropped = (main) => parts.checkpoint?.noteTombstoneDropped(main);
  }

  get compactRevision(): number {
    return this.#compaction.revision;
  }

  get keyCount(): number {
    return this.index.liveKeys;
  }

  get isCompacting(): boolean {
    return this.#compaction.isRunning;
  }

  range(query: RangeQuery): RangeOutcome {
    return this.rangeAt(query, this.currentRevision);
  }

  rangeAt(query: RangeQuery, currentRevision: number): RangeOutcome {
    const refusal = refusalOf(query, currentRevision, this.compactRevision);
    if (refusal !== undefined) return { kind: refusal };
    const revision = query.revision <= 0 ? LATEST : query.revision;
    const span = spanOf(query.key, query.rangeEnd);
    if (span.isPoint) return this.#point(query, revision);
    if (isEmptySpan(span)) return { kind: "ok", kvs: [], count: 0 };
    const kvs = query.countOnly ? [] : this.#collect(query, span, revision);
    const isWhole = !query.countOnly && (query.limit <= 0 || kvs.length < query.limit);
    const count = isWhole ? kvs.length : this.index.count(span.lo, span.hi, revision);
    return { kind: "ok", kvs, count };
  }

  openRange(query: RangeQuery): RangeCursor | "compacted" | "future" {
    const refusal = refusalOf(query, this.currentRevision, this.compactRevision);
    if (refusal !== undefined) return refusal;
    const revision = query.revision <= 0 ? this.currentRevision : query.revision;
    return new StoreCursor(this, query, revision);
  }

  get(key: Key, revision: number): EncodedKeyValue | undefined {
    if (revision > 0 && revision < this.compactRevision) return undefined;
    if (!this.index.locate(key, revision <= 0 ? LATEST : revision)) return undefined;
    return readRecord(this.backend, this.index.main, this.index.sub);
  }

  begin(): WriteTransaction {
    assert(!this.#isWriting, "one write transaction at a time");
    this.#isWriting = true;
    return new StoreTransaction(this);
  }

  endTransaction(changes: RevisionChanges | undefined): void {
    this.#isWriting = false;
    if (changes === undefined) return;
    this.currentRevision = changes.revision;
    this.#tailRecords += changes.changes.length;
  }

  compact(revision: number): CompactOutcome {
    if (revision <= this.compactRevision) return "compacted";
    if (revision > this.currentRevision) return "future";
    this.#compaction.schedule(revision);
    return "ok";
  }

  compactStep(maxRecords: number): boolean {
    assert(!this.#isWriting, "no scrubbing inside a transaction");
    return this.#compaction.step(maxRecords);
  }

  changesFrom(lo: number, maxChanges: number): RevisionChanges[] | "compacted" {
    if (lo < this.compactRevision) return "compacted";
    const found: RevisionChanges[] = [];
    let changes: Change[] = [];
    let main = 0;
    let count = 0;
    let bytes = 0;
    let from: Buffer = lowestKey(Math.max(0, lo));
    while (lo <= this.currentRevision) {
      const rows = this.backend.scan("key", from, undefined, maxChanges + 1, CHANGES_BYTES_MAX);
      for (const row of rows) {
        const next = mainOf(row.key);
        if (next !== main) {
          if (count >= maxChanges || bytes >= CHANGES_BYTES_MAX) return found;
          changes = [];
          main = next;
          found.push({ revision: main, changes });
        }
        changes.push(changeOf(row, main, subOf(row.key)));
        count += 1;
        bytes += row.value.length;
      }
      const last = rows.at(-1);
      if (last === undefined) break;
      from = Buffer.concat([last.key, Buffer.of(0)]);
    }
    return found;
  }

  async hashKv(
    revision: number,
    rest?: () => Promise<void>,
  ): Promise<HashOutcome | "compacted" | "future"> {
    const compactRevision = this.compactRevision;
    if (revision > 0 && revision < compactRevision) return "compacted";
    if (revision > this.currentRevision) return "future";
    const hashRevision = revision <= 0 ? this.currentRevision : revision;
    this.#compaction.hold();
    try {
      await this.backend.commit();
      const view = this.backend.openReadView();
      try {
        const hash = await hashRecords({
          view,
          index: this.index,
          revision: hashRevision,
          compactRevision,
          yieldToLoop: rest ?? this.#yieldToLoop,
        });
        return { hash, compactRevision, hashRevision };
      } finally {
        view.close();
      }
    } finally {
      this.#compaction.release();
    }
  }

  isCheckpointDue(isLast: boolean): boolean {
    if (this.#checkpoint === undefined || this.isCompacting || this.#isCheckpointing) return false;
    const share = isLast ? CHECKPOINT_LAST_SHARE : 1;
    return this.#tailRecords >= Math.max(CHECKPOINT_RECORDS, this.index.keys * share);
  }

  async checkpoint(): Promise<boolean> {
    if (this.#checkpoint === undefined || this.isCompacting || this.#isCheckpointing) return false;
    if (this.#checkpoint.revision === this.currentRevision) return true;
    this.#isCheckpointing = true;
    this.#compaction.hold();
    try {
      const before = this.#tailRecords;
      await this.#checkpoint.write(this.index, this.currentRevision);
      this.#tailRecords -= before;
      return true;
    } finally {
      this.#compaction.release();
      this.#isCheckpointing = false;
    }
  }

  #point(query: RangeQuery, revision: number): RangeOutcome {
    const { index } = this;
    const slot = index.slotOf(query.key);
    if (slot === -1 || !index.locateSlot(slot, revision)) return { kind: "ok", kvs: [], count: 0 };
    if (query.countOnly) return { kind: "ok", kvs: [], count: 1 };
    return { kind: "ok", kvs: [this.record(query, query.key, slot)], count: 1 };
  }

  #collect(query: RangeQuery, span: Span, revision: number): EncodedKeyValue[] {
    const kvs: EncodedKeyValue[] = [];
    const limit = query.limit <= 0 ? Number.POSITIVE_INFINITY : query.limit;
    this.index.walk(span.lo, span.hi, revision, (key, slot) => {
      kvs.push(this.record(query, key, slot));
      return kvs.length < limit;
    });
    return kvs;
  }

  /** Bytes of the record that the index has just located. */
  recordBytes(query: RangeQuery, key: Key, slot: number): number {
    const { index, backend } = this;
    if (query.keysOnly) return this.record(query, key, slot).length;
    return recordSize(backend, index.main, index.sub);
  }

  /** The record that the index has just located. */
  record(query: RangeQuery, key: Key, slot: number): EncodedKeyValue {
    const { index, backend } = this;
    if (!query.keysOnly) return readRecord(backend, index.main, index.sub);
    return keyOnlyRecord(backend, index, key, slot, query.keysOnlyWithLease === true);
  }
}
