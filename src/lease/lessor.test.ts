import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { REVOKE_RETRY_MS } from "./deadlines.ts";
import { openLessor } from "./lessor.ts";
import type { Lessor } from "./types.ts";

const FAR = 1_000_000_000;

function primary(nowMs = 0): Lessor {
  const lessor = openLessor(new MemoryBackend());
  lessor.promote(nowMs, 0);
  return lessor;
}

function sorted(ids: readonly bigint[]): bigint[] {
  return [...ids].sort((a, b) => Number(a - b));
}

function grant(lessor: Lessor, id: bigint, ttlSeconds: number): void {
  assert.equal(lessor.grant(id, ttlSeconds), undefined);
}

test("lease: a grant is refused as etcd refuses it, and leaves nothing (LE-01)", () => {
  const backend = new MemoryBackend();
  const lessor = openLessor(backend);
  grant(lessor, 5n, 60);
  assert.equal(lessor.grant(5n, 60)?.id, "LeaseExist");
  assert.equal(lessor.grant(6n, 9_000_000_001)?.id, "LeaseTTLTooLarge");
  assert.equal(lessor.grant(6n, Number.NaN)?.id, "LeaseTTLTooLarge");
  assert.equal(lessor.grant(0n, 60)?.id, "LeaseNotFound");
  assert.equal(lessor.size, 1);
  const rows = backend.scan("lease", Buffer.alloc(0), undefined, 10);
  assert.deepEqual(
    rows.map((row) => `${row.key.toString("hex")}=${row.value.toString("hex")}`),
    ["0000000000000005=0805103c"],
  );
});

test("lease: keys belong to one lease at a time, in sorted order (LE-03, LE-11)", () => {
  const lessor = openLessor(new MemoryBackend());
  grant(lessor, 1n, 60);
  grant(lessor, 2n, 60);
  for (const key of ["c", "a", "b"]) lessor.attach(1n, key);
  lessor.attach(2n, "a");
  lessor.attach(2n, "a");
  assert.deepEqual([lessor.keysOf(1n), lessor.keysOf(2n)], [["b", "c"], ["a"]]);
  assert.equal(lessor.leaseOf("a"), 2n);
  lessor.detach("a");
  lessor.detach("a");
  lessor.attach(0n, "b");
  assert.equal(lessor.leaseOf("a"), 0n);
  assert.deepEqual(lessor.revoke(1n), ["c"]);
  assert.equal(lessor.leaseOf("c"), 0n);
  assert.equal(lessor.revoke(1n), undefined);
  assert.deepEqual(lessor.keysOf(1n), []);
  lessor.attach(2n, "d");
  lessor.attach(99n, "d");
  assert.equal(lessor.leaseOf("d"), 0n, "an unknown lease holds nothing");
});

test("lease: renewal answers the TTL, 0 for what is unknown or over (LE-04)", () => {
  const lessor = primary();
  grant(lessor, 1n, 10);
  lessor.expired(0, 10);
  assert.equal(lessor.renew(1n, 9_999), 10);
  assert.equal(lessor.renew(1n, 19_998), 10);
  assert.equal(lessor.renew(1n, 29_998), 0, "over, though nobody has revoked it yet");
  assert.equal(lessor.renew(2n, 0), 0);
  lessor.demote();
  assert.equal(lessor.renew(1n, 0), 0, "not the primary");
});

test("lease: a lease once over cannot be renewed while its revocation is on its way (LE-04)", () => {
  const lessor = primary();
  grant(lessor, 1n, 5);
  lessor.expired(0, 10);
  assert.deepEqual(lessor.expired(5_000, 10), [1n]);
  assert.equal(lessor.renew(1n, 5_001), 0);
});

