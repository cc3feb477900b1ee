import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, EtcdError } from "../errors/index.ts";
import { AlarmAction, AlarmType, decodeKeyValue, type RaftOperation } from "../wire/index.ts";
import {
  deleteOp,
  dump,
  openFixture,
  pairs,
  putOf,
  putOp,
  rangeOp,
  rangeRequest,
  txnOf,
} from "./fixture.test.ts";
import { ALREADY_APPLIED } from "./machine.ts";

function alarmOf(action: number, alarm: number, memberId = 1n): RaftOperation {
  return { kind: "alarm", alarm: { action, memberId, alarm } };
}

function revokeOf(id: bigint): RaftOperation {
  return { kind: "leaseRevoke", leaseRevoke: { id } };
}

function deleteOf(key: string, rangeEnd = "", prevKv = false): RaftOperation {
  return { kind: "deleteRange", deleteRange: { key, rangeEnd, prevKv } };
}

test("put: a value may be empty, an empty key is refused (PU-01)", async () => {
  const fixture = await openFixture();
  assert.equal(fixture.put("a", "").revision, 2);
  assert.equal(fixture.value("a"), "");
  assert.equal(fixture.refused(putOf("", "x")), "EmptyKey");
});

test("put: an unknown lease is refused, a known one takes the key over (PU-02, LE-11)", async () => {
  const fixture = await openFixture();
  assert.equal(fixture.refused(putOf("a", "1", { lease: 7n })), "LeaseNotFound");
  fixture.grant(7n);
  fixture.grant(8n);
  fixture.put("a", "1", { lease: 7n });
  assert.deepEqual(fixture.lessor.keysOf(7n), ["a"]);
  fixture.put("a", "2", { lease: 8n });
  assert.deepEqual(fixture.lessor.keysOf(7n), []);
  assert.deepEqual(fixture.lessor.keysOf(8n), ["a"]);
  fixture.put("a", "3");
  assert.deepEqual(fixture.lessor.keysOf(8n), []);
  assert.equal(fixture.lessor.leaseOf("a"), 0n);
});

test("put: prev_kv holds the pair before, if there was one (PU-03)", async () => {
  const fixture = await openFixture();
  assert.equal(fixture.put("a", "1", { prevKv: true }).prevKv, undefined);
  const { prevKv } = fixture.put("a", "2", { prevKv: true });
  assert.ok(prevKv);
  const { value, modRevision } = decodeKeyValue(prevKv);
  assert.deepEqual([value.toString(), modRevision], ["1", 2]);
  assert.equal(fixture.put("a", "3").prevKv, undefined);
});

test("put: ignore_value keeps the value and needs the key (PU-04)", async () => {
  const fixture = await openFixture();
  const keepValue = putOf("a", "", { ignoreValue: true, lease: 7n });
  fixture.grant(7n);
  assert.equal(fixture.refused(keepValue), "KeyNotFound");
  fixture.put("a", "kept");
  assert.equal(fixture.done("put", keepValue).put.revision, 3);
  assert.equal(fixture.value("a"), "kept");
  assert.equal(fixture.lease("a"), 7n);
});

test("put: ignore_lease keeps the lease and needs the key (PU-05)", async () => {
  const fixture = await openFixture();
  fixture.grant(7n);
  assert.equal(fixture.refused(putOf("a", "1", { ignoreLease: true })), "KeyNotFound");
  fixture.put("a", "1", { lease: 7n });
  fixture.put("a", "2", { ignoreLease: true });
  assert.equal(fixture.lease("a"), 7n);
  assert.deepEqual(fixture.lessor.keysOf(7n), ["a"]);
});

test("put: the same value again makes a new revision (PU-06)", async () => {
  const fixture = await openFixture();
  assert.equal(fixture.put("a", "1").revision, 2);
  assert.equal(fixture.put("a", "1").revision, 3);
  const { version, createRevision } = decodeKeyValue(fixture.store.get("a", 0) as Buffer);
  assert.deepEqual([version, createRevision], [2, 2]);
});

test("delete: none found makes no revision, several make one (DL-02, AP-05)", async () => {
  const fixture = await openFixture();
  for (const key of ["c", "a", "b"]) fixture.put(key, key);
  assert.equal(fixture.done("deleteRange", deleteOf("x")).deleteRange.revision, 4);
  const { deleteRange } = fixture.done("deleteRange", deleteOf("a", "c", true));
  assert.equal(deleteRange.revision, 5);
  assert.equal(deleteRange.deleted, 2);
  assert.deepEqual(pairs(deleteRange.prevKvs), ["a=a", "b=b"]);
  const changes = fixture.changes.at(-1)?.changes.map((change) => [change.key, change.sub]);
  assert.deepEqual(changes, [
    ["a", 0],
    ["b", 1],
  ]);
});

