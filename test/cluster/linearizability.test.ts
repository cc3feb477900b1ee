import assert from "node:assert/strict";
import { test } from "node:test";
import { History } from "./linearizability.ts";

test("linearizability: reads of what was written last → no fault", () => {
  const history = new History();
  const first = history.call("write", "a", "1");
  const early = history.call("read", "a");
  history.answered(first);
  history.answered(early);
  const late = history.call("read", "a");
  history.answered(late, "1");
  assert.deepEqual(history.faults(), []);
});

test("linearizability: a read of what was overwritten before it began → fault", () => {
  const history = new History();
  for (const value of ["1", "2"]) history.answered(history.call("write", "a", value));
  history.answered(history.call("write", "b", "1"));
  history.answered(history.call("read", "a"), "1");
  assert.deepEqual(history.faults(), ["a"]);
});

test("linearizability: an unknown write → seen late, or never, but not taken back", () => {
  const history = new History();
  history.answered(history.call("write", "a", "1"));
  history.call("write", "a", "2");
  history.answered(history.call("read", "a"), "1");
  history.answered(history.call("read", "a"), "2");
  assert.deepEqual(history.faults(), []);
  history.answered(history.call("read", "a"), "1");
  assert.deepEqual(history.faults(), ["a"]);
});

test("linearizability: concurrent reads that see two writes in different orders → fault", () => {
  const history = new History();
  const writes = ["1", "2"].map((value) => history.call("write", "a", value));
  for (const value of ["1", "2", "1"]) history.answered(history.call("read", "a"), value);
  for (const write of writes) history.answered(write);
  assert.deepEqual(history.faults(), ["a"]);
});

test("linearizability: a long history with many open writes → checked in time", () => {
  const history = new History();
  for (let number = 0; number < 600; number += 1) {
    const write = history.call("write", "a", String(number));
    if (number % 20 !== 0) history.answered(write);
    const read = history.call("read", "a");
    history.answered(read, String(number));
  }
  assert.deepEqual(history.faults(), []);
});
