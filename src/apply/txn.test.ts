import assert from "node:assert/strict";
import { test } from "node:test";
import { EtcdError } from "../errors/index.ts";
import { AlarmAction, AlarmType, CompareResult, CompareTarget } from "../wire/index.ts";
import {
  compareOf,
  deleteOp,
  type Fixture,
  openFixture,
  pairs,
  putOp,
  rangeOp,
  txnOf,
  txnRequest,
} from "./fixture.test.ts";
import { executeReadTxn, isReadOnlyTxn } from "./txn.ts";

const { EQUAL, GREATER, LESS, NOT_EQUAL } = CompareResult;
const { VERSION, CREATE, MOD, VALUE, LEASE } = CompareTarget;

function holds(fixture: Fixture, ...compare: ReturnType<typeof compareOf>[]): boolean {
  return fixture.txn({ compare }).succeeded;
}

const version = (value: number) => ({ kind: "version", value }) as const;
const modRevision = (value: number) => ({ kind: "modRevision", value }) as const;
const createRevision = (value: number) => ({ kind: "createRevision", value }) as const;
const lease = (value: bigint) => ({ kind: "lease", value }) as const;
const text = (value: string) => ({ kind: "value", value: Buffer.from(value) }) as const;

test("txn: the branch taken is answered op by op, nested ones by a nested answer (TX-01)", async () => {
  const fixture = await openFixture();
  const answer = fixture.txn({
    compare: [compareOf("a", { target: VERSION, operand: version(0) })],
    success: [
      putOp("a", "1"),
      rangeOp("a"),
      { kind: "txn", txn: txnRequest({ success: [rangeOp("b"), putOp("b", "2")] }) },
      deleteOp("a"),
    ],
    failure: [rangeOp("a")],
  });
  assert.equal(answer.succeeded, true);
  assert.deepEqual(
    answer.responses.map((response) => response.kind),
    ["put", "range", "txn", "deleteRange"],
  );
  const nested = answer.responses[2];
  assert.ok(nested?.kind === "txn");
  assert.equal(nested.txn.succeeded, true);
  assert.equal(nested.txn.revision, 0, "its header is empty");
  assert.deepEqual(
    nested.txn.responses.map((response) => response.kind),
    ["range", "put"],
  );
});

test("txn: nesting beyond every budget is refused, not followed (TX-02)", async () => {
  const fixture = await openFixture();
  let txn = txnRequest({ success: [putOp("a", "1")] });
  for (let depth = 0; depth < 200; depth += 1)
    txn = txnRequest({ success: [{ kind: "txn", txn }] });
  assert.equal(fixture.refused({ kind: "txn", txn }), "TooManyOps");
});

test("txn: what no proposer lets pass is refused at apply (TX-03)", async () => {
  const fixture = await openFixture();
  assert.equal(fixture.refused(txnOf({ success: [{ kind: "none" }] })), "KeyNotFound");
  assert.equal(fixture.refused(txnOf({ success: [putOp("", "x")] })), "EmptyKey");
  assert.equal(fixture.refused(txnOf({ success: [rangeOp("")] })), "EmptyKey");
  assert.equal(fixture.refused(txnOf({ success: [deleteOp("")] })), "EmptyKey");
  const unsorted = rangeOp("a", { sortOrder: 7 });
  assert.equal(fixture.refused(txnOf({ success: [unsorted] })), "InvalidSortOption");
});

test("txn: puts of one key twice, which no proposer lets pass, are applied in order (TX-04)", async () => {
  const fixture = await openFixture();
  fixture.txn({ success: [putOp("a", "1"), putOp("a", "2"), deleteOp("a"), putOp("a", "3")] });
  assert.equal(fixture.value("a"), "3");
  assert.equal(fixture.store.currentRevision, 2);
});

