import assert from "node:assert/strict";
import { test } from "node:test";
import { careLog, careRows, careText } from "./care-log.ts";

const row = {
  at: "2026-11-21T17:00:00.000Z",
  kind: "difference",
  found: "m2 differs\u001b[2J at index 7",
  why: "two of three agree",
  done: "it was told",
};

test("care log: rows of a member's page as text that no terminal obeys", () => {
  const rows = careRows(JSON.stringify({ memberId: "a", log: [row] }), "m1") ?? [];
  assert.deepEqual(rows, [{ member: "m1", ...row }]);
  assert.equal(
    careText(rows),
    "2026-11-21T17:00:00.000Z  m1  difference: m2 differs\\x1b[2J at index 7\n" +
      "    why:  two of three agree\n    done: it was told\n",
  );
  assert.equal(careText([]), "nothing was found wrong\n");
});

test("care log: a page that is none → undefined; rows that lack something → empty there", () => {
  for (const page of ["404 page not found", "null", "{}", '{"log":3}']) {
    assert.equal(careRows(page, "m1"), undefined);
  }
  assert.equal(careRows('{"log":[null,{"kind":7}]}', "m1")?.length, 2);
  assert.match(careLog.description ?? "", /merged by time/);
});