test("lease: time to live counts down in whole seconds; unknown is undefined (LE-05)", () => {
  const lessor = primary();
  grant(lessor, 1n, 10);
  assert.deepEqual(lessor.timeToLive(1n, 0), { ttlSeconds: 10, grantedTtlSeconds: 10 });
  lessor.expired(1_000, 10);
  assert.equal(lessor.timeToLive(1n, 1_000)?.ttlSeconds, 10);
  assert.equal(lessor.timeToLive(1n, 1_001)?.ttlSeconds, 9);
  assert.equal(lessor.timeToLive(1n, 99_000)?.ttlSeconds, 0);
  assert.equal(lessor.timeToLive(2n, 0), undefined);
});

test("lease: the list has the one that expires first in front (LE-06)", () => {
  const lessor = primary();
  for (const [id, ttl] of [
    [1n, 30],
    [2n, 10],
    [3n, 20],
    [4n, 10],
  ] as const) {
    grant(lessor, id, ttl);
  }
  lessor.expired(0, 10);
  lessor.renew(2n, 15_000 - 6_000);
  assert.deepEqual(lessor.list(), [4n, 2n, 3n, 1n]);
  lessor.demote();
  assert.deepEqual(lessor.list(), [1n, 2n, 3n, 4n]);
});

test("lease: expired ones come in batches, and again when they were not revoked (LE-08)", () => {
  const lessor = primary();
  for (let id = 1n; id <= 5n; id += 1n) grant(lessor, id, 10);
  grant(lessor, 9n, 20);
  lessor.expired(0, 10);
  assert.deepEqual(lessor.expired(9_999, 10), []);
  const first = lessor.expired(10_000, 3);
  const second = lessor.expired(10_000, 3);
  assert.equal(first.length, 3);
  assert.deepEqual(sorted([...first, ...second]), [1n, 2n, 3n, 4n, 5n]);
  assert.deepEqual(lessor.expired(10_001, 10), []);
  for (const id of first) lessor.revoke(id);
  assert.deepEqual(lessor.expired(10_000 + REVOKE_RETRY_MS - 1, 10), []);
  assert.deepEqual(sorted(lessor.expired(10_000 + REVOKE_RETRY_MS, 10)), sorted(second));
  assert.deepEqual(lessor.expired(20_000, 10), [9n]);
});

test("lease: a deadline starts when the time is next told, never before the grant (LE-08)", () => {
  const lessor = primary();
  lessor.expired(1_000, 10);
  grant(lessor, 1n, 10);
  assert.deepEqual(lessor.expired(1_500, 10), []);
  assert.deepEqual(lessor.expired(11_499, 10), []);
  assert.deepEqual(lessor.expired(11_500, 10), [1n]);
});

test("lease: a new primary gives every lease its full time and the extension (LE-09)", () => {
  const lessor = openLessor(new MemoryBackend());
  grant(lessor, 1n, 10);
  grant(lessor, 2n, 100);
  lessor.checkpoint([{ id: 2n, remainingTtlSeconds: 7 }]);
  lessor.promote(50_000, 1_000);
  assert.deepEqual(lessor.expired(57_999, 10), []);
  assert.deepEqual(lessor.expired(58_000, 10), [2n]);
  assert.deepEqual(lessor.expired(60_999, 10), []);
  assert.deepEqual(lessor.expired(61_000, 10), [1n]);
});

test("lease: with 1 000 leases or more, no second sees over 750 of their ends (LE-09)", () => {
  const lessor = openLessor(new MemoryBackend());
  const count = 5_000;
  for (let id = 1n; id <= count; id += 1n) grant(lessor, id, id % 3n === 0n ? 60 : 61);
  lessor.promote(0, 500);
  const endsMs: number[] = [];
  for (let nowMs = 0; nowMs < 100_000; nowMs += 250) {
    const ids = lessor.expired(nowMs, count);
    for (const id of ids) {
      endsMs.push(nowMs);
      lessor.revoke(id);
    }
  }
  assert.equal(endsMs.length, count);
  assert.ok((endsMs[0] as number) >= 60_500);
  for (let at = 750; at < count; at += 1) {
    assert.ok((endsMs[at] as number) - (endsMs[at - 750] as number) >= 1_000);
  }
  assert.ok((endsMs[count - 1] as number) <= 60_500 + 1_000 * (count / 750 + 1));
});