test("delete: a key leaves its lease; NOSPACE lets it pass, CORRUPT does not (DL-03)", async () => {
  const fixture = await openFixture();
  fixture.grant(7n);
  fixture.put("a", "1", { lease: 7n });
  fixture.put("b", "1", { lease: 7n });
  fixture.done("alarm", alarmOf(AlarmAction.ACTIVATE, AlarmType.NOSPACE));
  fixture.done("deleteRange", deleteOf("a"));
  assert.deepEqual(fixture.lessor.keysOf(7n), ["b"]);
  fixture.done("alarm", alarmOf(AlarmAction.ACTIVATE, AlarmType.CORRUPT));
  assert.equal(fixture.refused(deleteOf("b")), "Corrupt");
});

test("alarm: NOSPACE on any member refuses what costs space, until disarmed (MA-02, PU-07, TX-15, LE-14, AP-08)", async () => {
  const fixture = await openFixture();
  fixture.grant(7n);
  fixture.put("a", "1", { lease: 7n });
  fixture.done("alarm", alarmOf(AlarmAction.ACTIVATE, AlarmType.NOSPACE, 5n));
  assert.equal(fixture.refused(putOf("a", "2")), "NoSpace");
  assert.equal(fixture.refused(txnOf({ success: [putOp("a", "2")] })), "NoSpace");
  assert.equal(fixture.refused(txnOf({ failure: [putOp("a", "2")] })), "NoSpace");
  const grant: RaftOperation = { kind: "leaseGrant", leaseGrant: { id: 9n, ttlSeconds: 5 } };
  assert.equal(fixture.refused(grant), "NoSpace");
  fixture.txn({ success: [deleteOp("x"), rangeOp("a")] });
  fixture.done("range", { kind: "range", range: rangeRequest("a") });
  fixture.done("compaction", { kind: "compaction", compaction: { revision: 2, physical: false } });
  fixture.done("leaseRevoke", revokeOf(7n));
  fixture.done("alarm", alarmOf(AlarmAction.DEACTIVATE, AlarmType.NOSPACE, 5n));
  fixture.put("a", "2");
});

test("alarm: CORRUPT refuses reads and writes through the log alike (MA-02, LE-14, AP-08)", async () => {
  const fixture = await openFixture();
  fixture.grant(7n);
  fixture.put("a", "1");
  fixture.done("alarm", alarmOf(AlarmAction.ACTIVATE, AlarmType.NOSPACE));
  fixture.done("alarm", alarmOf(AlarmAction.ACTIVATE, AlarmType.CORRUPT));
  const refused: RaftOperation[] = [
    putOf("a", "2"),
    deleteOf("a"),
    txnOf({ success: [rangeOp("a")] }),
    { kind: "range", range: rangeRequest("a") },
    { kind: "compaction", compaction: { revision: 2, physical: false } },
    { kind: "leaseGrant", leaseGrant: { id: 9n, ttlSeconds: 5 } },
    revokeOf(7n),
  ];
  for (const operation of refused) assert.equal(fixture.refused(operation), "Corrupt");
  fixture.done("leaseCheckpoint", {
    kind: "leaseCheckpoint",
    checkpoints: [{ id: 7n, remainingTtlSeconds: 30 }],
  });
  fixture.done("alarm", alarmOf(AlarmAction.GET, AlarmType.NONE));
});

test("alarm: an action or type that nobody knows is refused at apply too (MA-01, DV-01)", async () => {
  const fixture = await openFixture();
  assert.equal(fixture.refused(alarmOf(99, AlarmType.NOSPACE)), "InvalidAlarm");
  assert.equal(fixture.refused(alarmOf(AlarmAction.ACTIVATE, 99)), "InvalidAlarm");
});

test("apply: the size of a local file changes no result (QU-04, AP-02)", async () => {
  const small = await openFixture();
  const large = await openFixture();
  large.backend.sizeBytes = () => ({ total: 2 ** 50, inUse: 2 ** 50 });
  assert.deepEqual(large.put("a", "1"), small.put("a", "1"));
  assert.deepEqual(dump(large.backend), dump(small.backend));
});

