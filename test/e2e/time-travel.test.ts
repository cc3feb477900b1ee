/** A member of a cluster of processes whose data directory is an old copy (E3, BT-d1). */
import assert from "node:assert/strict";
import { cpSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { METHODS } from "../harness/client.ts";
import { Cluster, type ClusterMember } from "../harness/cluster.ts";
import { poll } from "../harness/process.ts";

async function put(member: ClusterMember, key: string): Promise<void> {
  const pair = { key: Buffer.from(key), value: Buffer.from(key) };
  const answer = await member.client.call(METHODS.put, pair);
  assert.ok(answer.ok, `put ${key}`);
}

describe("time travel", () => {
  const clusters: Cluster[] = [];
  after(async () => {
    for (const cluster of clusters) await cluster.dispose();
  });

  test("time travel: an old copy of a data directory is put back → no crash, the reason in the log, a voter again in the same process (E3a BT-d1)", async () => {
    const cluster = await Cluster.start("holdfast", { members: 3 });
    clusters.push(cluster);
    const leader = await cluster.leader();
    const [old] = (await cluster.followers()) as [ClusterMember];
    const oldId = await old.id();
    await put(leader, "before");
    await old.kill();
    const copy = `${old.dataDirectory}.copy`;
    cpSync(old.dataDirectory, copy, { recursive: true });
    await old.start();
    for (let number = 0; number < 20; number += 1) await put(old, `k${number}`);
    await old.kill();
    rmSync(old.dataDirectory, { recursive: true });
    cpSync(copy, old.dataDirectory, { recursive: true });
    rmSync(copy, { recursive: true });

    const server = old.launch();
    const { pid } = server;
    const found = /"this member's disk went back in time[^}]*"reason":"it[^}]*/;
    await poll("the finding", async () => found.test(server.log));
    await poll(
      "the return as a voter",
      async () => {
        const status = await old.status();
        const id = status?.header?.memberId;
        return id !== undefined && id !== oldId && !status?.isLearner && status?.leader !== 0n;
      },
      30_000,
    );
    await server.ready();
    assert.equal(server.pid, pid, "the process went on");
    const list = await leader.client.call(METHODS.memberList, { linearizable: true });
    assert.ok(list.ok && list.value.members.length === 3);
    assert.ok(list.value.members.every(({ id }) => id !== oldId));
    const range = await old.client.call(METHODS.range, { key: Buffer.from("k19") });
    assert.ok(range.ok && range.value.kvs.length === 1);
    await poll("the alarm to go", async () => {
      const answer = await leader.client.call(METHODS.status, {});
      return answer.ok && (answer.value.errors ?? []).length === 0;
    });
    const aside = readdirSync(old.dataDirectory).filter((name) => name.includes("quarantine"));
    assert.equal(aside.length, 1, aside.join(" "));
    assert.ok(readdirSync(join(old.dataDirectory, aside[0] ?? "")).includes("wal"));
  });
});
