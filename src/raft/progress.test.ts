import assert from "node:assert/strict";
import { test } from "node:test";
import { Inflights } from "./inflights.ts";
import { Progress } from "./progress.ts";

const OPTIONS = { next: 5, isLearner: false, inflightMessagesMax: 2, inflightBytesMax: 0 };

function replicating(match: number): Progress {
  const progress = new Progress(OPTIONS);
  progress.acknowledge(match);
  progress.becomeReplicate();
  return progress;
}

test("progress: a late acknowledgement → match does not move back", () => {
  const progress = replicating(7);
  assert.equal(progress.acknowledge(6), false);
  assert.deepEqual([progress.match, progress.next], [7, 8]);
});

test("progress: probing → one message with entries, then a pause until an answer", () => {
  const progress = new Progress(OPTIONS);
  progress.sent(0, 0);
  assert.equal(progress.isPaused, false, "an empty one asks for nothing");
  progress.sent(2, 10);
  assert.equal(progress.isPaused, true);
  assert.equal(progress.next, 5, "what was sent may be lost");
  progress.acknowledge(4);
  assert.equal(progress.isPaused, false);
});

test("progress: replicating → next runs ahead until the window is full", () => {
  const progress = replicating(7);
  progress.sent(3, 10);
  progress.sent(1, 10);
  assert.deepEqual([progress.match, progress.next, progress.isPaused], [7, 12, true]);
});

test("progress: a late refusal → nothing changes, in any state", () => {
  const replicate = replicating(7);
  replicate.sent(3, 10);
  assert.equal(replicate.stepBack(7, 2), false);
  assert.equal(replicate.next, 11);
  const probe = new Progress({ ...OPTIONS, next: 10 });
  assert.equal(probe.stepBack(3, 2), false);
  assert.equal(probe.next, 10);
});

test("progress: a refusal → back to the hint, never to what was acknowledged", () => {
  const probe = new Progress({ ...OPTIONS, next: 10 });
  assert.equal(probe.stepBack(9, 4), true);
  assert.equal(probe.next, 5);
  probe.acknowledge(3);
  assert.equal(probe.stepBack(4, 0), true);
  assert.equal(probe.next, 4);
  const replicate = replicating(7);
  replicate.sent(3, 10);
  assert.equal(replicate.stepBack(9, 8), true);
  assert.equal(replicate.next, 8);
});

test("progress: after a snapshot → probing goes on behind it", () => {
  const progress = new Progress(OPTIONS);
  progress.becomeSnapshot(20);
  assert.equal(progress.isPaused, true);
  progress.becomeProbe();
  assert.deepEqual([progress.state, progress.next, progress.pendingSnapshot], ["probe", 21, 0]);
});

// A member that started again just after an election was sent a whole store, whatever its log had:
// the new leader knew nothing of it yet, and went back to the beginning of the log.
test("progress: what it acknowledged is forgotten → probing goes on where the logs may meet", () => {
  const replicate = replicating(7);
  replicate.sent(3, 10);
  replicate.forget();
  assert.deepEqual([replicate.state, replicate.match, replicate.next], ["probe", 0, 8]);
  replicate.forget();
  assert.equal(replicate.next, 8, "twice");
  const probe = new Progress({ ...OPTIONS, next: 10 });
  probe.forget();
  assert.deepEqual([probe.state, probe.match, probe.next], ["probe", 0, 10]);
  const snapshot = new Progress(OPTIONS);
  snapshot.becomeSnapshot(20);
  snapshot.forget();
  assert.deepEqual([snapshot.state, snapshot.match, snapshot.next], ["probe", 0, 21]);
});

test("progress: a commit index that was sent → not sent again, unless the log stepped back", () => {
  const progress = replicating(7);
  progress.sent(3, 10);
  assert.equal(progress.canRaiseCommit(9), true);
  progress.sentCommit = 9;
  assert.equal(progress.canRaiseCommit(9), false);
  progress.stepBack(9, 7);
  assert.equal(progress.sentCommit, 7);
});

test("inflights: up to a number of messages or of bytes, freed from the oldest (RA-02)", () => {
  const inflights = new Inflights(100, 50);
  for (let index = 1; index <= 5; index += 1) inflights.add(index, 10);
  assert.equal(inflights.isFull, true);
  inflights.freeUpTo(2);
  assert.deepEqual([inflights.count, inflights.bytes, inflights.isFull], [3, 30, false]);
  for (let index = 6; index <= 100; index += 1) {
    inflights.freeUpTo(index - 3);
    inflights.add(index, 10);
  }
  assert.deepEqual([inflights.count, inflights.bytes], [3, 30], "the ring goes round");
  inflights.freeUpTo(1000);
  assert.deepEqual([inflights.count, inflights.bytes], [0, 0]);
});