test("lease: a grant keeps the TTL of its entry and refuses what cannot be (LE-01, AP-03, DV-06)", async () => {
  const fixture = await openFixture();
  const grantOf = (id: bigint, ttlSeconds: number): RaftOperation => ({
    kind: "leaseGrant",
    leaseGrant: { id, ttlSeconds },
  });
  const granted = fixture.grant(7n, 1);
  assert.deepEqual([granted.id, granted.ttlSeconds, granted.revision], [7n, 1, 1]);
  assert.equal(fixture.refused(grantOf(7n, 60)), "LeaseExist");
  assert.equal(fixture.refused(grantOf(8n, 9_000_000_001)), "LeaseTTLTooLarge");
  assert.equal(fixture.refused(grantOf(8n, Number.POSITIVE_INFINITY)), "LeaseTTLTooLarge");
  assert.equal(fixture.refused(grantOf(0n, 60)), "LeaseNotFound");
  assert.equal(fixture.grant(9n, 9_000_000_000).ttlSeconds, 9_000_000_000);
  assert.equal(fixture.grant(10n, -5).ttlSeconds, 1);
  assert.equal(fixture.grant(11n, 0).ttlSeconds, 1);
});

test("lease: a revocation deletes the keys in order, in one revision (LE-03, AP-06)", async () => {
  const fixture = await openFixture();
  fixture.grant(7n);
  fixture.grant(8n);
  for (const key of ["c", "a", "b"]) fixture.put(key, "1", { lease: 7n });
  fixture.put("d", "1");
  assert.equal(fixture.done("leaseRevoke", revokeOf(7n)).revision, 6);
  const last = fixture.changes.at(-1);
  assert.equal(last?.revision, 6);
  assert.deepEqual(
    last?.changes.map((change) => [change.type, change.key, change.sub]),
    [
      ["delete", "a", 0],
      ["delete", "b", 1],
      ["delete", "c", 2],
    ],
  );
  assert.equal(fixture.value("d"), "1");
  assert.equal(fixture.done("leaseRevoke", revokeOf(8n)).revision, 6, "no keys, no revision");
  assert.equal(fixture.refused(revokeOf(7n)), "LeaseNotFound");
});

test("lease: leases, TTLs and attached keys survive a restart (LE-11)", async () => {
  const before = await openFixture();
  before.grant(7n, 60);
  before.grant(-3n, 90);
  before.put("a", "1", { lease: 7n });
  before.put("b", "1", { lease: 7n });
  before.put("c", "1", { lease: -3n });
  before.put("b", "2");
  before.done("deleteRange", deleteOf("c"));
  const after = await before.reopen();
  assert.equal(after.lessor.size, 2);
  assert.equal(after.lessor.grantedTtlSeconds(-3n), 90);
  assert.deepEqual(after.lessor.keysOf(7n), ["a"]);
  assert.deepEqual(after.lessor.keysOf(-3n), []);
});

test("compact: below, at and beyond what there is (CP-01, CP-07)", async () => {
  const fixture = await openFixture();
  const compactOf = (revision: number): RaftOperation => ({
    kind: "compaction",
    compaction: { revision, physical: false },
  });
  for (const value of ["1", "2", "3"]) fixture.put("a", value);
  assert.equal(fixture.done("compaction", compactOf(3)).revision, 4);
  assert.equal(fixture.refused(compactOf(3)), "Compacted");
  assert.equal(fixture.refused(compactOf(9)), "FutureRev");
});

test("range: one that came through the log is answered to who waits (TX-16, KV-09)", async () => {
  const fixture = await openFixture();
  fixture.put("a", "1");
  const operation: RaftOperation = { kind: "range", range: rangeRequest("a") };
  assert.deepEqual(pairs(fixture.done("range", operation).range.kvs), ["a=1"]);
  const unheard = fixture.apply(operation, false);
  assert.ok(!(unheard instanceof EtcdError) && unheard.kind === "range");
  assert.deepEqual(unheard.range.kvs, []);
  const sorted = { kind: "range", range: rangeRequest("a", { sortTarget: 9 }) } as const;
  assert.equal(fixture.refused(sorted), "InvalidSortOption");
  const future = { kind: "range", range: rangeRequest("a", { revision: 9 }) } as const;
  assert.equal(fixture.refused(future), "FutureRev");
});

