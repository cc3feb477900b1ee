import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMemberRecord, encodeMemberRecord } from "./member-table.ts";

const FULL = {
  id: 18_446_744_073_709_551_615n,
  peerUrls: ["http://10.0.0.1:2380"],
  isLearner: true,
  name: 'a "quoted" name with "id":5 in it',
  clientUrls: ["http://10.0.0.1:2379", "unix://x:0"],
};

test("member row: the id is a bare number, empty fields are left out (surface 15.5, DV-10)", () => {
  const bare = { id: 5n, peerUrls: ["http://a:1"], isLearner: false, name: "", clientUrls: [] };
  assert.equal(encodeMemberRecord(bare), '{"id":5,"peerURLs":["http://a:1"]}');
  const text = encodeMemberRecord(FULL);
  assert.ok(text.startsWith('{"id":18446744073709551615,"peerURLs":["http://10.0.0.1:2380"],'));
  assert.ok(text.includes('"isLearner":true,"name":"a \\"quoted\\"'));
});

test("member row: what is written is read, ids beyond 2^53 too (DV-10)", () => {
  assert.deepEqual(decodeMemberRecord(encodeMemberRecord(FULL)), FULL);
});

test("member row: fields in any order, null and unknown ones → read all the same", () => {
  const text = '{"name":"x","clientURLs":null,"extra":[1],"peerURLs":["http://a:1"], "id" : 7}';
  assert.deepEqual(decodeMemberRecord(text), {
    id: 7n,
    peerUrls: ["http://a:1"],
    isLearner: false,
    name: "x",
    clientUrls: [],
  });
});

test("member row: what is no such object → undefined", () => {
  for (const text of ["", "null", "[]", '{"id":7', '"id":7', '{"peerURLs":[]}']) {
    assert.equal(decodeMemberRecord(text), undefined);
  }
});
