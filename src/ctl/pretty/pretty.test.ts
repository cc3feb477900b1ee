import assert from "node:assert/strict";
import { test } from "node:test";
import { colours, plain } from "./paint.ts";
import { prettyRange, prettyValue } from "./pretty.ts";

test("CT-01 get -w pretty: JSON → indented, long numbers whole", () => {
  assert.equal(
    prettyValue(Buffer.from('{"a":[1,{}],"n":12345678901234567890,"s":"x: {y}"}'), plain),
    '{\n  "a": [\n    1,\n    {}\n  ],\n  "n": 12345678901234567890,\n  "s": "x: {y}"\n}',
  );
  assert.match(prettyValue(Buffer.from('{"a":1}'), colours), /\u001b\[36m"a"\u001b\[0m: /);
});

test("CT-01 get -w pretty: protobuf → fields, texts and messages in it", () => {
  const message = Buffer.from([8, 150, 1, 18, 4, 8, 1, 16, 2, 26, 2, 104, 105, 37, 1, 0, 0, 0]);
  assert.equal(
    prettyValue(message, plain),
    '1: 150\n2 {\n  1: 1\n  2: 2\n}\n3: "hi"\n4: 0x00000001',
  );
});

test("CT-01 get -w pretty: an object of Kubernetes → what it is, and its fields", () => {
  const type = Buffer.from("\n\u0002v1\u0012\u0003Pod", "latin1");
  const raw = Buffer.from("\n\u0003web", "latin1");
  const value = Buffer.concat([
    Buffer.from("k8s\0\n", "latin1"),
    Buffer.from([type.length]),
    type,
    Buffer.from([18, raw.length]),
    raw,
  ]);
  assert.equal(prettyValue(value, plain), 'Kubernetes v1 Pod\n1: "web"');
});

test("CT-01 get -w pretty: bytes that are nothing known → a dump, bounded", () => {
  assert.equal(
    prettyValue(Buffer.from([0xff, 0, 0x41]), plain),
    `00000000  ff 00 41 ${" ".repeat(39)} ..A`,
  );
  assert.match(prettyValue(Buffer.alloc(5000, 0xff), plain), /\.\.\. and 904 bytes more$/);
});

test("CT-01 get -w pretty: what would steer the terminal → not sent to it", () => {
  const evil = Buffer.from("\u001b]0;title\u0007");
  const kv = {
    key: evil,
    value: evil,
    createRevision: 2,
    modRevision: 3,
    version: 2,
    lease: 0x7bn,
  };
  const header = { clusterId: 1n, memberId: 1n, revision: 3, raftTerm: 1 };
  const text = prettyRange({ header, kvs: [kv], more: false, count: 1 }, false);
  assert.equal(text.includes("\u001b"), false);
  assert.match(text, /^"\\x1b\]0;title\\a" {2}created at 2, modified at 3, version 2, lease 7b/);
});
