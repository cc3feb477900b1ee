import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { CHAIN_ENTRIES, formatDigest, sameDigest, StateChain } from "./state-chain.ts";

function step(chain: StateChain, index: number, rows: readonly number[], term = 1): void {
  for (const checksum of rows) chain.row(checksum, 300);
  chain.applied(index, term);
}

test("chain: the same effects → the same digest at each index, also with rows in one entry or none", () => {
  const one = new StateChain(0, undefined);
  const other = new StateChain(0, undefined);
  const prng = new Prng(1);
  for (let index = 1; index <= 200; index += 1) {
    const rows = Array.from({ length: prng.below(4) }, () => prng.uint32() | 0);
    step(one, index, rows);
    step(other, index, rows);
    assert.ok(sameDigest(one.current, other.current));
  }
  assert.equal(one.agrees(other.current), true);
  assert.equal(one.agrees({ ...other.current, a: 0 }), false);
});

test("chain: one entry with another effect → it differs there and for ever after (BT-f1)", () => {
  const mistakes: readonly (readonly number[])[] = [[], [1, 2], [2, 1], [3], [1, 2, 3, 3]];
  for (const rows of mistakes) {
    const right = new StateChain(0, undefined);
    const wrong = new StateChain(0, undefined);
    for (let index = 1; index <= 5_000; index += 1) {
      step(right, index, [1, 2, 3]);
      step(wrong, index, index === 100 ? rows : [1, 2, 3]);
      assert.equal(right.agrees(wrong.current), index < 100, `${rows.join()} at ${index}`);
    }
  }
});

test("chain: the same effects in another term, or at another index → another digest", () => {
  const one = new StateChain(0, undefined);
  const other = new StateChain(0, undefined);
  step(one, 1, [5]);
  step(other, 1, [5], 2);
  assert.equal(one.agrees(other.current), false);
});

test("chain: goes on from a stored digest as if it had never stopped; from one unknown it compares nothing", () => {
  const whole = new StateChain(0, undefined);
  for (let index = 1; index <= 50; index += 1) step(whole, index, [index]);
  const again = new StateChain(50, whole.current);
  const stranger = new StateChain(50, undefined);
  assert.equal(stranger.isKnown, false);
  assert.equal(stranger.agrees(whole.current), undefined);
  for (let index = 51; index <= 60; index += 1)
    for (const it of [whole, again, stranger]) step(it, index, [7]);
  assert.ok(sameDigest(whole.current, again.current));
});

test("chain: one that does not know its beginning takes over a digest → the same from then on", () => {
  const whole = new StateChain(0, undefined);
  const stranger = new StateChain(40, undefined);
  for (let index = 1; index <= 100; index += 1) {
    step(whole, index, [index, 9]);
    if (index > 40) step(stranger, index, [index, 9]);
  }
  assert.equal(stranger.adopt(whole.at(30) as never), false, "before its beginning");
  assert.equal(stranger.adopt(whole.at(77) as never), true);
  assert.ok(sameDigest(whole.current, stranger.current));
  step(whole, 101, [4]);
  step(stranger, 101, [4]);
  assert.ok(sameDigest(whole.current, stranger.current));
  assert.equal(stranger.at(70), undefined, "what was remembered of the unknown is forgotten");
});

test("chain: remembers so many entries and no more", () => {
  const chain = new StateChain(0, undefined);
  for (let index = 1; index <= CHAIN_ENTRIES + 10; index += 1) step(chain, index, [index]);
  assert.equal(chain.at(10), undefined);
  assert.notEqual(chain.at(11), undefined);
  assert.equal(chain.at(CHAIN_ENTRIES + 11), undefined);
  assert.match(formatDigest(chain.current), /^[0-9a-f]{16}$/);
});