test("txn: each target compares with each result (TX-05)", async () => {
  const fixture = await openFixture();
  fixture.grant(7n);
  fixture.put("a", "x");
  fixture.put("a", "m", { lease: 7n }); // version 2, created 2, modified 3
  const cases = [
    { target: VERSION, below: version(1), equal: version(2), above: version(3) },
    {
      target: CREATE,
      below: createRevision(1),
      equal: createRevision(2),
      above: createRevision(3),
    },
    { target: MOD, below: modRevision(2), equal: modRevision(3), above: modRevision(4) },
    { target: VALUE, below: text("a"), equal: text("m"), above: text("m\0") },
    { target: LEASE, below: lease(-1n), equal: lease(7n), above: lease(8n) },
  ];
  for (const { target, below, equal, above } of cases) {
    const answers = [EQUAL, GREATER, LESS, NOT_EQUAL].map((result) =>
      [below, equal, above].map((operand) =>
        holds(fixture, compareOf("a", { target, result, operand })),
      ),
    );
    assert.deepEqual(answers, [
      [false, true, false],
      [true, false, false],
      [false, false, true],
      [true, false, true],
    ]);
  }
});

test("txn: a missing key has no value, and zero for the rest (TX-06)", async () => {
  const fixture = await openFixture();
  for (const result of [EQUAL, GREATER, LESS, NOT_EQUAL]) {
    const compare = compareOf("x", { target: VALUE, result, operand: text("") });
    assert.equal(holds(fixture, compare), false);
  }
  for (const target of [VERSION, CREATE, MOD, LEASE]) {
    assert.equal(holds(fixture, compareOf("x", { target, result: EQUAL })), true);
    assert.equal(holds(fixture, compareOf("x", { target, result: NOT_EQUAL })), false);
  }
  assert.equal(
    holds(fixture, compareOf("x", { target: MOD, result: LESS, operand: modRevision(1) })),
    true,
  );
});

test("txn: a comparison over a range holds if it does for every key (TX-07)", async () => {
  const fixture = await openFixture();
  const count = 600;
  for (let at = 0; at < count; at += 1) fixture.put(`k${String(at).padStart(3, "0")}`, "v");
  const all = { rangeEnd: "l", target: VALUE, result: EQUAL, operand: text("v") };
  assert.equal(holds(fixture, compareOf("k", all)), true);
  assert.equal(holds(fixture, compareOf("k", { ...all, rangeEnd: "\0" })), true);
  fixture.put("k599", "other");
  assert.equal(holds(fixture, compareOf("k", all)), false);
  assert.equal(holds(fixture, compareOf("k", { ...all, rangeEnd: "k599" })), true);
  assert.equal(holds(fixture, compareOf("m", { ...all, rangeEnd: "n" })), false, "empty, by value");
  assert.equal(holds(fixture, compareOf("m", { rangeEnd: "n", target: VERSION })), true);
});

test("txn: an operand of the wrong kind reads as zero (TX-08)", async () => {
  const fixture = await openFixture();
  fixture.put("a", "");
  const compare = { target: VERSION, result: GREATER, operand: text("zzz") };
  assert.equal(holds(fixture, compareOf("a", compare)), true);
  assert.equal(holds(fixture, compareOf("a", { target: VALUE, operand: version(5) })), true);
  assert.equal(holds(fixture, compareOf("a", { target: LEASE, operand: version(5) })), true);
  assert.equal(holds(fixture, compareOf("a", { target: MOD })), false);
});

test("txn: an unknown target is equal, an unknown result holds (TX-08, DV-12)", async () => {
  const fixture = await openFixture();
  fixture.put("a", "1");
  assert.equal(holds(fixture, compareOf("a", { target: 9, result: EQUAL })), true);
  assert.equal(holds(fixture, compareOf("a", { target: 9, result: NOT_EQUAL })), false);
  assert.equal(holds(fixture, compareOf("a", { target: MOD, result: 9 })), true);
});

