import assert from "node:assert/strict";
import { test } from "node:test";
import { IntervalTree, OPEN_END } from "./interval-tree.ts";
import { Prng } from "./prng.ts";

function stab(tree: IntervalTree<string>, key: string): string[] {
  const out: string[] = [];
  tree.stab(key, out);
  return out;
}

test("interval tree: a stab finds the intervals that hold the key, ends excluded", () => {
  const tree = new IntervalTree<string>();
  tree.set("b", "d", "b-d");
  tree.set("a", OPEN_END, "a-");
  tree.set("c", "c\0", "c");
  assert.deepEqual(stab(tree, "a"), ["a-"]);
  assert.deepEqual(stab(tree, "b"), ["a-", "b-d"]);
  assert.deepEqual(stab(tree, "c"), ["a-", "b-d", "c"]);
  assert.deepEqual(stab(tree, "d"), ["a-"]);
  assert.deepEqual(stab(tree, "\xff\xff"), ["a-"]);
  assert.deepEqual(stab(tree, "\0"), []);
});

test("interval tree: set changes a value, delete tells whether it was there", () => {
  const tree = new IntervalTree<string>();
  tree.set("a", "b", "1");
  tree.set("a", "b", "2");
  assert.equal(tree.size, 1);
  assert.equal(tree.get("a", "b"), "2");
  assert.equal(tree.delete("a", "c"), false);
  assert.equal(tree.delete("a", "b"), true);
  assert.equal(tree.get("a", "b"), undefined);
  assert.equal(tree.size, 0);
});

test("interval tree: random changes agree with a list of intervals", () => {
  const prng = new Prng(5);
  const key = () => String.fromCharCode(prng.below(6)) + String.fromCharCode(prng.below(40));
  const tree = new IntervalTree<string>();
  const model = new Map<string, { lo: string; hi: string }>();
  for (let step = 0; step < 20_000; step += 1) {
    const lo = key();
    const hi = prng.chance(0.1) ? OPEN_END : key();
    const name = `${lo}..${hi}`;
    const grows = step % 4_000 < 2_000;
    if (prng.chance(grows ? 0.8 : 0.2)) {
      tree.set(lo, hi, name);
      model.set(name, { lo, hi });
    } else {
      const victim = [...model.values()][prng.below(Math.max(1, model.size))] ?? { lo, hi };
      const victimName = `${victim.lo}..${victim.hi}`;
      assert.equal(tree.delete(victim.lo, victim.hi), model.delete(victimName));
    }
    assert.equal(tree.size, model.size);
    if (step % 50 !== 0) continue;
    const point = key();
    const wanted = [...model].filter(([, each]) => each.lo <= point && point < each.hi);
    assert.deepEqual(stab(tree, point).sort(), wanted.map(([each]) => each).sort());
  }
});

test("interval tree: intervals added in order do not make it deep", () => {
  const tree = new IntervalTree<number>();
  const nameOf = (at: number) => String(at).padStart(6, "0");
  for (let at = 0; at < 50_000; at += 1) tree.set(nameOf(at), nameOf(at + 1), at);
  const out: number[] = [];
  const from = performance.now();
  for (let at = 0; at < 10_000; at += 1) tree.stab(nameOf(at * 5), out);
  assert.equal(out.length, 10_000);
  // A degenerate tree would need some 10^8 comparisons, a balanced one 10^5.
  assert.ok(performance.now() - from < 2_000);
});
