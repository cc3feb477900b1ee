/** The store against a naive model: a list of changes, walked from its start for every question. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { Prng } from "../base/index.ts";
import { decodeKeyValue } from "../wire/index.ts";
import { openStore } from "./restore.ts";
import { isTombstoneKey, lowestKey, mainOf, subOf } from "./revision.ts";
import type { MvccStore } from "./store.ts";
import type { RangeQuery, RevisionChanges } from "./types.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2_000) / 100;

interface Fact {
  main: number;
  sub: number;
  key: string;
  value: string | undefined;
  lease: bigint;
}

interface Pair {
  key: string;
  value: string;
  create: number;
  mod: number;
  version: number;
  lease: bigint;
}

/** Thirty lines that are right because they are slow. */
class Model {
  readonly facts: Fact[] = [];
  revision = 1;
  compacted = -1;

  at(revision: number): Map<string, Pair> {
    const state = new Map<string, Pair>();
    for (const { main, key, value, lease } of this.facts) {
      if (main > revision) break;
      const before = state.get(key);
      if (value === undefined) state.delete(key);
      else {
        const create = before?.create ?? main;
        const version = (before?.version ?? 0) + 1;
        state.set(key, { key, value, create, mod: main, version, lease });
      }
    }
    return new Map([...state].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  range(key: string, rangeEnd: string, revision: number): Pair[] {
    return [...this.at(revision).values()].filter((pair) =>
      rangeEnd === ""
        ? pair.key === key
        : pair.key >= key && (rangeEnd === "\0" || pair.key < rangeEnd),
    );
  }

  /** Keys of records that a finished compaction leaves (CP-03). */
  kept(): string[] {
    const newest = new Map<string, Fact>();
    for (const fact of this.facts) if (fact.main <= this.compacted) newest.set(fact.key, fact);
    return this.facts
      .filter((fact) => {
        if (fact.main > this.compacted) return true;
        if (newest.get(fact.key) !== fact) return false;
        return fact.value !== undefined || fact.main === this.compacted;
      })
      .map(({ main, sub, value }) => `${main}.${sub}${value === undefined ? "t" : ""}`);
  }
}

const KEYS = [
  "a",
  "a\0",
  "ab",
  "b",
  "ba",
  "\xff",
  "\xff\xff",
  "k1",
  "k2",
  "k3",
  "k4",
  "m/1",
  "m/2",
];

function randomKey(prng: Prng): string {
  return prng.chance(0.7) ? prng.pick(KEYS) : `r${prng.below(400)}`;
}

function randomSpan(prng: Prng): [string, string] {
  if (prng.chance(0.3)) return [randomKey(prng), ""];
  if (prng.chance(0.2)) return ["\0", "\0"];
  return [randomKey(prng), prng.chance(0.2) ? "\0" : randomKey(prng)];
}

function bytes(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

function writeRandomly(prng: Prng, store: MvccStore, model: Model): RevisionChanges | undefined {
  const tx = store.begin();
  const main = model.revision + 1;
  const touched = new Set<string>();
  let sub = 0;
  for (let left = 1 + (prng.chance(0.3) ? prng.below(6) : 0); left > 0; left -= 1) {
    if (prng.chance(0.3)) {
      const [key, rangeEnd] = randomSpan(prng);
      const present = model.range(key, rangeEnd, main).map((pair) => pair.key);
      if (present.some((name) => touched.has(name))) continue;
      assert.deepEqual(tx.deleteRange(key, rangeEnd), present);
      for (const name of present) {
        touched.add(name);
        model.facts.push({ main, sub: sub++, key: name, value: undefined, lease: 0n });
      }
    } else {
      const key = randomKey(prng);
      if (touched.has(key)) continue;
      touched.add(key);
      const value = `v${main}.${sub}`;
      const lease = prng.chance(0.2) ? BigInt(prng.below(1000)) : 0n;
      tx.put(key, bytes(value), lease);
      model.facts.push({ main, sub: sub++, key, value, lease });
    }
    assert.equal(tx.revision, sub > 0 ? main : main - 1);
    const [key, rangeEnd] = randomSpan(prng);
    compare(model, tx.range(query(key, rangeEnd, 0)), key, rangeEnd, main);
  }
  if (sub > 0) model.revision = main;
  return tx.end();
}

function query(key: string, rangeEnd: string, revision: number, limit = 0): RangeQuery {
  return { key, rangeEnd, revision, limit, countOnly: false, keysOnly: false };
}

function pairs(kvs: readonly Buffer[]): Pair[] {
  return kvs.map((kv) => {
    const pair = decodeKeyValue(kv);
    return {
      key: pair.key,
      value: pair.value.latin1Slice(),
      create: pair.createRevision,
      mod: pair.modRevision,
      version: pair.version,
      lease: pair.lease,
    };
  });
}

function compare(
  model: Model,
  outcome: ReturnType<MvccStore["range"]>,
  key: string,
  rangeEnd: string,
  revision: number,
): void {
  assert.equal(outcome.kind, "ok");
  if (outcome.kind !== "ok") return;
  const wanted = model.range(key, rangeEnd, revision);
  assert.deepEqual(pairs(outcome.kvs), wanted);
  assert.equal(outcome.count, wanted.length);
}

function readRandomly(prng: Prng, store: MvccStore, model: Model): void {
  const [key, rangeEnd] = randomSpan(prng);
  const revision = prng.below(model.revision + 3);
  const outcome = store.range(query(key, rangeEnd, revision));
  if (revision > model.revision) return assert.equal(outcome.kind, "future");
  if (revision > 0 && revision < model.compacted) return assert.equal(outcome.kind, "compacted");
  const at = revision === 0 ? model.revision : revision;
  compare(model, outcome, key, rangeEnd, at);
  const wanted = model.range(key, rangeEnd, at);

  const limit = 1 + prng.below(4);
  const limited = store.range(query(key, rangeEnd, revision, limit));
  assert.equal(limited.kind, "ok");
  if (limited.kind === "ok") {
    assert.deepEqual(pairs(limited.kvs), wanted.slice(0, limit));
    assert.equal(limited.count, wanted.length);
  }
  const counted = store.range({ ...query(key, rangeEnd, revision), countOnly: true });
  assert.deepEqual(counted, { kind: "ok", kvs: [], count: wanted.length });

  const withLease = prng.chance(0.5);
  const keysOnly = store.range({
    ...query(key, rangeEnd, revision),
    keysOnly: true,
    keysOnlyWithLease: withLease,
  });
  if (keysOnly.kind === "ok") {
    const stripped = wanted.map((pair) => ({
      ...pair,
      value: "",
      lease: withLease ? pair.lease : 0n,
    }));
    assert.deepEqual(pairs(keysOnly.kvs), stripped);
  }
  const single = store.get(key, revision);
  const wantedSingle = model.at(at).get(key);
  assert.deepEqual(single === undefined ? undefined : pairs([single])[0], wantedSingle);

  const cursor = store.openRange(query(key, rangeEnd, revision));
  assert.ok(typeof cursor === "object");
  const sliced: Pair[] = [];
  for (;;) {
    const slice = cursor.next(1 + prng.below(3), 1000);
    assert.ok(slice !== "compacted");
    if (slice.length === 0) break;
    sliced.push(...pairs(slice));
  }
  assert.deepEqual(sliced, wanted);
  const measured = store.openRange(query(key, rangeEnd, revision));
  assert.ok(typeof measured === "object");
  const sizes: number[] = [];
  for (;;) {
    const slice = measured.sizes(1 + prng.below(3));
    assert.ok(slice !== "compacted");
    if (slice.length === 0) break;
    sizes.push(...slice);
  }
  const whole = store.range(query(key, rangeEnd, revision));
  assert.ok(whole.kind === "ok");
  assert.deepEqual(
    sizes,
    whole.kvs.map((record) => record.length),
  );
}

function readHistory(prng: Prng, store: MvccStore, model: Model): void {
  const lo = prng.below(model.revision + 2);
  const found = store.changesFrom(lo, 1 + prng.below(30));
  if (lo < model.compacted) return assert.equal(found, "compacted");
  assert.ok(found !== "compacted");
  const wanted = model.facts.filter((fact) => fact.main >= Math.max(lo, model.compacted + 1));
  const end = found.at(-1)?.revision ?? 0;
  const seen = found
    .filter(({ revision }) => revision > model.compacted)
    .flatMap(({ revision, changes }) =>
      changes.map(({ type, key, record, sub }) => {
        assert.equal(decodeKeyValue(record).modRevision, revision);
        return `${revision}.${sub} ${type} ${key} ${decodeKeyValue(record).value}`;
      }),
    );
  assert.deepEqual(
    seen,
    wanted
      .filter((fact) => fact.main <= end)
      .map(({ main, sub, key, value }) =>
        value === undefined
          ? `${main}.${sub} delete ${key} `
          : `${main}.${sub} put ${key} ${value}`,
      ),
  );
}

function scrub(store: MvccStore, prng: Prng): void {
  while (store.compactStep(1 + prng.below(5)));
  assert.equal(store.isCompacting, false);
}

function recordNames(store: MvccStore): string[] {
  return store.backend
    .scan("key", lowestKey(0), undefined, 1e9)
    .map(({ key }) => `${mainOf(key)}.${subOf(key)}${isTombstoneKey(key) ? "t" : ""}`);
}

const noYield = (): Promise<void> => Promise.resolve();

for (let seed = 1; seed <= RUNS; seed += 1) {
  test(`store: seed ${seed}, random history → reads, counts, history and records equal the model (KV-01 KV-03 KV-06 KV-07 KV-09 DL-01 DL-02 CP-01 CP-03 DB-01 DB-03 AP-05)`, async () => {
    const prng = new Prng(seed);
    const model = new Model();
    let store = await openStore(new MemoryBackend(), { yieldToLoop: noYield });
    for (let step = 0; step < 120; step += 1) {
      const choice = prng.below(100);
      if (choice < 60) {
        const before = model.facts.length;
        const changes = writeRandomly(prng, store, model);
        const facts = model.facts.slice(before);
        assert.equal(changes?.revision, facts.length > 0 ? model.revision : undefined);
        assert.deepEqual(
          changes?.changes.map(({ key, type, sub }) => ({ key, type, sub })) ?? [],
          facts.map(({ key, value, sub }) => ({
            key,
            type: value === undefined ? "delete" : "put",
            sub,
          })),
        );
        assert.equal(store.currentRevision, model.revision);
      } else if (choice < 80) {
        readRandomly(prng, store, model);
        readHistory(prng, store, model);
      } else if (choice < 88) {
        const revision = prng.below(model.revision + 3) - 1;
        const wanted =
          revision <= model.compacted ? "compacted" : revision > model.revision ? "future" : "ok";
        assert.equal(store.compact(revision), wanted);
        if (wanted === "ok") model.compacted = revision;
      } else if (choice < 95) {
        if (prng.chance(0.6)) {
          const steps = prng.below(40);
          for (let left = steps; left > 0 && store.compactStep(1 + prng.below(3)); left -= 1);
        } else {
          scrub(store, prng);
          assert.deepEqual(recordNames(store), model.kept());
        }
      } else {
        const medium = (store.backend as MemoryBackend).medium;
        await store.backend.close();
        const leases = new Map<string, bigint>();
        store = await openStore(new MemoryBackend({ medium }), {
          yieldToLoop: noYield,
          onLease: (key, lease) => leases.set(key, lease),
        });
        assert.equal(store.currentRevision, model.revision);
        assert.equal(store.compactRevision, model.compacted);
        const leased = [...model.at(model.revision).values()].filter((pair) => pair.lease !== 0n);
        assert.deepEqual(
          [...leases],
          leased.map(({ key, lease }) => [key, lease]),
        );
      }
      store.index.verify();
    }
    scrub(store, prng);
    assert.deepEqual(recordNames(store), model.kept());
    readRandomly(prng, store, model);
  });
}
