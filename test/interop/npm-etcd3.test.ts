/** The npm client etcd3 on three members of which the leader is killed half way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Etcd3, type IKeyValue } from "etcd3";
import { Cluster } from "../harness/cluster.ts";
import { poll, UNDER_TEST } from "../harness/process.ts";

/** What an application does while a member goes and another one takes over. */
async function retried<T>(what: string, call: () => PromiseLike<T>): Promise<T> {
  let answer: { value: T } | undefined;
  await poll(
    what,
    async () => {
      answer = await call().then(
        (value) => ({ value }),
        (error: unknown) => {
          // Its own mistakes are TypeErrors; what a member or the way to it says is none.
          if (error instanceof TypeError) throw error;
          return undefined;
        },
      );
      return answer !== undefined;
    },
    30_000,
  );
  return (answer as { value: T }).value;
}

test("npm etcd3: kv, txn, lease, watch and lock, the leader killed half way → all go on", async () => {
  const cluster = await Cluster.start(UNDER_TEST, { members: 3 });
  const leader = await cluster.leader();
  const others = cluster.members.filter((member) => member !== leader);
  const hosts = [leader, ...others].map((member) => member.clientUrl);
  const client = new Etcd3({ hosts, defaultCallOptions: deadlineOf });
  try {
    await client.put("a").value("1");
    assert.equal(await client.get("a").string(), "1");
    const taken = await client
      .if("a", "Value", "==", "1")
      .then(client.put("a").value("2"))
      .else(client.get("a"))
      .commit();
    assert.equal(taken.succeeded, true);
    const refused = await client
      .if("a", "Value", "==", "1")
      .then(client.put("a").value("3"))
      .else(client.get("a"))
      .commit();
    assert.equal(refused.succeeded, false);

    const shown: string[] = [];
    const watcher = await client.watch().prefix("w/").create();
    const note = (kind: string) => (kv: IKeyValue) => {
      shown.push(`${kind} ${kv.key.toString()} ${kv.value.toString()}`.trimEnd());
    };
    watcher.on("put", note("put"));
    watcher.on("delete", note("delete"));
    await client.put("w/1").value("one");
    await client.delete().key("w/1");
    await poll("two events", () => shown.length === 2);

    const lease = client.lease(60);
    await lease.put("leased").value("x");
    const lock = client.lock("job").ttl(60);
    await lock.acquire();
    await assert.rejects(client.lock("job").ttl(60).acquire(), /lock/i);

    await leader.kill();

    assert.equal(await retried("a get", () => client.get("a").string()), "2");
    await retried("a put", () => client.put("w/2").value("two").exec());
    await poll("the watch goes on", () => shown.includes("put w/2 two"), 30_000);
    assert.deepEqual([...new Set(shown)], ["put w/1 one", "delete w/1", "put w/2 two"]);
    await retried("a renewal", () => lease.keepaliveOnce());
    assert.equal(await retried("a leased key", () => client.get("leased").string()), "x");
    await assert.rejects(client.lock("job").ttl(60).acquire(), /lock/i);
    await retried("a release", () => lock.release());
    const next = await retried("a lock", () => client.lock("job").ttl(60).acquire());
    await retried("a release", () => next.release());
    await retried("a revocation", () => lease.revoke());
    assert.equal(await retried("a get", () => client.get("leased").string()), null);
    const { members } = await retried("a list", () => client.cluster.memberList({}));
    assert.equal(members.length, 3);
    await watcher.cancel();
  } finally {
    client.close();
    await cluster.dispose();
  }
});

/** A call that hangs on a lost member must end, so that the next one is tried. */
function deadlineOf(context: { isStream: boolean }): { deadline?: number } {
  return context.isStream ? {} : { deadline: Date.now() + 2_000 };
}
