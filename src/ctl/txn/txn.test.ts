import assert from "node:assert/strict";
import { test } from "node:test";
import { CtlError } from "../exit.ts";
import { parseCompare } from "./compare.ts";
import { parseOperation } from "./operation.ts";
import { argify, byteString, unquote } from "./words.ts";

function refusal(act: () => unknown): { message: string; exitCode: number } {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof CtlError);
    return { message: error.message, exitCode: error.exitCode };
  }
  throw new Error("accepted");
}

test("CT-04 txn words: quotes of both kinds, escapes in double ones → split as etcdctl does", () => {
  assert.deepEqual(argify(`put  k 'it is' "a\\x41\\u00e9 b"`), [
    "put",
    "k",
    "it is",
    byteString("aAé b"),
  ]);
  assert.equal(unquote('"\\377\\n\\""'), '\xff\n"');
  assert.deepEqual([`"\\q"`, `"\\400"`, `"\\ud800"`].map(unquote), [
    undefined,
    undefined,
    undefined,
  ]);
  assert.deepEqual(
    refusal(() => argify('get "\\q"')),
    { message: "invalid syntax", exitCode: 3 },
  );
});

test("CT-04 txn compares: targets, relations and operands → as typed", () => {
  const { operand, relation, key } = parseCompare('lease("k\\xff") != "1f"');
  assert.deepEqual([operand, relation], [{ kind: "lease", value: 31n }, "!="]);
  assert.deepEqual(key, Buffer.from("k\xff", "latin1"));
  const value = parseCompare('val("k") = "a\\x00"').operand;
  assert.deepEqual(value, { kind: "value", value: Buffer.from("a\0") });
  assert.equal(parseCompare('c("k") < "3"').operand.kind, "createRevision");
});

test("CT-04 txn compares: what is wrong → etcdctl's words, exit code 3", () => {
  const says = (line: string): string => {
    const { message, exitCode } = refusal(() => parseCompare(line));
    assert.equal(exitCode, 3);
    return message;
  };
  assert.equal(says("x"), "malformed comparison: x");
  assert.equal(says('mod(a) > "0"'), 'malformed comparison: mod(a) > "0"; got mod("")  ""');
  assert.equal(says('mod("a") > 0'), 'malformed comparison: mod("a") > 0; got mod("a") > ""');
  assert.equal(says('x("a") > "0"'), 'malformed comparison: x("a") > "0" (unknown target x)');
  assert.equal(says('mod("a") > "x"'), 'invalid txn compare request: mod("a") > "x"');
  assert.match(says('mod("a") >= "1"'), /unknown relation >=, want one of = != > </);
});

test("CT-04 txn operations: with the commands' flags, or refused", () => {
  const explained: string[] = [];
  const parse = (line: string) => parseOperation(line, (why) => explained.push(why));
  assert.equal(parse("get a --prefix").kind, "get");
  assert.equal(parse("put a b --lease=1f").kind, "put");
  assert.equal(parse("del a b").kind, "delete");
  assert.equal(refusal(() => parse("get a --foo")).message, "invalid txn request: get a --foo");
  assert.deepEqual(explained, ["unknown flag: --foo"]);
  assert.equal(refusal(() => parse("get")).message, "invalid txn compare request: get");
  assert.equal(refusal(() => parse("put a")).exitCode, 128);
});
