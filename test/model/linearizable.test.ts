import assert from "node:assert/strict";
import { test } from "node:test";
import { deleteOf, putOf, RunOfHand } from "./fixture.ts";
import { kv, range, type Request } from "./history.ts";
import { explain } from "./linearizable.ts";

test("linearizable: writes and reads in the order of revisions → accepted", () => {
  const run = new RunOfHand();
  run.readNow("a");
  run.putNow("a", "1");
  run.readNow("a");
  run.putNow("a", "2");
  run.readNow("a");
  assert.deepEqual(run.judge(), []);
});

test("linearizable: a read of what was overwritten before it was asked → stale", () => {
  const run = new RunOfHand();
  run.putNow("a", "1");
  run.putNow("a", "2");
  run.readNow("a", 2);
  assert.match(run.judge()[0]?.text ?? "", /was told revision 2, 3 was known before/);
});

test("linearizable: the same read, serializable, or asked before the write was answered → accepted", () => {
  const run = new RunOfHand();
  run.putNow("a", "1");
  const early = run.call(kv([range("a")]));
  run.putNow("a", "2");
  early.done(2);
  run.call({ ...kv([range("a")]), isSerializable: true }).done(2);
  assert.deepEqual(run.judge(), []);
});

test("serializable: a read that shows what its revision never had → found", () => {
  const run = new RunOfHand();
  run.putNow("a", "1");
  const wrong = [{ kind: "range", pairs: [], count: 0 }] as const;
  run.call({ ...kv([range("a")]), isSerializable: true }).done(2, wrong);
  assert.deepEqual(run.found, ["serializable"]);
});

test("linearizable: an answered write that is not in the history → found", () => {
  const run = new RunOfHand();
  const lost = run.call(putOf("a", "1"));
  run.putNow("a", "2");
  lost.done(2);
  assert.match(run.judge()[0]?.text ?? "", /were both told revision 2/);
  const other = new RunOfHand();
  const open = other.call(putOf("a", "1"));
  other.call(putOf("a", "2"));
  other.put("a", "2");
  open.done(2);
  assert.match(other.judge()[0]?.text ?? "", /was told revision 2, which is put a=2/);
});

test("linearizable: a write that was answered wrongly, or twice applied → found", () => {
  const run = new RunOfHand();
  run.putNow("a", "1");
  run.put("a", "1");
  assert.match(run.judge()[0]?.text ?? "", /revision 3 is put a=1, which nobody asked for/);
  const other = new RunOfHand();
  other.putNow("a", "1");
  const txn = other.call({
    kind: "kv",
    compares: [{ target: "value", key: "a", value: "1" }],
    success: [{ kind: "put", key: "a", value: "2", lease: "0" }],
    failure: [range("a")],
    isSerializable: false,
  });
  txn.done(2, [{ kind: "range", pairs: [], count: 0 }], false);
  assert.match(other.judge()[0]?.text ?? "", /its compares failed, but ought not to have/);
});

test("linearizable: a write of unknown outcome → done late, or never, but not twice", () => {
  const run = new RunOfHand();
  run.call(putOf("a", "1"));
  run.call(putOf("a", "2"));
  run.readNow("a");
  run.putNow("b", "x");
  run.put("a", "1");
  run.readNow("a");
  assert.deepEqual(run.judge(), []);
  run.put("a", "1");
  assert.deepEqual(run.found, ["linearizable"]);
});

test("linearizable: an unknown write that is shown before it was called → found", () => {
  const run = new RunOfHand();
  run.put("a", "1");
  run.readNow("a");
  run.call(putOf("a", "1"));
  assert.deepEqual(run.found, ["linearizable"]);
});

test("linearizable: unknown deletions and conditions → the choice that explains all is found", () => {
  const run = new RunOfHand();
  const onlyIf = (value: string, then: string): Request => ({
    kind: "kv",
    compares: [{ target: "value", key: "a", value }],
    success: [{ kind: "put", key: "a", value: then, lease: "0" }],
    failure: [{ kind: "delete", key: "a", rangeEnd: "" }],
    isSerializable: false,
  });
  run.putNow("a", "1");
  // Either would delete; only one of them can put "3" afterwards.
  run.call(onlyIf("2", "3"));
  run.call(onlyIf("9", "9"));
  run.delete("a");
  run.putNow("a", "2");
  run.put("a", "3");
  run.readNow("a");
  assert.deepEqual(run.judge(), []);
});

test("linearizable: a revision that nobody saw → filled by the one call that fits what follows", () => {
  const run = new RunOfHand();
  run.putNow("a", "1");
  run.call(putOf("a", "no"));
  run.call(putOf("a", "yes"));
  run.put("a", "yes");
  run.chronicle.delete(3);
  run.readNow("a");
  const { problems, events } = explain(run.record);
  assert.deepEqual(problems, []);
  assert.equal(events.get(3)?.[0]?.pair.value, "yes");
});

test("linearizable: a deletion that nobody asked for → found, unless it was a lease's end", () => {
  const run = new RunOfHand();
  run.putNow("a", "1", "7");
  run.putNow("b", "1", "7");
  run.delete("a", "b");
  assert.deepEqual(run.judge(), []);
  run.putNow("a", "2");
  run.delete("a");
  assert.match(run.judge()[0]?.text ?? "", /revision 6 is delete a=, which nobody asked for/);
});

test("linearizable: thousands of calls, many of unknown outcome → judged in time", () => {
  const run = new RunOfHand();
  for (let number = 0; number < 2_000; number += 1) {
    if (number % 5 === 0) {
      run.call(putOf("a", String(number)));
      run.call(deleteOf("b"));
      if (number % 10 === 0) run.put("a", String(number));
    } else {
      run.putNow(number % 3 === 0 ? "b" : "a", String(number));
    }
    run.readNow("a");
  }
  const startedMs = performance.now();
  assert.deepEqual(run.judge(), []);
  assert.ok(performance.now() - startedMs < 5_000);
});
