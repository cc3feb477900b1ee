import assert from "node:assert/strict";
import { test } from "node:test";
import { DroppedRevisions } from "./dropped-revisions.ts";
import { RevisionHistory } from "./revision-history.ts";

function list(
  history: RevisionHistory,
  revisions: readonly (readonly [number, boolean])[],
): number {
  let head = 0;
  for (const [main, isTombstone] of revisions) head = history.push(head, main, 0, isTombstone);
  return head;
}

function releaseAll(dropped: DroppedRevisions, max: number): string[] {
  const order: string[] = [];
  while (!dropped.isEmpty) {
    dropped.release(max, (main, _sub, isTombstone) => {
      order.push(`${main}${isTombstone ? "t" : ""}`);
    });
  }
  return order;
}

test("dropped revisions: lists of several keys → out by revision, bucket by bucket", () => {
  const history = new RevisionHistory();
  const dropped = new DroppedRevisions(history);
  dropped.add(
    list(history, [
      [9000, false],
      [20_000, false],
    ]),
  );
  dropped.add(
    list(history, [
      [5, false],
      [30_000, false],
    ]),
  );
  dropped.add(0);
  while (dropped.sort(1) === 0);
  assert.deepEqual(releaseAll(dropped, 1), ["5", "9000", "20000", "30000"]);
  assert.equal(history.count, 0);
});

test("dropped revisions: a second compaction adds to a bucket → a tombstone still goes after the puts it hides (CP-04)", () => {
  const history = new RevisionHistory();
  const dropped = new DroppedRevisions(history);
  dropped.add(list(history, [[5, false]]));
  while (dropped.sort(10) === 0);
  dropped.add(
    list(history, [
      [6, true],
      [7, false],
      [8, true],
    ]),
  );
  while (dropped.sort(10) === 0);
  const order = releaseAll(dropped, 2);
  assert.deepEqual(order.slice(0, 2).sort(), ["5", "7"]);
  assert.deepEqual(order.slice(2).sort(), ["6t", "8t"]);
});
