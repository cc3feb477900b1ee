/** A member that is full, or said to be corrupt: what it refuses, and how it comes back. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { METHODS, TestClient } from "../harness/client.ts";
import { http, type Server, start } from "../harness/process.ts";

const ALARM = { GET: 0, ACTIVATE: 1, DEACTIVATE: 2 } as const;
const NOSPACE = 1;
const CORRUPT = 2;
const NO_SPACE = { code: 8, message: "etcdserver: mvcc: database space exceeded" };
const IS_CORRUPT = { code: 15, message: "etcdserver: corrupt cluster" };

function bytes(text: string): Buffer {
  return Buffer.from(text);
}

const FILLED = { key: bytes("fill/"), rangeEnd: bytes("fill0") };

describe("alarms", () => {
  let server: Server;
  let client: TestClient;
  let memberId: bigint;
  before(async () => {
    server = await start("holdfast", { flags: ["--quota-backend-bytes", String(8 * 1024 * 1024)] });
    client = new TestClient(server.address);
    memberId = (await client.must(METHODS.memberList, {})).members[0]?.id ?? 0n;
  });
  after(async () => {
    client.close();
    await server.dispose();
  });

  const refusal = async (call: Promise<{ ok: boolean; refusal?: unknown }>): Promise<unknown> =>
    (await call).refusal;

  test("quota: reached → NOSPACE, writes refused, reads and deletes served, then healed (QU-02 QU-05 PU-07 DL-03 TX-15 KV-12 LE-14 MA-02 HT-01 HT-03 DV-04)", async () => {
    await client.must(METHODS.leaseGrant, { id: 5n, ttl: 600n });
    const value = Buffer.alloc(512 * 1024, 1);
    let refused: unknown;
    let attempts = 0n;
    for (let i = 0; i < 64 && refused === undefined; i++) {
      attempts++;
      refused = await refusal(client.call(METHODS.put, { key: bytes(`fill/${i}`), value }));
    }
    assert.deepEqual(refused, NO_SPACE);
    // What was refused was not done all the same.
    const kept = await client.must(METHODS.range, { ...FILLED, keysOnly: true });
    assert.equal(kept.count, attempts - 1n);
    const { alarms } = await client.must(METHODS.alarm, { action: ALARM.GET });
    assert.deepEqual(alarms, [{ memberId, alarm: NOSPACE }]);

    const key = bytes("fill/0");
    assert.deepEqual(await refusal(client.call(METHODS.put, { key })), NO_SPACE);
    const withPut = { success: [{ put: { key } }] };
    assert.deepEqual(await refusal(client.call(METHODS.txn, withPut)), NO_SPACE);
    assert.deepEqual(await refusal(client.call(METHODS.leaseGrant, { ttl: 60n })), NO_SPACE);
    assert.equal((await client.must(METHODS.range, { key })).count, 1n);
    await client.must(METHODS.txn, { success: [{ deleteRange: { key: bytes("none") } }] });
    await client.must(METHODS.leaseRevoke, { id: 5n });

    const health = await http(`${server.url}/health`);
    assert.equal(health.status, 503);
    assert.deepEqual(JSON.parse(health.body), { health: "false", reason: "ALARM NOSPACE" });
    assert.equal((await http(`${server.url}/health?exclude=NOSPACE`)).status, 200);
    const status = await client.must(METHODS.status, {});
    assert.match(status.errors.join(), /memberID:\d+ +alarm:NOSPACE/);

    const deleted = await client.must(METHODS.deleteRange, FILLED);
    assert.ok(deleted.deleted > 1n);
    const revision = deleted.header?.revision ?? 0n;
    await client.must(METHODS.compact, { revision, physical: true });
    await client.must(METHODS.defragment, {});
    await client.must(METHODS.alarm, { action: ALARM.DEACTIVATE, memberId, alarm: NOSPACE });
    await client.must(METHODS.put, { key, value });
    assert.equal((await http(`${server.url}/health`)).status, 200);
  });

  test("CORRUPT: raised by hand → writes are refused as data loss until it is lifted (MA-01 MA-02 LE-14 DL-03 TX-15)", async () => {
    const raised = await client.must(METHODS.alarm, {
      action: ALARM.ACTIVATE,
      memberId,
      alarm: CORRUPT,
    });
    assert.deepEqual(raised.alarms, [{ memberId, alarm: CORRUPT }]);
    const key = bytes("k");
    assert.deepEqual(await refusal(client.call(METHODS.put, { key })), IS_CORRUPT);
    assert.deepEqual(await refusal(client.call(METHODS.deleteRange, { key })), IS_CORRUPT);
    const txn = { success: [{ deleteRange: { key } }] };
    assert.deepEqual(await refusal(client.call(METHODS.txn, txn)), IS_CORRUPT);
    assert.deepEqual(await refusal(client.call(METHODS.compact, { revision: 3n })), IS_CORRUPT);
    assert.deepEqual(await refusal(client.call(METHODS.leaseGrant, { ttl: 60n })), IS_CORRUPT);
    assert.deepEqual(await refusal(client.call(METHODS.leaseRevoke, { id: 1n })), IS_CORRUPT);
    await client.must(METHODS.range, { key });
    const health = await http(`${server.url}/health`);
    assert.deepEqual(JSON.parse(health.body), { health: "false", reason: "ALARM CORRUPT" });
    await client.must(METHODS.alarm, { action: ALARM.DEACTIVATE, memberId, alarm: CORRUPT });
    await client.must(METHODS.put, { key });
  });

  test("alarm: unknown action → InvalidArgument, and the member goes on (MA-01 DV-01)", async () => {
    const answer = await client.call(METHODS.alarm, { action: 99 });
    assert.equal(answer.ok ? 0 : answer.refusal.code, 3);
    const absent = { action: ALARM.DEACTIVATE, memberId: 1n, alarm: NOSPACE };
    assert.deepEqual((await client.must(METHODS.alarm, absent)).alarms, []);
  });
});
