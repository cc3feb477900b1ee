import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeConfStateRow, encodeConfStateRow } from "./conf-state.ts";

const STATE = {
  voters: [1n, 0xffff_ffff_ffff_ffffn],
  learners: [5n],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

test("conf state: a row keeps ids of 64 bits as bare numbers (DV-10)", () => {
  const row = encodeConfStateRow(STATE);
  assert.equal(
    row.toString(),
    '{"voters":[1,18446744073709551615],"learners":[5],"auto_leave":false}',
  );
  assert.deepEqual(decodeConfStateRow(row), STATE);
});

test("conf state: what is no JSON is no row", () => {
  assert.equal(decodeConfStateRow(Buffer.from("{")), undefined);
});
