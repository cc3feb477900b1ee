import assert from "node:assert/strict";
import { test } from "node:test";
import { goJson, goText, omitEmpty } from "./json.ts";
import { table } from "./table.ts";

test("json: 64 bits beyond what a double holds → all digits", () => {
  assert.equal(
    goJson({ id: 18446744073709551615n, lease: -3n }),
    '{"id":18446744073709551615,"lease":-3}',
  );
});

test("json: bytes, nil, empty lists and zeros → as encoding/json has them", () => {
  assert.equal(
    goJson({ key: Buffer.from("ab"), keys: null, list: [] }),
    '{"key":"YWI=","keys":null,"list":[]}',
  );
  const all = { a: 0, b: 0n, c: "", d: false, e: [], f: Buffer.alloc(0), g: null, h: undefined };
  assert.deepEqual(omitEmpty(all), {});
  assert.equal(goJson(omitEmpty({ ...all, header: {} })), '{"header":{}}');
});

test("json: what HTML and JavaScript would trip over → escaped as Go does", () => {
  assert.equal(
    goJson('<a>&\u2028\u2029\b\f\n\u0001\u007f"\\é'),
    '"\\u003ca\\u003e\\u0026\\u2028\\u2029\\u0008\\u000c\\n\\u0001\u007f\\"\\\\é"',
  );
});

test("text: bytes that are no UTF-8 → a replacement each", () => {
  assert.equal(goText(Buffer.from([0x61, 0xff, 0xc3, 0xa9, 0xe2, 0x28])), "a\ufffdé\ufffd(");
});

test("table: etcdctl's frame, names in the middle, cells on the right", () => {
  assert.equal(
    table(["ID", "raft_term"], [["8e9e05c52164694d", "2"]]),
    [
      "+------------------+-----------+",
      "|        ID        | RAFT TERM |",
      "+------------------+-----------+",
      "| 8e9e05c52164694d |         2 |",
      "+------------------+-----------+",
      "",
    ].join("\n"),
  );
});
