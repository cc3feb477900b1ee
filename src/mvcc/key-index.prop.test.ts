/** The index alone, with enough keys for a tree of several levels, against plain arrays. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { KeyIndex } from "./key-index.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2_000) / 250;

interface Fact {
  readonly main: number;
  readonly isTombstone: boolean;
}

class Model {
  readonly keys = new Map<string, Fact[]>();

  add(key: string, fact: Fact): void {
    const facts = this.keys.get(key);
    if (facts === undefined) this.keys.set(key, [fact]);
    else facts.push(fact);
  }

  liveAt(key: string, revision: number): Fact | undefined {
    const fact = this.keys.get(key)?.findLast(({ main }) => main <= revision);
    return fact?.isTombstone === true ? undefined : fact;
  }

  range(lo: string, hi: string | undefined, revision: number): string[] {
    return [...this.keys.keys()]
      .filter((key) => key >= lo && (hi === undefined || key < hi))
      .filter((key) => this.liveAt(key, revision) !== undefined)
      .sort();
  }

  /** What CP-03 drops. */
  compact(revision: number): string[] {
    const dropped: string[] = [];
    for (const [key, facts] of this.keys) {
      const newest = facts.findLastIndex(({ main }) => main <= revision);
      if (newest === -1) continue;
      const fact = facts[newest] as Fact;
      const isGone = fact.isTombstone && fact.main < revision;
      for (const { main } of facts.splice(0, isGone ? newest + 1 : newest)) {
        dropped.push(`${main}`);
      }
      if (facts.length === 0) this.keys.delete(key);
    }
    return dropped.sort();
  }
}

/** Beginnings that some keys share, and that end where others go on. */
const PREFIXES = [
  "",
  "p",
  "/registry/pods/ns-1/",
  "/registry/pods/ns-10/",
  "\0\0\0",
  "\xff".repeat(6),
];

function randomKey(prng: Prng, span: number): string {
  const zeros = prng.chance(0.1) ? "\0".repeat(1 + prng.below(5)) : "";
  return `${prng.pick(PREFIXES)}${prng.below(span)}${zeros}`;
}

for (let seed = 1; seed <= RUNS; seed += 1) {
  test(`key index: seed ${seed}, random changes and compactions → lookups, walks and counts at every revision (KV-03 KV-07 CP-03)`, () => {
    const prng = new Prng(seed);
    const index = new KeyIndex();
    const model = new Model();
    const span = 50 + prng.below(2000);
    let revision = 1;
    let compacted = 0;
    for (let round = 0; round < 12; round += 1) {
      const deletes = prng.pick([0.05, 0.3, 0.8]);
      for (let step = prng.below(3000); step > 0; step -= 1) {
        const key = randomKey(prng, span);
        revision += 1;
        if (!prng.chance(deletes)) {
          index.put(key, revision, 0, 0n);
          model.add(key, { main: revision, isTombstone: false });
        } else if (index.tombstone(key, revision, 0)) {
          model.add(key, { main: revision, isTombstone: true });
        }
      }
      index.verify();
      check(prng, index, model, { compacted, revision, span });
      if (prng.chance(0.6)) {
        compacted += prng.below(revision - compacted + 1);
        const dropped = compact(index, compacted, 1 + prng.below(500));
        assert.deepEqual(dropped.sort(), model.compact(compacted));
        index.verify();
        assert.equal(index.keys, model.keys.size);
        check(prng, index, model, { compacted, revision, span });
      }
    }
    const copy = copyOf(index);
    copy.verify();
    const wanted = model.range("", undefined, revision);
    const found: string[] = [];
    copy.walk("", undefined, revision, (key) => found.push(key) > 0);
    assert.deepEqual(found, wanted);
    for (const key of wanted) assert.ok(copy.locate(key, revision));
  });
}

/** Of the newest revisions, as a start takes them from a checkpoint. */
function copyOf(index: KeyIndex): KeyIndex {
  const copy = new KeyIndex();
  const loader = copy.loader();
  let entry = index.entryAfter(undefined);
  while (entry !== undefined) {
    loader.add(entry);
    entry = index.entryAfter(entry.key);
  }
  loader.finish();
  return copy;
}

function compact(index: KeyIndex, revision: number, keysMax: number): string[] {
  let after: string | undefined;
  do after = index.compact(after, revision, keysMax);
  while (after !== undefined);
  while (index.dropped.sort(keysMax) === 0);
  const dropped: string[] = [];
  while (!index.dropped.isEmpty) index.dropped.release(7, (main) => dropped.push(`${main}`));
  return dropped;
}

function check(
  prng: Prng,
  index: KeyIndex,
  model: Model,
  bounds: { compacted: number; revision: number; span: number },
): void {
  for (let question = 0; question < 6; question += 1) {
    const at = bounds.compacted + prng.below(bounds.revision - bounds.compacted + 1);
    const lo = prng.chance(0.2) ? "" : randomKey(prng, bounds.span);
    const hi = prng.chance(0.2) ? undefined : randomKey(prng, bounds.span);
    const wanted = model.range(lo, hi, at);
    const found: string[] = [];
    index.walk(lo, hi, at, (key) => found.push(key) > 0);
    assert.deepEqual(found, wanted);
    assert.equal(index.count(lo, hi, at), wanted.length);
    for (let step = 0; step < 20; step += 1) {
      const key = randomKey(prng, bounds.span);
      const fact = model.liveAt(key, at);
      assert.equal(index.locate(key, at), fact !== undefined);
      if (fact !== undefined) assert.equal(index.main, fact.main);
    }
  }
}

test("key index: a leaf between full ones loses all keys → keys of its range are found beside it", () => {
  const index = new KeyIndex();
  let revision = 1;
  // Appended in order, so that each family fills one leaf.
  const families = ["a/", "b/x", "b/y", "c/", "d/"];
  const keyOf = (family: string, at: number): string => `${family}${String(at).padStart(3, "0")}`;
  for (const family of families) {
    for (let at = 0; at < 64; at += 1) index.put(keyOf(family, at), (revision += 1), 0, 0n);
  }
  for (let at = 0; at < 64; at += 1) index.tombstone(keyOf("b/y", at), (revision += 1), 0);
  compact(index, (revision += 1), 1000);
  index.verify();
  for (const key of ["b/y1", "b0", "bz", "b/x0000"]) index.put(key, (revision += 1), 0, 0n);
  index.verify();
  const found: string[] = [];
  index.walk("b", "c", revision, (key) => found.push(key) > 0);
  const rest = Array.from({ length: 64 }, (_, at) => keyOf("b/x", at));
  assert.deepEqual(found, [...rest, "b/x0000", "b/y1", "b0", "bz"].sort());
});