test("lease: fewer than 1 000 leases are not spread (LE-09)", () => {
  const lessor = openLessor(new MemoryBackend());
  for (let id = 1n; id <= 999n; id += 1n) grant(lessor, id, 60);
  lessor.promote(0, 0);
  assert.equal(lessor.expired(60_000, 10_000).length, 999);
});

test("lease: nothing expires on a member that is not primary (LE-10)", () => {
  const lessor = openLessor(new MemoryBackend());
  grant(lessor, 1n, 1);
  assert.deepEqual(lessor.expired(FAR, 10), []);
  assert.deepEqual(lessor.dueCheckpoints(FAR, 10), []);
  assert.equal(lessor.timeToLive(1n, FAR)?.ttlSeconds, 1);
  lessor.promote(FAR, 0);
  lessor.demote();
  assert.deepEqual(lessor.expired(2 * FAR, 10), []);
  lessor.promote(3 * FAR, 0);
  assert.deepEqual(lessor.expired(3 * FAR + 999, 10), [], "a new time begins");
});

test("lease: remaining time is due after a tenth of the TTL, a second at least (LE-07)", () => {
  const lessor = primary();
  grant(lessor, 1n, 100);
  grant(lessor, 2n, 5);
  lessor.expired(0, 10);
  assert.deepEqual(lessor.dueCheckpoints(999, 10), []);
  assert.deepEqual(lessor.dueCheckpoints(1_000, 10), [{ id: 2n, remainingTtlSeconds: 4 }]);
  assert.deepEqual(lessor.dueCheckpoints(9_999, 10), []);
  assert.deepEqual(lessor.dueCheckpoints(10_000, 10), [{ id: 1n, remainingTtlSeconds: 90 }]);
  lessor.checkpoint([{ id: 1n, remainingTtlSeconds: 90 }]);
  assert.deepEqual(lessor.dueCheckpoints(20_000, 10), [{ id: 1n, remainingTtlSeconds: 80 }]);
});

test("lease: remaining time is rounded up, and only said when it is news (LE-07)", () => {
  const lessor = primary();
  grant(lessor, 1n, 100);
  lessor.expired(0, 10);
  const due = lessor.dueCheckpoints(10_001, 10);
  assert.deepEqual(due, [{ id: 1n, remainingTtlSeconds: 90 }]);
  lessor.promote(0, 5_000);
  assert.deepEqual(lessor.dueCheckpoints(10_001, 10), [{ id: 1n, remainingTtlSeconds: 95 }]);
  const late = openLessor(new MemoryBackend());
  grant(late, 1n, 10);
  late.promote(0, 60_000);
  assert.deepEqual(late.dueCheckpoints(1_000, 10), [], "more is left than was granted");
});

test("lease: a stored remaining time is kept over a restart, and bounded by the TTL (LE-07)", async () => {
  const backend = new MemoryBackend();
  const before = openLessor(backend);
  grant(before, 1n, 100);
  grant(before, 2n, 100);
  before.checkpoint([
    { id: 1n, remainingTtlSeconds: 40 },
    { id: 2n, remainingTtlSeconds: 5_000 },
    { id: 3n, remainingTtlSeconds: 1 },
  ]);
  before.checkpoint([{ id: 2n, remainingTtlSeconds: -7 }]);
  await backend.commit();
  const after = openLessor(backend.crash());
  after.promote(0, 0);
  assert.deepEqual(after.expired(39_999, 10), []);
  assert.deepEqual(after.expired(40_000, 10), [1n]);
  assert.deepEqual(after.expired(99_999, 10), [1n]);
  assert.deepEqual(after.expired(100_000, 10), [2n]);
  assert.equal(after.timeToLive(1n, 0)?.grantedTtlSeconds, 100);
});

