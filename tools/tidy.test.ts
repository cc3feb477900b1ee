import assert from "node:assert/strict";
import { dirname } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ENTRY_POINTS, LARGE_FILES, ROOMS, UNTESTED } from "./house.ts";
import {
  bans,
  cycles,
  dead,
  dependencies,
  floors,
  makeTree,
  nodeModules,
  readTree,
  RULES,
  show,
  size,
  tested,
  world,
} from "./tidy.ts";
import { parseSource } from "./source.ts";
import type { Finding, Rule } from "./tidy.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

function messages(rule: Rule, texts: Record<string, string>, packages: string[] = []): string[] {
  return rule(makeTree(texts, packages)).map((f: Finding) => `${f.path}:${f.line} ${f.message}`);
}

const real = readTree(ROOT);
for (const rule of RULES) {
  test(`tidy: the tree keeps the rule "${rule.name}"`, () => {
    const findings = rule(real);
    assert.equal(findings.length, 0, `\n${show(findings)}`);
  });
}

test("tidy: files named in the lists of exceptions exist", () => {
  const named = [...Object.keys(UNTESTED), ...ENTRY_POINTS];
  // A large file may still be to come (raft/), but one that came must be there.
  const missing = named.filter((path) => !real.files.has(path));
  assert.deepEqual(missing, []);
  assert.ok(LARGE_FILES.every((path) => ROOMS[path.split("/")[1] ?? ""] !== undefined));
});

test("tidy: an import upwards → refused", () => {
  assert.deepEqual(
    messages(floors, { "src/wal/a.ts": 'import { x } from "../member/index.ts";' }),
    ["src/wal/a.ts:1 wal/ (floor 3) must not import member/ (floor 6)"],
  );
});

test("tidy: an import between neighbours → refused unless they are listed friends", () => {
  const found = messages(floors, {
    "src/lease/a.ts": 'import type { S } from "../mvcc/index.ts";',
    "src/mvcc/a.ts": '\nimport type { L } from "../lease/index.ts";',
  });
  assert.deepEqual(found, ["src/mvcc/a.ts:2 mvcc/ (floor 4) must not import lease/ (floor 4)"]);
});

test("tidy: a room kept from a lower one → refused", () => {
  const found = messages(floors, {
    "src/rpc/kv.ts": 'import { open } from "../wal/index.ts";',
    "src/member/a.ts": 'import { Disk } from "../host/index.ts";',
    "src/rpc/b.ts": 'import { sim } from "../testing/index.ts";',
  });
  assert.deepEqual(found, [
    "src/rpc/kv.ts:1 rpc/ must never import wal/",
    "src/member/a.ts:1 host/ is handed in through seam/",
    "src/rpc/b.ts:1 testing/ is for tests only",
  ]);
});

test("tidy: an import past a front door → refused, except from a test or by a listed side door", () => {
  const found = messages(floors, {
    "src/client/a.ts": 'import { connect } from "../host/outbound.ts";',
    "src/grpc/a.ts": 'import { f } from "../http2/frame.ts";',
    "src/grpc/a.test.ts": 'import { f } from "../http2/frame.ts";',
    "src/index.ts": 'export { startMember } from "./server/start.ts";',
  });
  assert.deepEqual(found, [
    "src/grpc/a.ts:1 imports src/http2/frame.ts past src/http2/index.ts",
    "src/index.ts:1 imports src/server/start.ts past src/server/index.ts",
  ]);
});

test("tidy: an unknown room → refused until it has a floor", () => {
  const found = messages(floors, { "src/cellar/a.ts": 'import { b } from "../base/index.ts";' });
  assert.deepEqual(found, ['src/cellar/a.ts:1 room "cellar" has no floor in tools/house.ts']);
});

test("tidy: files that import each other in a ring → named with the ring", () => {
  const found = messages(cycles, {
    "src/a/one.ts": 'import { t } from "./two.ts";',
    "src/a/two.ts": 'export { o } from "./three.ts";',
    "src/a/three.ts": 'const o = await import("./one.ts");',
  });
  assert.deepEqual(found, [
    "src/a/three.ts:1 src/a/one.ts -> src/a/two.ts -> src/a/three.ts -> src/a/one.ts",
  ]);
});

test("tidy: a package in two rooms, undeclared or unused → refused", () => {
  const found = messages(
    dependencies,
    {
      "src/backend/a.ts": 'import { open } from "lmdb";',
      "src/wal/a.ts": 'import { open } from "lmdb/sub";',
      "src/wire/a.ts": 'import { x } from "@scope/thing/sub";',
      "src/wire/a.test.ts": 'import fc from "fast-check";',
    },
    ["lmdb", "yaml"],
  );
  assert.deepEqual(found, [
    "src/wal/a.ts:1 lmdb belongs to backend/ alone",
    "src/wire/a.ts:1 @scope/thing is not in package.json's dependencies",
    "package.json:1 yaml is imported by no room",
  ]);
});

test("tidy: a Node module outside host/, server/ and backend/ → refused", () => {
  const found = messages(nodeModules, {
    "src/host/a.ts": 'import { open } from "node:fs";',
    "src/mvcc/a.ts": 'import { open } from "node:fs";',
    "src/mvcc/a.test.ts": 'import { test } from "node:test";',
  });
  assert.deepEqual(found, ["src/mvcc/a.ts:1 node:fs belongs behind a seam"]);
});

