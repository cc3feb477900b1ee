import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyReader } from "./keys.ts";

function pressed(keys: string): unknown[] {
  const reader = new KeyReader();
  return keys
    .split("")
    .map((key) => reader.press(key))
    .filter((command) => command !== undefined);
}

test("dev keys: a letter and a number make a command; Ctrl-C, Ctrl-D and q stop", () => {
  assert.deepEqual(pressed("k2"), [{ kind: "member", verb: "kill", member: 2 }]);
  assert.deepEqual(pressed("f1s1"), [
    { kind: "member", verb: "freeze", member: 1 },
    { kind: "member", verb: "start", member: 1 },
  ]);
  assert.deepEqual(pressed("l"), [{ kind: "killLeader" }]);
  for (const key of ["\x03", "\x04", "q"]) assert.deepEqual(pressed(key), [{ kind: "stop" }]);
});

test("dev keys: a number alone, or after anything else, does nothing", () => {
  assert.deepEqual(pressed("3"), []);
  assert.deepEqual(pressed("kx3"), []);
  assert.deepEqual(pressed("k0"), []);
  assert.deepEqual(pressed("kf3"), [{ kind: "member", verb: "freeze", member: 3 }]);
  const reader = new KeyReader();
  reader.press("k");
  assert.equal(reader.pending, "kill");
});