test("txn: comparisons see the state before any op, reads what was written before them (TX-09, AP-07)", async () => {
  const fixture = await openFixture();
  fixture.put("a", "old");
  const isOld = compareOf("a", { target: VALUE, operand: text("old") });
  const answer = fixture.txn({
    compare: [isOld],
    success: [
      rangeOp("a"),
      putOp("a", "new"),
      rangeOp("a"),
      {
        kind: "txn",
        txn: txnRequest({ compare: [isOld], success: [rangeOp("a")], failure: [deleteOp("a")] }),
      },
    ],
  });
  const [before, , after, nested] = answer.responses;
  assert.ok(before?.kind === "range" && after?.kind === "range" && nested?.kind === "txn");
  assert.deepEqual(pairs(before.range.kvs), ["a=old"]);
  assert.deepEqual(pairs(after.range.kvs), ["a=new"]);
  assert.equal(nested.txn.succeeded, true);
  const inner = nested.txn.responses[0];
  assert.ok(inner?.kind === "range");
  assert.deepEqual(pairs(inner.range.kvs), ["a=new"]);
});

test("txn: branches of several nested transactions are taken by their own comparisons (TX-09)", async () => {
  const fixture = await openFixture();
  const missing = compareOf("x", { target: VERSION, operand: version(0) });
  const present = compareOf("x", { target: VERSION, result: GREATER });
  const leaf = (compare: ReturnType<typeof compareOf>, name: string) =>
    ({
      kind: "txn",
      txn: txnRequest({
        compare: [compare],
        success: [putOp(`${name}/yes`, "1")],
        failure: [putOp(`${name}/no`, "1")],
      }),
    }) as const;
  fixture.txn({
    success: [
      {
        kind: "txn",
        txn: txnRequest({
          compare: [present],
          success: [leaf(missing, "never")],
          failure: [leaf(missing, "p"), leaf(present, "q")],
        }),
      },
      leaf(missing, "r"),
      leaf(present, "s"),
    ],
  });
  const keys = ["p/yes", "q/no", "r/yes", "s/no"];
  assert.deepEqual(
    keys.map((key) => fixture.value(key)),
    ["1", "1", "1", "1"],
  );
  assert.equal(fixture.changes.at(-1)?.changes.length, 4);
});

test("txn: one revision for all of it, none if nothing changed (TX-10, AP-05, FR-30)", async () => {
  const fixture = await openFixture();
  const answer = fixture.txn({
    success: [rangeOp("a"), putOp("a", "1"), deleteOp("x"), putOp("b", "2"), rangeOp("a")],
  });
  assert.equal(answer.revision, 2);
  const revisions = answer.responses.map((response) => {
    if (response.kind === "range") return response.range.revision;
    if (response.kind === "put") return response.put.revision;
    return response.kind === "deleteRange" ? response.deleteRange.revision : undefined;
  });
  assert.deepEqual(revisions, [1, 2, 2, 2, 2]);
  assert.deepEqual(
    fixture.changes.map(({ revision, changes }) => [revision, changes.map(({ sub }) => sub)]),
    [[2, [0, 1]]],
  );
  assert.equal(fixture.txn({ success: [deleteOp("x")] }).revision, 2);
  assert.equal(fixture.store.currentRevision, 2);
});

test("txn: a range may name a revision that exists, no other (TX-11)", async () => {
  const fixture = await openFixture();
  for (const value of ["2", "3", "4", "5"]) fixture.put("a", value);
  fixture.done("compaction", { kind: "compaction", compaction: { revision: 3, physical: false } });
  const at = (revision: number) =>
    txnOf({ success: [putOp("b", "1"), rangeOp("a", { revision })] });
  assert.equal(fixture.refused(at(6)), "FutureRev");
  assert.equal(fixture.refused(at(2)), "Compacted");
  assert.equal(fixture.refused(at(-1)), "Compacted");
  const { txn } = fixture.done("txn", at(3));
  const range = txn.responses[1];
  assert.ok(range?.kind === "range");
  assert.deepEqual(pairs(range.range.kvs), ["a=3"]);
  assert.equal(range.range.revision, 6);
});

