/**
 * Random histories of a member's log, on a real write-ahead log with small segments and a small
 * cache, against the plain list of raft/: whatever is not pending is the same, and what is pending
 * is the same once it was read. The log is also found again as it was, by a start in the middle.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { MemoryStorage } from "../raft/index.ts";
import { SimulatedDisk } from "../testing/index.ts";
import { createWal, RangeReader, readWal, resumeWal, type Wal } from "../wal/index.ts";
import { emptyConfState, type Entry } from "../wire/index.ts";
import { RaftStorage, type StoredLog } from "./raft-storage.ts";

const RUNS = Number(process.env["PROP_RUNS"] ?? 40);
const STEPS = 400;
const DIRECTORY = "/wal";
const clock = { wallMs: () => 0, monotonicMs: () => 0 };
const walOptions = { clock, segmentBytes: 6000, zeroAheadBytes: 0 };

class History {
  readonly prng: Prng;
  readonly disk = new SimulatedDisk();
  readonly model = new MemoryStorage();
  wal!: Wal;
  storage!: RaftStorage;
  applied = 0;
  appliedTerm = 0;
  term = 1;
  reads = { memory: 0, disk: 0, compacted: 0 };
  #onLoaded: (() => void) | undefined;
  #failures: Error[] = [];

  constructor(seed: number) {
    this.prng = new Prng(seed);
  }

  async begin(): Promise<void> {
    const metadata = { nodeId: 1n, clusterId: 2n };
    this.wal = await createWal(this.disk, DIRECTORY, metadata, walOptions);
    const hardState = { term: 0, vote: 0n, commit: 0 };
    const reader = await readWal(this.disk, DIRECTORY, { index: 0, term: 0 });
    await reader.drain();
    const { terms } = reader;
    this.#open({ hardState, confState: emptyConfState(), applied: 0, terms, entries: [] });
  }

  #open(log: StoredLog): void {
    const ranges = new RangeReader(this.disk, this.wal);
    // Of this start: a read ahead that a crash ended belongs to the one before.
    const failures: Error[] = [];
    this.#failures = failures;
    this.storage = new RaftStorage({
      log,
      load: (lo, hi, bytesMax, termOf) => ranges.read(lo, hi, bytesMax, termOf),
      snapshotMetadata: () => undefined,
      onLoaded: () => this.#onLoaded?.(),
      onLoadFailed: (error) => failures.push(error),
      cacheBytesMax: this.prng.below(12_000),
      cacheEntriesMax: this.prng.below(80),
      pageBytesMax: 1 + this.prng.below(3000),
    });
  }

  /** Appends at the end, or in place of what is not applied yet. */
  async append(): Promise<void> {
    const { prng, model } = this;
    const last = model.lastIndex();
    const isReplacing = last > this.applied && prng.chance(0.15);
    const lo = isReplacing ? this.applied + 1 + prng.below(last - this.applied) : last + 1;
    if (isReplacing || prng.chance(0.1)) this.term += 1;
    const entries: Entry[] = [];
    for (let count = 1 + prng.below(20); count > 0; count -= 1) {
      const data = Buffer.alloc(prng.below(120), this.term);
      entries.push({ type: 0, term: this.term, index: lo + entries.length, data });
    }
    const written = this.wal.append(entries, { term: this.term, vote: 1n, commit: this.applied });
    this.storage.append(entries);
    model.append(entries);
    await written;
  }

  apply(): void {
    const last = this.model.lastIndex();
    this.applied += this.prng.below(last - this.applied + 1);
    this.appliedTerm = this.model.term(this.applied) as number;
    this.storage.setApplied(this.applied);
  }

  async release(): Promise<void> {
    const { wal, applied, appliedTerm } = this;
    if (applied === 0) return;
    await wal.saveSnapshot({ index: applied, term: appliedTerm });
    const index = this.model.firstIndex() - 1 + this.prng.below(applied + 2);
    const kept = Math.min(index, applied);
    this.storage.release(kept);
    this.model.compact(kept);
    wal.release(kept);
    await wal.purge(1 + this.prng.below(3));
  }

  async install(): Promise<void> {
    const { prng, model } = this;
    // Beyond the log, or in place of an end of it that is not the leader's.
    const reach = prng.chance(0.5) ? 30 : Math.max(1, model.lastIndex() - this.applied);
    const index = this.applied + 1 + prng.below(reach);
    this.term += 1;
    const snapshot = { index, term: this.term };
    const written = this.wal.installSnapshot(snapshot, {
      term: this.term,
      vote: 0n,
      commit: index,
    });
    this.storage.installSnapshot(snapshot);
    const metadata = { index, term: this.term, confState: emptyConfState() };
    model.applySnapshot({ data: Buffer.alloc(0), metadata });
    await written;
    this.applied = index;
    this.appliedTerm = this.term;
    this.storage.setApplied(index);
  }

  async read(): Promise<void> {
    const { prng, model, storage } = this;
    const first = model.firstIndex();
    const lo = Math.max(1, first - 2 + prng.below(model.lastIndex() - first + 4));
    if (lo > model.lastIndex()) return;
    const hi = lo + 1 + prng.below(model.lastIndex() + 1 - lo);
    const bytesMax = prng.below(4000);
    const wanted = model.entries(lo, hi, bytesMax);
    let got = storage.entries(lo, hi, bytesMax);
    if (got === "pending") {
      assert.ok(lo <= this.applied, "what is not applied is never pending");
      this.reads.disk += 1;
      await this.#loaded(lo);
      got = storage.entries(lo, hi, bytesMax);
    } else if (got === "compacted") this.reads.compacted += 1;
    else this.reads.memory += 1;
    if (wanted === "compacted" || typeof got === "string") {
      assert.equal(got, wanted);
      return;
    }
    assert.ok(got.length > 0 && got.length <= wanted.length);
    assert.deepEqual(got, wanted.slice(0, got.length));
    // Fewer only where a page ends.
    if (lo >= storage.cachedFrom) assert.equal(got.length, wanted.length);
  }

  async #loaded(lo: number): Promise<void> {
    while (this.storage.entries(lo, lo + 1, 1) === "pending") {
      await new Promise<void>((resolve) => {
        this.#onLoaded = resolve;
      });
    }
  }

  /** Stops and starts: the store stands at what was applied, or a little before. */
  async restart(): Promise<void> {
    const { applied, appliedTerm, disk } = this;
    await this.wal.close();
    if (this.prng.chance(0.5)) disk.crash(this.prng);
    const from = { index: applied, term: appliedTerm };
    const reader = await readWal(disk, DIRECTORY, from, this.prng.below(applied + 1));
    const entries: Entry[] = [];
    for await (const batch of reader.batches()) entries.push(...batch);
    const { terms, hardState } = reader;
    this.wal = await resumeWal(reader, walOptions);
    const { model } = this;
    assert.deepEqual(entries, model.entries(applied + 1, model.lastIndex() + 1, 1e9));
    // What was released may be readable again, and what is far back unknown: both are allowed.
    if (terms.baseIndex < model.firstIndex() - 1) terms.forget(model.firstIndex() - 1);
    else model.compact(terms.baseIndex);
    this.#open({ hardState, confState: emptyConfState(), applied, terms, entries });
  }

  check(): void {
    const { model, storage } = this;
    assert.deepEqual(this.#failures, []);
    assert.equal(storage.firstIndex(), model.firstIndex());
    assert.equal(storage.lastIndex(), model.lastIndex());
    const span = model.lastIndex() - model.firstIndex() + 4;
    const index = model.firstIndex() - 2 + this.prng.below(span);
    assert.equal(storage.term(index), model.term(index), `term of ${index}`);
  }

  async step(): Promise<void> {
    const roll = this.prng.below(100);
    if (roll < 40) await this.append();
    else if (roll < 60) this.apply();
    else if (roll < 90) await this.read();
    else if (roll < 96) await this.release();
    else if (roll < 98) await this.install();
    else await this.restart();
    this.check();
  }
}

test("raft storage: random histories → as a list in memory would say (RA-05, WL-08, WL-10)", async () => {
  const reads = { memory: 0, disk: 0, compacted: 0 };
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const history = new History(seed);
    try {
      await history.begin();
      for (let step = 0; step < STEPS; step += 1) await history.step();
      await history.wal.close();
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
    reads.memory += history.reads.memory;
    reads.disk += history.reads.disk;
    reads.compacted += history.reads.compacted;
  }
  assert.ok(Math.min(reads.memory, reads.disk, reads.compacted) > RUNS, JSON.stringify(reads));
});
