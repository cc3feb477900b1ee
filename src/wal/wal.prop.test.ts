/**
 * Crashes at any moment, again and again: what was acknowledged is there, in order, with its
 * content; what is there beyond it is what was sent, in order. The log is opened, repaired and
 * appended to after each crash, on the same disk.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { Prng } from "../base/index.ts";
import { DiskCrashed, SimulatedDisk } from "../testing/index.ts";
import type { Entry } from "../wire/index.ts";
import { clock, DIRECTORY, METADATA, readAll } from "./fixture.test.ts";
import { createWal, resumeWal } from "./open.ts";
import type { LogPoint } from "./reader.ts";
import { walExists } from "./segment.ts";
import type { Wal } from "./wal.ts";

const SEEDS = Number(process.env["PROP_RUNS"] ?? 60);
const SEGMENT_BYTES = 24_000;

class World {
  readonly prng: Prng;
  readonly disk: SimulatedDisk;
  /** What may stand at an index: the entry acknowledged there and what was sent after it. */
  sent = new Map<number, Entry[]>();
  acknowledged = 0;
  /** The store: durable up to here, so the log before may go. */
  store: LogPoint = { index: 0, term: 0 };
  term = 1;
  #order = 0;
  /** The newest append that replaced what others had sent. */
  #replacedAt = 0;
  #calls = 0;
  /** The call of the disk at which the machine stops. */
  #crashAt = 0;
  #crashed: (() => void) | undefined;

  constructor(seed: number) {
    this.prng = new Prng(seed);
    this.disk = new SimulatedDisk({
      delay: async () => {
        this.#calls += 1;
        if (this.#calls === this.#crashAt) this.#crashed?.();
        await Promise.resolve();
      },
    });
  }

  /** Runs `work` until it ends or the machine stops under it. */
  async untilCrash(work: (epoch: number) => Promise<void>): Promise<void> {
    this.#crashAt = this.#calls + 1 + this.prng.below(60);
    const crashed = new Promise<void>((resolve) => {
      this.#crashed = () => {
        this.disk.crash(this.prng);
        resolve();
      };
    });
    await Promise.race([
      crashed,
      work(this.disk.epoch).catch((error: unknown) => this.#expected(error)),
    ]);
    this.#crashed = undefined;
    this.disk.crash(this.prng);
  }

  #expected(error: unknown): void {
    const name = error instanceof Error ? error.name : "";
    if (name !== "DiskCrashed" && name !== "WalFailed") throw error;
  }

  async open(): Promise<Wal> {
    const disk = this.disk.session();
    const zeroAheadBytes = this.prng.chance(0.5) ? 0 : 4096;
    const options = { clock, segmentBytes: SEGMENT_BYTES, zeroAheadBytes };
    if (!(await walExists(disk, DIRECTORY))) {
      assert.equal(this.acknowledged, 0);
      await disk.makeDirectory("/member");
      await disk.syncDirectory("/");
      return createWal(disk, DIRECTORY, METADATA, options);
    }
    const { reader, entries } = await readAll(disk, this.store);
    const first = entries[0]?.index ?? this.store.index + 1;
    assert.equal(first, this.store.index + 1);
    assert.ok(reader.lastIndex >= this.acknowledged, `${reader.lastIndex} < ${this.acknowledged}`);
    for (const entry of entries) {
      const found = this.sent.get(entry.index)?.some((sent) => isDeepStrictEqual(sent, entry));
      assert.ok(found, `entry ${entry.index} is none that was sent`);
    }
    this.sent = new Map(entries.map((entry) => [entry.index, [entry]]));
    const wal = await resumeWal(reader, options);
    this.term = Math.max(this.term, reader.hardState.term) + 1;
    return wal;
  }

  async run(wal: Wal, epoch: number): Promise<void> {
    const appends: Promise<void>[] = [];
    for (let round = 0; round < 40; round += 1) {
      // A process whose machine has stopped does nothing more.
      if (this.disk.epoch !== epoch) throw new DiskCrashed();
      const append = this.#append(wal);
      // Awaited below, unless the machine stops before.
      append.catch(() => undefined);
      appends.push(append);
      if (this.prng.chance(0.3)) await Promise.all(appends);
      if (this.disk.epoch === epoch && this.prng.chance(0.1)) await this.#release(wal);
    }
    await Promise.all(appends);
    if (this.prng.chance(0.5)) await wal.close();
  }

  async #append(wal: Wal): Promise<void> {
    // Sometimes what was not acknowledged is replaced, as a new leader would.
    const isReplacing = this.prng.chance(0.1);
    const from = isReplacing ? this.acknowledged + 1 : wal.lastIndex + 1;
    if (isReplacing) this.#replacedAt = this.#order + 1;
    const lo = Math.max(from, this.store.index + 1);
    const batch: Entry[] = [];
    for (let count = 1 + this.prng.below(5); count > 0; count -= 1) {
      const size = this.prng.chance(0.1) ? this.prng.below(5000) : this.prng.below(200);
      const data = this.prng.chance(0.2) ? Buffer.alloc(size) : this.prng.bytes(size);
      batch.push({ type: 0, term: this.term, index: lo + batch.length, data });
    }
    for (const entry of batch) {
      this.sent.set(entry.index, [...(this.sent.get(entry.index) ?? []), entry]);
    }
    const order = (this.#order += 1);
    const last = lo + batch.length - 1;
    await wal.append(batch, { term: this.term, vote: 1n, commit: this.acknowledged });
    for (const entry of batch) {
      const versions = this.sent.get(entry.index) ?? [];
      this.sent.set(entry.index, versions.slice(versions.indexOf(entry)));
    }
    // What a later append replaced or cut off meanwhile does not count.
    if (order >= this.#replacedAt) this.acknowledged = Math.max(this.acknowledged, last);
  }

  async #release(wal: Wal): Promise<void> {
    const index = this.acknowledged;
    const entry = this.sent.get(index)?.[0];
    if (entry === undefined || index <= this.store.index) return;
    this.store = { index, term: entry.term };
    await wal.saveSnapshot(this.store);
    wal.release(index);
    await wal.purge(1 + this.prng.below(3));
  }
}

test("log: crashes at any moment → everything acknowledged survives, in order (WL-04, WL-06, WL-08, WL-10)", async () => {
  let survived = 0;
  let torn = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const world = new World(seed);
    try {
      for (let life = 0; life < 6; life += 1) {
        await world.untilCrash(async (epoch) => {
          const wal = await world.open();
          await world.run(wal, epoch);
        });
      }
      const wal = await world.open();
      await wal.close();
      const names = await world.disk.list(DIRECTORY);
      torn += names.filter((name) => name.endsWith(".broken")).length;
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
    survived += world.acknowledged;
  }
  assert.ok(survived > SEEDS * 20, "the crashes leave room for work");
  assert.ok(torn > 0, "some tails were torn");
});