test("lease: a renewal asks for a stored remaining time to be cleared first (LE-04, LE-07)", () => {
  const lessor = primary();
  grant(lessor, 1n, 100);
  lessor.expired(0, 10);
  assert.equal(lessor.needsCheckpointClear(1n), false);
  const due = lessor.dueCheckpoints(10_000, 10);
  lessor.renew(1n, 10_500);
  assert.equal(lessor.needsCheckpointClear(1n), true, "it is on its way");
  lessor.checkpoint(due);
  assert.equal(lessor.needsCheckpointClear(1n), true, "it is stored");
  lessor.checkpoint([{ id: 1n, remainingTtlSeconds: 0 }]);
  assert.equal(lessor.needsCheckpointClear(1n), false);
  assert.equal(lessor.needsCheckpointClear(9n), false);
});

test("lease: clearing one remaining time does not excuse the next on its way (LE-07)", () => {
  const lessor = primary();
  grant(lessor, 1n, 10);
  lessor.expired(0, 10);
  lessor.checkpoint(lessor.dueCheckpoints(1_000, 10));
  lessor.renew(1n, 1_100);
  const next = lessor.dueCheckpoints(3_200, 10);
  assert.equal(next.length, 1);
  lessor.checkpoint([{ id: 1n, remainingTtlSeconds: 0 }]);
  lessor.renew(1n, 3_300);
  assert.equal(lessor.needsCheckpointClear(1n), true);
});

test("lease: a checkpoint that was not proposed is not waited for (LE-07)", () => {
  const lessor = primary();
  grant(lessor, 1n, 100);
  lessor.expired(0, 10);
  const due = lessor.dueCheckpoints(10_000, 10);
  assert.deepEqual(lessor.dueCheckpoints(20_000, 10), [], "one at a time");
  lessor.checkpointsDropped(due);
  assert.equal(lessor.needsCheckpointClear(1n), false);
  assert.equal(lessor.dueCheckpoints(30_000, 10).length, 1);
});

test("lease: one that is kept alive in time costs no checkpoints (LE-07)", () => {
  const lessor = primary();
  grant(lessor, 1n, 60);
  lessor.expired(0, 10);
  let checkpoints = 0;
  for (let nowMs = 500; nowMs < 600_000; nowMs += 500) {
    if (nowMs % 20_000 === 0) lessor.renew(1n, nowMs);
    const due = lessor.dueCheckpoints(nowMs, 10);
    lessor.checkpoint(due);
    if (nowMs > 60_000) checkpoints += due.length;
  }
  assert.equal(checkpoints, 0);
  const last = lessor.dueCheckpoints(580_000 + 25_000, 10);
  assert.deepEqual(last, [{ id: 1n, remainingTtlSeconds: 35 }], "its client went away");
});

test("lease: rows that are no lease are passed over at start", () => {
  const backend = new MemoryBackend();
  backend.put("lease", Buffer.alloc(8, 1), Buffer.from("ffff", "hex"));
  assert.equal(openLessor(backend).size, 0);
});

test("lease: 100 000 leases cost a renewal no write and a scan of few of them", () => {
  const backend = new MemoryBackend();
  let writes = 0;
  // The rows are not looked at here, and the backend in memory is slow with many.
  backend.put = () => void (writes += 1);
  backend.delete = () => void (writes += 1);
  const lessor = openLessor(backend);
  lessor.promote(0, 0);
  const count = 100_000n;
  for (let id = 1n; id <= count; id += 1n) lessor.grant(id, 60);
  lessor.expired(0, 500);
  writes = 0;
  for (let id = 1n; id <= count; id += 1n) assert.equal(lessor.renew(id, 20_000), 60);
  assert.equal(writes, 0);
  let revoked = 0n;
  for (let nowMs = 60_000; revoked < count && nowMs < 600_000; nowMs += 500) {
    for (const id of lessor.expired(nowMs, 1_000)) {
      assert.ok(nowMs >= 80_000);
      lessor.revoke(id);
      revoked += 1n;
    }
  }
  assert.equal(revoked, count);
});
