import assert from "node:assert/strict";
import { test } from "node:test";
import { leaderOf, roleOf, type Row, Screen } from "./screen.ts";

function row(name: string, id: bigint, leader: bigint, more: Partial<Row> = {}): Row {
  const status = { id, leader, term: 2, revision: 10, applied: 20, isLearner: false };
  return { name, pid: 100, clientPort: 2379, state: "running", status, ...more };
}

function recorder(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, write: (text: string) => void written.push(text), written };
}

test("dev screen: roles are what is known now", () => {
  assert.equal(roleOf(row("m1", 1n, 1n)), "leader");
  assert.equal(roleOf(row("m1", 1n, 2n)), "follower");
  assert.equal(roleOf(row("m1", 1n, 0n)), "no leader");
  assert.equal(roleOf(row("m1", 1n, 1n, { status: undefined })), "no answer");
  assert.equal(roleOf(row("m1", 1n, 1n, { state: "frozen" })), "frozen");
  assert.equal(roleOf(row("m1", 1n, 1n, { state: "down" })), "down");
});

test("dev screen: of two that say they lead, the one of the newer term does", () => {
  const old = row("m1", 1n, 1n);
  const status = { id: 2n, leader: 2n, term: 3, revision: 1, applied: 1, isLearner: false };
  assert.equal(leaderOf([old, row("m2", 2n, 2n, { status })])?.name, "m2");
  assert.equal(leaderOf([row("m1", 1n, 2n)]), undefined);
});

test("dev screen: elsewhere than on a terminal → a line when something changes, plain", () => {
  const output = recorder(false);
  const screen = new Screen(output, {});
  screen.show([row("m1", 1n, 1n), row("m2", 2n, 1n)], "footer");
  screen.show([row("m1", 1n, 1n), row("m2", 2n, 1n)], "footer");
  screen.show([row("m1", 1n, 1n), row("m2", 2n, 0n)], "footer");
  assert.deepEqual(output.written, [
    "m1 leads: term 2, revision 10, applied 20\n",
    "m2 is without a leader\n",
  ]);
});

test("dev screen: no line is longer than the terminal is wide", () => {
  const output = { ...recorder(true), columns: 30 };
  new Screen(output, { TERM: "xterm", NO_COLOR: "1" }).show([row("m1", 1n, 1n)], "f".repeat(99));
  for (const line of output.written.join("").split("\n")) assert.ok(line.length <= 30, line);
});

test("dev screen: on a terminal the table is redrawn in place, in colours unless NO_COLOR", () => {
  const coloured = recorder(true);
  new Screen(coloured, { TERM: "xterm" }).show([row("m1", 1n, 1n)], "footer");
  assert.match(coloured.written.join(""), /\x1b\[1;32m {2}m1 {6}127\.0\.0\.1:2379 .*leader/);
  const plain = recorder(true);
  const screen = new Screen(plain, { TERM: "xterm", NO_COLOR: "1" });
  screen.show([row("m1", 1n, 1n)], "footer");
  assert.ok(!plain.written.join("").includes("\x1b"));
  screen.say("news");
  assert.equal(plain.written.at(-2), "\x1b[5A\x1b[J", "the table goes");
  assert.equal(plain.written.at(-1), "news\n");
});
