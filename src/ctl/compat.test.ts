import assert from "node:assert/strict";
import { test } from "node:test";
import { readCompat } from "./compat.ts";
import type { CtlIo } from "./io.ts";

function read(line: string, env: Record<string, string> = {}): string {
  const io = { env, stderr: () => undefined } as unknown as CtlIo;
  const { minor, isV2, words } = readCompat(line.split(" "), io);
  return `3.${minor} v${isV2 ? 2 : 3} ${words.join(" ")}`;
}

test("compat: nothing said → the newest, the third API", () => {
  assert.equal(read("get a"), "3.7 v3 get a");
  assert.equal(read("get a", { ETCDCTL_API: "2" }), "3.7 v2 get a");
});

test("compat: a version → its lines, and the API that was its default", () => {
  assert.equal(read("--compat=3.4 get a"), "3.4 v3 get a");
  assert.equal(read("member list --compat 3.2"), "3.2 v2 member list");
  assert.equal(read("member list", { ETCDCTL_COMPAT: "3.3" }), "3.3 v2 member list");
  assert.equal(
    read("member list", { ETCDCTL_COMPAT: "3.2", ETCDCTL_API: "3" }),
    "3.2 v3 member list",
  );
  assert.equal(read("--compat=3.5 x", { ETCDCTL_COMPAT: "3.2" }), "3.5 v3 x");
});

test("compat: alone → the second API; behind -- it is an argument", () => {
  assert.equal(read("--compat member list"), "3.7 v2 member list");
  assert.equal(read("put a -- --compat"), "3.7 v3 put a -- --compat");
});

test("compat: versions and APIs that are none → refused", () => {
  for (const version of ["2.3", "3.8", "4.0"]) {
    assert.throws(() => read(`--compat=${version} x`), { exitCode: 128 });
  }
  assert.throws(() => read("x", { ETCDCTL_API: "4" }), { exitCode: 1 });
});
