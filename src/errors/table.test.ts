import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Code } from "./code.ts";
import { EtcdError } from "./error.ts";
import { codeName, statusText } from "./status-text.ts";
import { errors } from "./table.ts";

const page = new URL("../../docs/reference/errors.md", import.meta.url);

test("errors: docs/reference/errors.md has each row of the table, and no other", () => {
  const documented = readFileSync(page, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| id "))
    .map((line) => line.split(" | "));
  const rows = Object.values(errors);
  assert.deepEqual(
    documented.map((cells) => cells.slice(0, 3).join(" | ")),
    rows.map((row) => `| ${row.id} | ${codeName(row.code)} | \`${row.message}\``),
  );
  for (const cells of documented) assert.match(cells[3] ?? "", /^[A-Z`].*\. \|$/);
});

test("errors: ids are the names they are used by, texts are unique", () => {
  const texts = new Set<string>();
  for (const [name, row] of Object.entries(errors)) {
    assert.ok(row instanceof EtcdError);
    assert.equal(row.id, name);
    texts.add(row.message);
  }
  assert.equal(texts.size, Object.keys(errors).length);
});

test("errors: refusals that etcd lets out as Unknown carry their declared code (FR-31, DV-03)", () => {
  assert.equal(errors.TooManyRequests.code, Code.RESOURCE_EXHAUSTED);
  assert.equal(errors.MemberNotEnoughStarted.code, Code.FAILED_PRECONDITION);
});

test("errors: what etcd has no code for is Unknown with its raw text (FR-32)", () => {
  assert.equal(errors.NotPrimaryLessor.code, Code.UNKNOWN);
  assert.equal(errors.NotPrimaryLessor.message, "not a primary lessor");
  assert.equal(errors.TimeoutLeaderTransfer.code, Code.UNKNOWN);
  assert.equal(errors.NoPasswordUser.code, Code.UNKNOWN);
});

test("errors: a status is printed as grpc-go prints it (WA-07)", () => {
  assert.equal(
    statusText(errors.PermissionDenied),
    "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
  );
  assert.equal(codeName(Code.CANCELLED), "Canceled");
  assert.equal(codeName(Code.UNAUTHENTICATED), "Unauthenticated");
});

test("errors: a row carries no stack and stays what it is", () => {
  assert.equal(errors.Compacted.stack?.includes("\n    at "), false);
  assert.equal(errors.Compacted.message, "etcdserver: mvcc: required revision has been compacted");
});
