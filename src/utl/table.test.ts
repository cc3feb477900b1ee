import assert from "node:assert/strict";
import { test } from "node:test";
import { table } from "./table.ts";

test("table: a frame, names in the middle, cells on the right", () => {
  assert.equal(
    table(["A", "LONG"], [["123", "x"]]),
    "+-----+------+\n|  A  | LONG |\n+-----+------+\n| 123 |    x |\n+-----+------+\n",
  );
});