test("txn: only one of ranges alone is read-only, and runs on the store (TX-12)", async () => {
  const fixture = await openFixture();
  fixture.put("a", "1");
  fixture.put("b", "2");
  const empty = txnRequest({});
  const ranges = txnRequest({
    compare: [compareOf("a", { target: VALUE, operand: text("1") })],
    success: [rangeOp("a"), rangeOp("b", { countOnly: true })],
    failure: [rangeOp("x")],
  });
  const nested = txnRequest({ success: [{ kind: "txn", txn: ranges }] });
  assert.deepEqual([empty, ranges, nested].map(isReadOnlyTxn), [true, true, false]);
  assert.equal(isReadOnlyTxn(txnRequest({ failure: [putOp("a", "1")] })), false);
  const answer = executeReadTxn(fixture.store, ranges);
  assert.ok(!(answer instanceof EtcdError));
  assert.equal(answer.revision, 3);
  assert.deepEqual(
    answer.responses.map((response) => response.kind === "range" && response.range.count),
    [1, 1],
  );
  const future = executeReadTxn(
    fixture.store,
    txnRequest({ success: [rangeOp("a", { revision: 9 })] }),
  );
  assert.ok(future instanceof EtcdError && future.id === "FutureRev");
});

test("txn: a check that fails leaves nothing of it behind (TX-13)", async () => {
  const fixture = await openFixture();
  const first = putOp("first", "1");
  const noLease = putOp("a", "1", { lease: 9n });
  assert.equal(fixture.refused(txnOf({ success: [first, noLease] })), "LeaseNotFound");
  const noKey = putOp("a", "", { ignoreValue: true });
  assert.equal(fixture.refused(txnOf({ success: [first, noKey] })), "KeyNotFound");
  const inner = { kind: "txn", txn: txnRequest({ success: [noLease] }) } as const;
  assert.equal(fixture.refused(txnOf({ success: [first, inner] })), "LeaseNotFound");
  assert.equal(
    fixture.refused(txnOf({ success: [first, rangeOp("a", { revision: 99 })] })),
    "FutureRev",
  );
  fixture.txn({ success: [first], failure: [noLease] });
  assert.deepEqual(fixture.changes.length, 1);
});

test("txn: under NOSPACE only those with puts are refused, nested ones counted (TX-15)", async () => {
  const fixture = await openFixture();
  fixture.put("a", "1");
  const alarm = { action: AlarmAction.ACTIVATE, memberId: 1n, alarm: AlarmType.NOSPACE };
  fixture.done("alarm", { kind: "alarm", alarm });
  const inner = { kind: "txn", txn: txnRequest({ failure: [putOp("b", "1")] }) } as const;
  assert.equal(fixture.refused(txnOf({ success: [inner] })), "NoSpace");
  fixture.txn({ success: [deleteOp("a"), { kind: "txn", txn: txnRequest({}) }] });
  assert.equal(fixture.value("a"), undefined);
});

test("txn: where nobody waits, ranges are left out and the effects are the same (TX-16)", async () => {
  const waited = await openFixture();
  const unheard = await openFixture();
  const operation = txnOf({
    success: [
      rangeOp("a"),
      putOp("a", "1", { prevKv: true }),
      rangeOp("a"),
      deleteOp("a", "", true),
    ],
  });
  let ranges = 0;
  const begin = unheard.store.begin.bind(unheard.store);
  unheard.store.begin = () => {
    const tx = begin();
    const range = tx.range.bind(tx);
    tx.range = (query) => {
      ranges += 1;
      return range(query);
    };
    return tx;
  };
  waited.apply(operation, true);
  unheard.apply(operation, false);
  assert.equal(ranges, 0);
  assert.deepEqual(
    unheard.changes.map((change) => change.changes.map(({ key, type }) => [key, type])),
    waited.changes.map((change) => change.changes.map(({ key, type }) => [key, type])),
  );
});

test("txn: puts and deletes move keys between leases (PU-02, DL-03)", async () => {
  const fixture = await openFixture();
  fixture.grant(7n);
  fixture.grant(8n);
  fixture.txn({ success: [putOp("a", "1", { lease: 7n }), putOp("b", "1", { lease: 7n })] });
  fixture.txn({ success: [putOp("a", "1", { lease: 8n }), deleteOp("b")] });
  assert.deepEqual(fixture.lessor.keysOf(7n), []);
  assert.deepEqual(fixture.lessor.keysOf(8n), ["a"]);
});
