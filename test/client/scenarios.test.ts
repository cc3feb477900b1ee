/**
 * The client library against clusters of processes, the same scenarios on Holdfast and on real
 * etcd: what it promises must not depend on whose server it is.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  type Client,
  ClientError,
  compare,
  CompactedError,
  connect,
  isRefusal,
  op,
  type WatchBatch,
} from "../../src/client/index.ts";
import { Cluster } from "../harness/cluster.ts";
import { Background, hasEtcd, type Kind, poll } from "../harness/process.ts";

/** Generous: two clusters elect on a machine that is busy with other tests. */
const PATIENCE_MS = 30_000;
const WRITES = 200;
const CONTENDERS = 4;
const TURNS = 5;

function text(bytes: Buffer | undefined): string | undefined {
  return bytes?.toString("utf8");
}

async function take(
  watch: AsyncIterable<WatchBatch>,
  isDone: (batches: WatchBatch[]) => boolean,
): Promise<WatchBatch[]> {
  const batches: WatchBatch[] = [];
  for await (const batch of watch) {
    batches.push(batch);
    if (isDone(batches)) break;
  }
  return batches;
}

function scenarios(kind: Kind): void {
  let cluster: Cluster;
  let client: Client;

  before(async () => {
    cluster = await Cluster.start(kind, { members: 3, heartbeatMs: 50, electionMs: 500 });
    client = connect({ endpoints: cluster.addresses, timeoutMs: PATIENCE_MS });
  });
  after(async () => {
    client?.close();
    await cluster?.dispose();
  });

  test(`${kind}: keys and values, binary and text, ranges, counts, history (KV-01)`, async () => {
    const key = Buffer.from([0x6b, 0xff, 0x00, 0x80]);
    const first = await client.kv.put(key, "one");
    const second = await client.kv.put(key, Buffer.from([0, 255]), { prevKv: true });
    assert.equal(text(second.prevKv?.value), "one");
    assert.equal(second.header.revision, first.header.revision + 1);
    const now = await client.kv.get(key);
    assert.deepEqual(now.kvs[0]?.key, key);
    assert.deepEqual(now.kvs[0]?.value, Buffer.from([0, 255]));
    assert.equal(now.kvs[0]?.version, 2);
    const then = await client.kv.get(key, { revision: first.header.revision });
    assert.equal(text(then.kvs[0]?.value), "one");
    for (const name of ["r/a", "r/b", "r/c"]) await client.kv.put(name, name);
    const some = await client.kv.get("r/", { prefix: true, limit: 2, sortOrder: "descend" });
    assert.deepEqual(
      some.kvs.map(({ key: name }) => text(name)),
      ["r/c", "r/b"],
    );
    assert.deepEqual([some.more, some.count], [true, 3]);
    const count = await client.kv.get("r/b", { rangeEnd: "r/z", countOnly: true });
    assert.deepEqual([count.kvs.length, count.count], [0, 2]);
    const gone = await client.kv.delete("r/", { prefix: true, prevKv: true });
    assert.equal(gone.deleted, 3);
    assert.equal(text(gone.prevKvs[2]?.value), "r/c");
  });

  test(`${kind}: refusals are etcd's, with code, text and endpoint (KV-02)`, async () => {
    const future = client.kv.get("a", { revision: 1_000_000 });
    await assert.rejects(future, (error: unknown) => {
      assert.ok(error instanceof ClientError);
      assert.equal(error.code, 11);
      assert.equal(error.message, "etcdserver: mvcc: required revision is a future revision");
      assert.equal(error.id, "FutureRev");
      assert.ok(client.endpoints.includes(error.endpoint ?? ""));
      return true;
    });
    await assert.rejects(client.kv.put("", "x"), (error) => isRefusal(error, "EmptyKey"));
  });

  test(`${kind}: a transaction takes the branch its compares say, nested too (TX-01)`, async () => {
    const build = () =>
      client.kv
        .txn()
        .if(compare.version("t", "=", 0))
        .andThen(op.put("t", "made"))
        .orElse(
          op.get("t"),
          op.txn({
            compare: [compare.value("t", "=", "made")],
            success: [op.delete("t", { prevKv: true })],
            failure: [],
          }),
        );
    const made = await build().commit();
    assert.equal(made.succeeded, true);
    const found = await build().commit();
    assert.equal(found.succeeded, false);
    const [range, inner] = found.responses;
    assert.ok(range?.kind === "range" && inner?.kind === "txn");
    assert.equal(text(range.range.kvs[0]?.value), "made");
    const [removed] = inner.txn.responses;
    assert.ok(removed?.kind === "deleteRange");
    assert.equal(removed.deleteRange.deleted, 1);
  });

  test(`${kind}: behind a namespace keys are whole, outside they are not seen`, async () => {
    const inner = connect({ endpoints: cluster.addresses, namespace: "ns/" });
    try {
      await client.kv.put("outside", "1");
      const watch = inner.watch("", { prefix: true });
      await watch.created;
      await client.kv.put("outside", "2");
      await inner.kv.put("in", "3", { prevKv: true });
      const [batch] = await take(watch, (all) => all.length === 1);
      assert.deepEqual(
        batch?.events.map(({ kv }) => text(kv.key)),
        ["in"],
      );
      const all = await inner.kv.get("", { prefix: true });
      assert.deepEqual(
        all.kvs.map(({ key }) => text(key)),
        ["in"],
      );
      const fromKey = await inner.kv.get("i", { fromKey: true });
      assert.equal(fromKey.count, 1);
      assert.equal(text((await client.kv.get("ns/in")).kvs[0]?.value), "3");
      const { id } = await inner.lease.grant(60);
      await inner.kv.put("leased", "4", { lease: id });
      await client.kv.put("outside", "5", { lease: id });
      const { keys } = await inner.lease.timeToLive(id, { keys: true });
      assert.deepEqual(keys.map(text), ["leased"]);
      await inner.lease.revoke(id);
      const txn = await inner.kv
        .txn()
        .if(compare.version("in", ">", 0))
        .andThen(op.get("in"))
        .commit();
      const [range] = txn.responses;
      assert.ok(txn.succeeded && range?.kind === "range");
      assert.equal(text(range.range.kvs[0]?.key), "in");
      await assert.rejects(inner.kv.put("", "x"), (error) => isRefusal(error, "EmptyKey"));
    } finally {
      inner.close();
    }
  });

  test(`${kind}: status, hash, health, snapshot, alarms, members at each endpoint`, async () => {
    const { members } = await client.cluster.memberList();
    assert.deepEqual(members.map(({ name }) => name).sort(), ["m1", "m2", "m3"]);
    const leaders = new Set<bigint>();
    for (const endpoint of client.endpoints) {
      const member = client.at(endpoint);
      const status = await member.status();
      assert.ok(members.some(({ id }) => id === status.header.memberId));
      leaders.add(status.leader);
      assert.equal(await member.health(), "serving");
      assert.ok((await member.hashKv()).hash > 0);
    }
    assert.equal(leaders.size, 1);
    const chunks: Buffer[] = [];
    for await (const { blob } of await client.at(client.endpoints[0] ?? "").snapshot()) {
      chunks.push(blob);
    }
    assert.equal(Buffer.concat(chunks).length % 512, 32);
    assert.deepEqual((await client.maintenance.alarms()).alarms, []);
    const synced = connect({ endpoints: [client.endpoints[0] ?? ""] });
    await synced.syncEndpoints();
    assert.deepEqual(new Set(synced.endpoints), new Set(client.endpoints));
    await synced.kv.get("k");
    synced.close();
  });

  test(`${kind}: a watch from a compacted revision says up to where (WA-06)`, async () => {
    await client.kv.put("old", "1");
    const { header } = await client.kv.put("old", "2");
    await client.kv.compact(header.revision);
    // A member that had not compacted yet when it is asked would serve the watch, and rightly.
    for (const endpoint of client.endpoints) {
      const one = connect({ endpoints: [endpoint] });
      await poll(`${endpoint} has compacted`, async () => {
        const past = one.kv.get("old", { revision: header.revision - 1, serializable: true });
        return await past.then(
          () => false,
          (error: unknown) => isRefusal(error, "Compacted"),
        );
      });
      one.close();
    }
    await assert.rejects(
      take(client.watch("old", { startRevision: header.revision - 1 }), () => false),
      (error: unknown) => {
        assert.ok(error instanceof CompactedError);
        assert.equal(error.compactRevision, header.revision);
        return true;
      },
    );
  });

  test(`${kind}: filters, prevKv and refused spans of a watch (WA-03, WA-09, WA-11)`, async () => {
    const watch = client.watch("f", { filters: ["noPut"], prevKv: true });
    await watch.created;
    await client.kv.put("f", "before");
    await client.kv.delete("f");
    const [batch] = await take(watch, () => true);
    assert.equal(batch?.events.length, 1);
    assert.equal(batch?.events[0]?.type, "delete");
    assert.equal(text(batch?.events[0]?.prevKv?.value), "before");
    await assert.rejects(
      take(client.watch("b", { rangeEnd: "a" }), () => false),
      (error: unknown) => error instanceof ClientError && /range is empty/.test(error.message),
    );
  });

  test(`${kind}: many watches share a stream, a slow one does not hold up others`, async () => {
    const slow = client.watch("s/", { prefix: true });
    const quick = client.watch("s/", { prefix: true });
    await Promise.all([slow.created, quick.created]);
    const value = Buffer.alloc(256 * 1024, 1);
    const done = take(quick, (all) => all.flatMap(({ events }) => events).length === 40);
    for (let count = 0; count < 40; count += 1) await client.kv.put(`s/${count}`, value);
    await done;
    const late = await take(slow, (all) => all.flatMap(({ events }) => events).length === 40);
    const names = late.flatMap(({ events }) => events.map(({ kv }) => text(kv.key)));
    assert.deepEqual(
      names,
      Array.from({ length: 40 }, (_, count) => `s/${count}`),
    );
    // An answer of more than a request's size comes in fragments, put together again.
    const from = late[0]?.events[0]?.kv.modRevision ?? 0;
    const again = await take(
      client.watch("s/", { prefix: true, startRevision: from }),
      (all) => all.flatMap(({ events }) => events).length === 40,
    );
    assert.deepEqual(
      again.flatMap(({ events }) => events.map(({ kv }) => text(kv.key))),
      names,
    );
  });

  test(`${kind}: a lease is renewed, is lost when it is revoked (LE-04)`, async () => {
    const session = await client.session({ ttlSeconds: 2 });
    await client.kv.put("leased", "1", { lease: session.lease });
    const renewed = new Promise((resolve) => {
      const keeper = client.lease.keepAlive(session.lease, {
        onRenewed: (response) => {
          keeper.stop();
          resolve(response.ttlSeconds);
        },
      });
    });
    assert.equal(await renewed, 2);
    const times = await client.lease.timeToLive(session.lease, { keys: true });
    assert.deepEqual(
      times.keys.map((key) => text(key)),
      ["leased"],
    );
    assert.equal((await client.lease.keepAliveOnce(session.lease)).ttlSeconds, 2);
    const lost = new Promise((resolve) => session.lost.addEventListener("abort", resolve));
    await client.lease.revoke(session.lease);
    await lost;
    assert.ok(isRefusal(session.lost.reason, "LeaseNotFound"));
    assert.equal((await client.kv.get("leased")).count, 0);
    await assert.rejects(client.lease.keepAliveOnce(session.lease), (error) => {
      return isRefusal(error, "LeaseNotFound");
    });
  });

  test(`${kind}: one holder of a lock at a time, etcdctl's among them (HE-02)`, async () => {
    const one = await client.session({ ttlSeconds: 10 });
    const two = await client.session({ ttlSeconds: 10 });
    const lock = await client.lock("work", one);
    await assert.rejects(client.lock("work", two, { tryOnly: true }), /Locked by another/);
    const control = new AbortController();
    const waiting = client.lock("work", two, { signal: control.signal });
    control.abort();
    await assert.rejects(waiting, /context canceled/);
    const ctl = new Background(
      "etcdctl",
      ["--endpoints", client.endpoints.join(","), "lock", "work"],
      { ETCDCTL_API: "3" },
    );
    try {
      await poll("etcdctl stands in line", async () => {
        return (await client.kv.get("work/", { prefix: true })).count === 2;
      });
      const last = client.lock("work", two);
      await poll("the other session stands in line", async () => {
        return (await client.kv.get("work/", { prefix: true })).count === 3;
      });
      assert.equal(ctl.stdout, "");
      await lock.unlock();
      await ctl.until((stdout) => stdout.startsWith("work/"));
      await ctl.end();
      const held = await last;
      assert.ok(held.revision > lock.revision);
      assert.equal(held.key.toString(), `work/${two.lease.toString(16)}`);
      await held.unlock();
    } finally {
      await ctl.end();
    }
    await Promise.all([one.close(), two.close()]);
  });

  test(`${kind}: a lock that waits ends when its session is lost`, async () => {
    const one = await client.session({ ttlSeconds: 3 });
    const two = await client.session({ ttlSeconds: 3 });
    await client.lock("ends", one);
    const waiting = client.lock("ends", two);
    await poll("it stands in line", async () => {
      return (await client.kv.get("ends/", { prefix: true })).count === 2;
    });
    await client.lease.revoke(two.lease);
    await assert.rejects(waiting, (error) => isRefusal(error, "SessionExpired"));
    await one.close();
  });

  test(`${kind}: an election is won in turn and observed (HE-02)`, async () => {
    const election = client.election("chair");
    await assert.rejects(election.leader(), (error) => isRefusal(error, "ElectionNoLeader"));
    const one = await client.session({ ttlSeconds: 10 });
    const two = await client.session({ ttlSeconds: 10 });
    const control = new AbortController();
    const seen: string[] = [];
    const observed = (async () => {
      for await (const { value } of election.observe({ signal: control.signal })) {
        seen.push(value.toString());
        if (seen.length === 3) break;
      }
    })();
    const first = await election.campaign(one, "a");
    await poll("the first is observed", () => seen.length === 1);
    const second = election.campaign(two, "b");
    await first.proclaim("a2");
    await poll("the second value is observed", () => seen.length === 2);
    assert.equal(text((await election.leader()).kv.value), "a2");
    await first.resign();
    const now = await second;
    await observed;
    assert.deepEqual(seen, ["a", "a2", "b"]);
    await assert.rejects(first.proclaim("x"), (error) => isRefusal(error, "ElectionNotLeader"));
    await now.resign();
    control.abort();
    await Promise.all([one.close(), two.close()]);
  });

  test(`${kind}: members killed under contenders → never two holders of a lock`, async () => {
    let holders = 0;
    let turns = 0;
    const revisions: number[] = [];
    const contend = async (): Promise<void> => {
      const session = await client.session({ ttlSeconds: 20 });
      for (let count = 0; count < TURNS; count += 1) {
        const lock = await client.lock("contended", session);
        holders += 1;
        assert.equal(holders, 1);
        revisions.push(lock.revision);
        await client.kv.get("contended");
        turns += 1;
        holders -= 1;
        await lock.unlock();
      }
      await session.close();
    };
    const contenders = Promise.all(Array.from({ length: CONTENDERS }, contend));
    await poll("some have had their turn", () => turns > 2, PATIENCE_MS);
    const leader = await cluster.leader();
    await leader.kill();
    await contenders;
    await leader.start();
    assert.equal(turns, CONTENDERS * TURNS);
    assert.deepEqual(
      revisions,
      revisions.toSorted((a, b) => a - b),
    );
  });

  test(`${kind}: members killed under puts → no gap, nothing twice in any watch (FR-34)`, async () => {
    const before = await client.kv.get("k");
    const startRevision = before.header.revision + 1;
    const watches = cluster.members.map(() => client.watch("k", { startRevision }));
    const seen = watches.map((watch) =>
      take(watch, (all) => all.at(-1)?.events.at(-1)?.kv.value.toString() === "end"),
    );
    const acknowledged: string[] = [];
    const killing = killEach(cluster);
    for (let count = 0; count < WRITES; count += 1) {
      const value = String(count);
      try {
        await client.kv.put("k", value);
        acknowledged.push(value);
      } catch (error) {
        // What was on its way to a member that died may or may not have been written.
        assert.ok(error instanceof ClientError && error.code === 14, String(error));
      }
      await client.kv.get("k");
    }
    await killing;
    await poll(
      "the last value is written",
      async () => {
        return await client.kv.put("k", "end").then(
          () => true,
          () => false,
        );
      },
      PATIENCE_MS,
    );
    const all = (await Promise.all(seen)).map((batches) => {
      return batches.flatMap(({ events }) => events.map(({ kv }) => kv));
    });
    const truth = await take(client.watch("k", { startRevision }), (batches) => {
      return batches.at(-1)?.events.at(-1)?.kv.value.toString() === "end";
    });
    const expected = truth.flatMap(({ events }) => events.map(({ kv }) => kv));
    for (const [position, kv] of expected.entries()) {
      assert.equal(kv.version, (expected[0]?.version ?? 0) + position);
    }
    for (const kvs of all) {
      assert.deepEqual(
        kvs.map(({ modRevision }) => modRevision),
        expected.map((kv) => kv.modRevision),
      );
    }
    const values = expected.map(({ value }) => value.toString());
    for (const value of acknowledged) {
      assert.equal(values.filter((found) => found === value).length, 1, `value ${value}`);
    }
    assert.ok(acknowledged.length > WRITES / 2);
  });
}

/** Each member in turn is killed and started again. */
async function killEach(cluster: Cluster): Promise<void> {
  for (const member of cluster.members) {
    await member.kill();
    await member.start();
  }
}

describe("client library on Holdfast", () => scenarios("holdfast"));
describe("client library on etcd", { skip: !hasEtcd() }, () => scenarios("etcd"));