test("tidy: clock, randomness, timers, process and console → refused in a room of the middle", () => {
  const code = [
    "const a = Date.now();",
    "const b = Math.random();",
    "setTimeout(f, 1); setInterval(f, 1); setImmediate(f);",
    "process.exit(1);",
    "console.log(1);",
    "// Date.now() in a comment",
    'const s = "process.env";',
    "this.process.run();",
  ].join("\n");
  const found = messages(world, { "src/mvcc/a.ts": code, "src/host/a.ts": code });
  assert.deepEqual(
    found.map((line) => line.split(" ")[1]),
    [
      "Date.now",
      "Math.random",
      "setTimeout",
      "setInterval",
      "setImmediate",
      "process.",
      "console.",
    ],
  );
});

test("tidy: banned words → found in code, and in comments where they are notes", () => {
  const note = `// FIX${"ME"} later`;
  const found = messages(bans, {
    "src/a/a.ts": `enum Color { Red }\nexport default 1;\nconst b = c as any;\n${note}\n`,
    "src/a/a.test.ts": 'test.only("x", () => {});\n// as any is a word here\n',
  });
  assert.deepEqual(
    found.map((line) => line.split(" ")[0]),
    ["src/a/a.ts:1", "src/a/a.ts:2", "src/a/a.ts:3", "src/a/a.ts:4", "src/a/a.test.ts:1"],
  );
});

test("tidy: a long line and a long file → refused", () => {
  const found = messages(size, {
    "src/a/wide.ts": `${"f(); ".repeat(21)}\n// ${"word ".repeat(20)}.\n`,
    "src/a/literal.ts": `f("${"x".repeat(100)}");\n`,
    "src/a/long.ts": "a();\n".repeat(801),
    "src/raft/raft.ts": "a();\n".repeat(1500),
    "src/http2/connection.ts": "a();\n".repeat(1501),
  });
  assert.deepEqual(found, [
    "src/a/wide.ts:1 104 columns, 100 at most",
    "src/a/wide.ts:2 104 columns, 100 at most",
    "src/a/long.ts:801 801 lines, 800 at most",
    "src/http2/connection.ts:1501 1501 lines, 1500 at most",
  ]);
});

test("tidy: a file that only a test imports → dead, except in testing/", () => {
  const found = messages(dead, {
    "src/index.ts": 'export { a } from "./a/index.ts";',
    "src/a/index.ts":
      'export { a } from "./used.ts"; new Worker(new URL("./w.ts", import.meta.url));',
    "src/a/used.ts": "",
    "src/a/w.ts": "",
    "src/a/unused.ts": "",
    "src/a/unused.test.ts": 'import { u } from "./unused.ts"; import "../testing/disk.ts";',
    "src/testing/disk.ts": "",
  });
  assert.deepEqual(found, ["src/a/unused.ts:1 no file of the product imports it"]);
});

test("tidy: a file that no test of its room reaches → refused, unless it holds data alone", () => {
  const found = messages(tested, {
    "src/a/index.ts": 'export { C } from "./bare.ts"; export function f() {}',
    "src/a/types.ts": "export interface A {}\nexport type B = A;",
    "src/a/limits.ts": "export const BYTES_MAX = 1;",
    "src/a/named.ts": "export function f() {}",
    "src/a/named.fuzz.test.ts": "",
    "src/a/imported.ts": 'import { y } from "./deep.ts"; export function x() {}',
    "src/a/deep.ts": "export function y() {}",
    "src/a/other.test.ts": 'import { x } from "./imported.ts"; import { C } from "./index.ts";',
    "src/a/bare.ts": "export class C {}",
    "src/b/arrow.ts": "export const f = () => 1;",
    "src/b/b.test.ts": 'import { C } from "../a/bare.ts";',
  });
  assert.deepEqual(
    found.map((line) => line.split(" ")[0]),
    ["src/a/bare.ts:1", "src/b/arrow.ts:1"],
  );
});

test("tidy: a suite under test/ proves its room through the front door, other rooms not", () => {
  const found = messages(tested, {
    "src/rpc/index.ts": 'export { f } from "./kv.ts";',
    "src/rpc/kv.ts": "export function f() {}",
    "src/rpc/alone.ts": "export function g() {}",
    "src/wal/index.ts": 'export { w } from "./wal.ts";',
    "src/wal/wal.ts": "export function w() {}",
    "test/service/harness.ts": 'import { f } from "../../src/rpc/index.ts";',
    "test/service/kv.test.ts": 'import "./harness.ts"; import "../../src/wal/index.ts";',
  });
  assert.deepEqual(
    found.map((line) => line.split(" ")[0]),
    ["src/rpc/alone.ts:1", "src/wal/wal.ts:1"],
  );
});

test("tidy: words in literals and comments are no imports, types make no ring", () => {
  const { imports } = parseSource(
    "src/a/a.ts",
    'const t = ["from", ", "];\n// import "x"\nimport type { A } from "./b.ts";\nimport "./c.ts";\nimport {\n  d,\n} from "./d.ts";\n',
  );
  assert.deepEqual(imports, [
    { specifier: "./b.ts", line: 3, isType: true },
    { specifier: "./c.ts", line: 4, isType: false },
    { specifier: "./d.ts", line: 7, isType: false },
  ]);
  const ring = {
    "src/a/one.ts": 'import type { T } from "./two.ts";',
    "src/a/two.ts": 'import { o } from "./one.ts";',
  };
  assert.deepEqual(messages(cycles, ring), []);
});
