import assert from "node:assert/strict";
import { test } from "node:test";
import { type Chain, planRestore, type RestoreTarget } from "./chain.ts";
import { nameImage, namePiece } from "./names.ts";
import { expiredFiles } from "./retention.ts";

/** Revisions are indices less ten; a file is of the second that its index says. */
function image(index: number) {
  return nameImage({ timeMs: index * 1000, revision: index - 10, index });
}

function piece(first: number, last: number) {
  return namePiece({ timeMs: last * 1000, revision: last - 10, first, last });
}

const CHAIN: Chain = {
  directory: "/backups/a",
  images: [image(100), image(200)],
  pieces: [piece(90, 120), piece(121, 150), piece(121, 140), piece(151, 190), piece(191, 230)],
};

function plan(target: RestoreTarget, chain = CHAIN): unknown {
  const { image: chosen, pieces } = planRestore(chain, target);
  return [chosen.index, ...pieces.map(({ first, last }) => [first, last])];
}

test("plan: the newest image at or before the target, and the pieces up to it", () => {
  assert.deepEqual(plan({}), [200, [191, 230]]);
  assert.deepEqual(plan({ revision: 190 }), [200]);
  assert.deepEqual(plan({ revision: 191 }), [200, [191, 230]]);
  assert.deepEqual(plan({ revision: 130 }), [100, [90, 120], [121, 150]]);
  assert.deepEqual(plan({ timeMs: 150_000 }), [100, [90, 120], [121, 150]]);
  assert.deepEqual(plan({ timeMs: 189_999 }), [100, [90, 120], [121, 150]]);
  assert.equal(planRestore(CHAIN, { revision: 95 }).newestRevision, 220);
});

test("plan: before the oldest image, beyond the newest piece → refused, with how far the files go", () => {
  assert.throws(
    () => plan({ revision: 89 }),
    /oldest backup .*_r90_i100\.db.* later than revision 89/,
  );
  assert.throws(() => plan({ timeMs: 99_000 }), /later than 1970-01-01T00:01:39/);
  assert.throws(() => plan({ revision: 221 }), /reach revision 220, wanted 221/);
  const empty = { directory: "/backups/b", images: [], pieces: CHAIN.pieces };
  assert.throws(() => plan({}, empty), /\/backups\/b holds no backup of a store/);
});

test("plan: a piece is missing → refused by name, unless the target lies before it (BT-g5)", () => {
  const holed = { ...CHAIN, images: [image(100)], pieces: CHAIN.pieces.toSpliced(3, 1) };
  const message =
    /entries 151 to 190 are in no file of \/backups\/a: .*_i191-230\.wal .*--to-revision 140/;
  assert.throws(() => plan({}, holed), message);
  assert.throws(() => plan({ revision: 200 }, holed), message);
  assert.deepEqual(plan({ revision: 140 }, holed), [100, [90, 120], [121, 150]]);
  assert.deepEqual(plan({ timeMs: 200_000 }, holed), [100, [90, 120], [121, 150]]);
});

test("retention: images past it go, and the pieces that only they need; the newest image stays", () => {
  const names = (nowMs: number): string[] => expiredFiles(CHAIN, { nowMs, retentionMs: 60_000 });
  assert.deepEqual(names(160_000), []);
  const first = [CHAIN.images[0]?.name, ...CHAIN.pieces.slice(0, 4).map(({ name }) => name)];
  assert.deepEqual(names(161_000), first);
  assert.deepEqual(names(9_000_000), first);
});
