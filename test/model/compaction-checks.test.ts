import assert from "node:assert/strict";
import { test } from "node:test";
import { RunOfHand } from "./fixture.ts";
import { kv, range } from "./history.ts";

function story(): RunOfHand {
  const run = new RunOfHand();
  for (const value of ["1", "2", "3"]) run.putNow("a", value);
  return run;
}

test("compaction: an older revision is read before it, and refused after it → accepted", () => {
  const run = story();
  run.call(kv([range("a", "", 2)])).done(4);
  run.call({ kind: "compact", revision: 3 }).done(4);
  run.call(kv([range("a", "", 2)])).refused("required revision has been compacted");
  run.call(kv([range("a", "", 3)])).done(4);
  assert.deepEqual(run.judge(), []);
});

test("compaction: what is gone is answered, or what is there is refused → found", () => {
  const answered = story();
  answered.call({ kind: "compact", revision: 3 }).done(4);
  answered.call(kv([range("a", "", 2)])).done(4);
  assert.deepEqual(answered.found, ["compaction"]);
  const refused = story();
  refused.call({ kind: "compact", revision: 3 }).done(4);
  refused.call(kv([range("a", "", 3)])).refused("required revision has been compacted");
  assert.deepEqual(refused.found, ["compaction"]);
});
