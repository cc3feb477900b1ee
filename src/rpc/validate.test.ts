import assert from "node:assert/strict";
import { test } from "node:test";
import { errors } from "../errors/index.ts";
import {
  type Compare,
  emptyDeleteRangeRequest,
  emptyPutRequest,
  emptyRangeRequest,
  type RequestOp,
  type TxnRequest,
} from "../wire/index.ts";
import { checkAlarm, checkDeleteRange, checkPut, checkRange, checkTxn } from "./validate.ts";

const range = (key: string): RequestOp => ({
  kind: "range",
  range: { ...emptyRangeRequest(), key },
});
const put = (key: string): RequestOp => ({ kind: "put", put: { ...emptyPutRequest(), key } });
const del = (key: string, rangeEnd = ""): RequestOp => ({
  kind: "deleteRange",
  deleteRange: { ...emptyDeleteRangeRequest(), key, rangeEnd },
});
const branch = (success: RequestOp[], failure: RequestOp[] = []): TxnRequest => ({
  compare: [],
  success,
  failure,
});
const nested = (success: RequestOp[], failure: RequestOp[] = []): RequestOp => ({
  kind: "txn",
  txn: branch(success, failure),
});
const check = (success: RequestOp[], failure: RequestOp[] = []) =>
  checkTxn(branch(success, failure), 128);

test("validate: an empty key is refused everywhere (KV-01, PU-01, DL-01)", () => {
  assert.equal(checkRange(emptyRangeRequest()), errors.EmptyKey);
  assert.equal(checkPut(emptyPutRequest()), errors.EmptyKey);
  assert.equal(checkDeleteRange(emptyDeleteRangeRequest()), errors.EmptyKey);
  assert.equal(checkRange({ ...emptyRangeRequest(), key: "\0" }), undefined);
});

test("validate: a sort order or target that does not exist is refused (KV-04)", () => {
  const request = { ...emptyRangeRequest(), key: "k" };
  assert.equal(checkRange({ ...request, sortOrder: 3 }), errors.InvalidSortOption);
  assert.equal(checkRange({ ...request, sortTarget: 5 }), errors.InvalidSortOption);
  assert.equal(checkRange({ ...request, sortTarget: -1 }), errors.InvalidSortOption);
  assert.equal(checkRange({ ...request, sortOrder: 2, sortTarget: 4 }), undefined);
});

test("validate: a value or lease beside the flag that ignores it is refused (PU-04, PU-05)", () => {
  const request = { ...emptyPutRequest(), key: "k" };
  const withValue = { ...request, ignoreValue: true, value: Buffer.from("v") };
  assert.equal(checkPut(withValue), errors.ValueProvided);
  assert.equal(checkPut({ ...request, ignoreLease: true, lease: 1n }), errors.LeaseProvided);
  assert.equal(checkPut({ ...request, ignoreValue: true, ignoreLease: true }), undefined);
});

test("validate: too many operations, counted per list and passed down (TX-02, FR-09)", () => {
  const many = (count: number) => Array.from({ length: count }, (_, at) => put(`k${at}`));
  assert.equal(check(many(128)), undefined);
  assert.equal(check(many(129)), errors.TooManyOps);
  assert.equal(check([], many(129)), errors.TooManyOps);
  assert.equal(check([nested(many(127))]), undefined);
  assert.equal(check([nested(many(128))]), errors.TooManyOps);
  const compare: Compare = { result: 0, target: 0, key: "k", rangeEnd: "", operand: undefined };
  const compares = { ...branch([]), compare: Array.from({ length: 129 }, () => compare) };
  assert.equal(checkTxn(compares, 128), errors.TooManyOps);
});

test("validate: each operation inside a transaction is checked as if it stood alone (TX-03)", () => {
  assert.equal(check([range("")]), errors.EmptyKey);
  assert.equal(check([], [del("")]), errors.EmptyKey);
  assert.equal(check([{ kind: "none" }]), errors.KeyNotFound);
  assert.equal(check([nested([nested([put("")])])]), errors.EmptyKey);
  const compare: Compare = { result: 0, target: 0, key: "", rangeEnd: "", operand: undefined };
  assert.equal(checkTxn({ ...branch([]), compare: [compare] }, 128), errors.EmptyKey);
});

test("validate: a key that one branch writes twice is refused (TX-04)", () => {
  assert.equal(check([put("a"), put("a")]), errors.DuplicateKey);
  assert.equal(check([put("b"), del("a", "c")]), errors.DuplicateKey);
  assert.equal(check([del("a"), put("a")]), errors.DuplicateKey);
  assert.equal(check([del("a", "c"), del("b", "d"), put("d")]), undefined);
  assert.equal(check([put("a")], [put("a")]), undefined, "the branches exclude each other");
});

test("validate: nested branches may overlap each other, not what stands around them (TX-04)", () => {
  assert.equal(check([nested([put("a")], [put("a")])]), undefined);
  assert.equal(check([nested([put("a")]), put("a")]), errors.DuplicateKey);
  assert.equal(check([nested([put("a")]), nested([put("a")])]), errors.DuplicateKey);
  assert.equal(check([nested([del("a", "z")]), put("m")]), errors.DuplicateKey);
  assert.equal(check([del("a", "z"), nested([nested([], [put("m")])])]), errors.DuplicateKey);
});

test("validate: an end of \\0 is compared literally, as etcd does (TX-04)", () => {
  assert.equal(check([del("a", "\0"), put("b")]), undefined);
});

test("validate: many overlapping deletes join to one interval and still refuse (TX-04)", () => {
  const deletes = Array.from({ length: 100 }, (_, at) => del(`k${at}`, `k${at + 2}`));
  assert.equal(check([...deletes, put("k50")]), errors.DuplicateKey);
  assert.equal(check([...deletes, put("j")]), undefined);
});

test("validate: an alarm action or type that does not exist is refused (MA-01, DV-01)", () => {
  const memberId = 1n;
  assert.equal(checkAlarm({ action: 99, memberId, alarm: 1 }), errors.InvalidAlarm);
  assert.equal(checkAlarm({ action: 1, memberId, alarm: 3 }), errors.InvalidAlarm);
  assert.equal(checkAlarm({ action: -1, memberId, alarm: 1 }), errors.InvalidAlarm);
  assert.equal(checkAlarm({ action: 2, memberId, alarm: 2 }), undefined);
});