test("apply: the applied point moves with each entry, refused ones too, and none twice (AP-01)", async () => {
  const fixture = await openFixture();
  fixture.put("a", "1");
  fixture.refused(putOf("", ""));
  assert.deepEqual(fixture.backend.applied, { index: 2, term: 1 });
  fixture.machine.advance(3, 2);
  fixture.machine.advance(1, 1);
  assert.deepEqual(fixture.backend.applied, { index: 3, term: 2 });
  const header = { memberPrefix: 1, sequence: 1, username: "", authRevision: 0 };
  const operation = putOf("a", "again");
  assert.equal(fixture.machine.apply(3, 2, { header, operation }, true), ALREADY_APPLIED);
  assert.equal(fixture.value("a"), "1");
  const after = await fixture.reopen();
  assert.deepEqual(after.backend.applied, { index: 3, term: 2 });
});

test("apply: an operation of a later version is refused the same everywhere", async () => {
  const fixture = await openFixture();
  assert.equal(fixture.refused({ kind: "unknown", tag: 9_900 }), "NotCapable");
});

test("apply: the cluster version is kept, one that is none is refused", async () => {
  const fixture = await openFixture();
  fixture.done("clusterVersionSet", { kind: "clusterVersionSet", version: "3.7.0" });
  assert.equal(fixture.refused({ kind: "clusterVersionSet", version: "latest" }), "NotCapable");
  assert.equal(fixture.machine.clusterVersion, "3.7.0");
  const after = await fixture.reopen();
  assert.equal(after.machine.clusterVersion, "3.7.0");
  assert.equal(after.backend.get("cluster", Buffer.from("clusterVersion"))?.toString(), "3.7.0");
});

test("apply: the first incarnation stays, and what is none is passed over (BT-g6)", async () => {
  const fixture = await openFixture();
  const set = (incarnation: string) => {
    const operation = { kind: "clusterVersionSet", version: "3.7.0", incarnation } as const;
    fixture.done("clusterVersionSet", operation);
  };
  assert.equal(fixture.machine.incarnation, undefined);
  set("no incarnation");
  assert.equal(fixture.machine.incarnation, undefined);
  set("00112233445566aa");
  set("ffffffffffffffff");
  const after = await fixture.reopen();
  assert.equal(after.machine.incarnation, "00112233445566aa");
});

test("apply: a downgrade's target is kept until it is taken back, one that is none is refused (MA-09)", async () => {
  const fixture = await openFixture();
  const set = (enabled: boolean, version: string) =>
    ({ kind: "downgradeInfoSet", enabled, version }) as const;
  assert.deepEqual(fixture.machine.downgrade, { enabled: false, targetVersion: "" });
  fixture.done("downgradeInfoSet", set(true, "3.6.0"));
  assert.equal(fixture.refused(set(true, "3.6")), "WrongDowngradeVersionFormat");
  const after = await fixture.reopen();
  assert.deepEqual(after.machine.downgrade, { enabled: true, targetVersion: "3.6.0" });
  assert.equal(
    after.backend.get("cluster", Buffer.from("downgrade"))?.toString(),
    '{"target-version":"3.6.0","enabled":true}',
  );
  after.done("downgradeInfoSet", set(false, ""));
  const last = await after.reopen();
  assert.deepEqual(last.machine.downgrade, { enabled: false, targetVersion: "" });
});

test("apply: attributes go to the member that has them; a member unknown here is refused", async () => {
  const fixture = await openFixture();
  const id = 0xffff_ffff_ffff_fff0n;
  const attributes = { name: "infra1", clientUrls: ["http://a:2379"] };
  const operation = { kind: "memberAttributesSet", memberId: id, attributes } as const;
  assert.equal(fixture.refused(operation), "MemberNotFound");
  const peerUrls = ["http://a:2380"];
  fixture.machine.putMember({ id, peerUrls, isLearner: false, name: "", clientUrls: [] });
  fixture.done("memberAttributesSet", operation);
  const after = await fixture.reopen();
  assert.deepEqual(after.machine.members(), [
    { id, peerUrls, isLearner: false, name: "infra1", clientUrls: ["http://a:2379"] },
  ]);
  after.machine.removeMember(id);
  assert.deepEqual(after.machine.members(), []);
  assert.equal(after.machine.isRemovedMember(id), true);
});

test("apply: refusals carry etcd's codes", async () => {
  const fixture = await openFixture();
  const outcome = fixture.apply(putOf("a", "1", { lease: 7n }));
  assert.ok(outcome instanceof EtcdError);
  assert.equal(outcome.code, Code.NOT_FOUND);
  assert.equal(outcome.message, "etcdserver: requested lease not found");
});
