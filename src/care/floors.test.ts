import assert from "node:assert/strict";
import { test } from "node:test";
import type { Floor } from "../wire/index.ts";
import { Floors, type Holdings, lossOf, MEMBERS_MAX } from "./floors.ts";

const LIFE = { epoch: 3, nonce: 30, base: 0 };
const HOLDINGS: Holdings = { life: LIFE, term: 5, votedTerm: 4, lastIndex: 100 };
const NOTHING = { term: 0, votedTerm: 0, ackTerm: 0, match: 0, stable: 0 };
const FLOOR: Floor = { id: 1n, epoch: 2, nonce: 20, base: 0, ...NOTHING };

function loss(floor: Partial<Floor>, holdings: Partial<Holdings> = {}): string | undefined {
  return lossOf({ ...HOLDINGS, ...holdings }, { ...FLOOR, ...floor });
}

test("floors: what an intact disk may show → no loss", () => {
  assert.equal(loss({}), undefined);
  assert.equal(loss({ epoch: 0, nonce: 0 }), undefined, "nothing is known");
  assert.equal(loss({ ...LIFE, term: 5, votedTerm: 4, stable: 100 }), undefined, "this life");
  assert.equal(loss({ epoch: 3, nonce: 0 }), undefined, "told without its nonce");
  assert.equal(loss({ ackTerm: 4, match: 120 }), undefined, "a later leader took it back");
  assert.equal(loss({ ackTerm: 5, match: 100 }), undefined);
});

test("floors: what no intact disk shows → the loss, in words (BT-d1)", () => {
  assert.match(loss({ epoch: 4 }) ?? "", /started 4 times, and its disk knows of 3/);
  assert.match(loss({ epoch: 3, nonce: 31 }) ?? "", /start number 3 happened twice/);
  assert.match(loss({ stable: 101 }) ?? "", /acknowledged index 101, and its log ends at 100/);
  assert.match(loss({ ackTerm: 5, match: 101 }) ?? "", /index 101 in term 5/);
  assert.match(loss({ term: 6 }) ?? "", /was in term 6, and its disk knows of 5/);
  assert.match(loss({ votedTerm: 5 }) ?? "", /voted in term 5/);
});

test("floors: a loss that was accepted → promises from before it do not count", () => {
  const life = { epoch: 9, nonce: 90, base: 9 };
  assert.equal(loss({ stable: 500, term: 50 }, { life }), undefined);
  assert.match(loss({ stable: 500, base: 9, epoch: 9, nonce: 90 }, { life }) ?? "", /index 500/);
  const floors = new Floors([{ ...FLOOR, stable: 500 }]);
  assert.equal(floors.sighted(1n, life), "new");
  assert.deepEqual(floors.of(1n), { ...FLOOR, ...life, stable: 0 });
  assert.equal(floors.merge({ ...FLOOR, stable: 600 }), false, "others know of before");
  assert.equal(floors.of(1n).stable, 0);
});

test("floors: lives of a member as they are seen → known, new, stale", () => {
  const floors = new Floors();
  assert.equal(floors.sighted(1n, { epoch: 2, nonce: 20, base: 0 }), "new");
  assert.equal(floors.sighted(1n, { epoch: 2, nonce: 20, base: 0 }), "known");
  assert.equal(floors.sighted(1n, { epoch: 2, nonce: 21, base: 0 }), "stale", "a copy of it");
  assert.equal(floors.sighted(1n, { epoch: 1, nonce: 10, base: 0 }), "stale", "an old message");
  assert.equal(floors.raise({ id: 1n, epoch: 3 }), true, "another has seen it");
  assert.equal(floors.sighted(1n, { epoch: 2, nonce: 20, base: 0 }), "stale");
  assert.equal(floors.sighted(1n, { epoch: 3, nonce: 30, base: 0 }), "new");
});

test("floors: promises and what others tell → the highest of each; an acknowledgement by its term", () => {
  const floors = new Floors();
  floors.promised(1n, { term: 4, match: 90, stable: 80 });
  floors.promised(1n, { term: 5, match: 70 });
  floors.promised(1n, { term: 5, isVote: true });
  floors.merge({ ...FLOOR, term: 2, ackTerm: 5, match: 75, stable: 60 });
  const { term, votedTerm, ackTerm, match, stable } = floors.of(1n);
  assert.deepEqual(
    { term, votedTerm, ackTerm, match, stable },
    {
      ...{ term: 5, votedTerm: 5, ackTerm: 5, match: 75, stable: 80 },
    },
  );
  floors.isDirty = false;
  floors.promised(1n, { term: 5, match: 75, stable: 80 });
  assert.equal(floors.isDirty, false, "nothing new, nothing to write");
});

test("floors: more members than any cluster has → no more are kept", () => {
  const floors = new Floors();
  for (let id = 1n; id < 1_000n; id += 1n) floors.promised(id, { term: 1 });
  assert.equal(floors.all().length, MEMBERS_MAX);
});
