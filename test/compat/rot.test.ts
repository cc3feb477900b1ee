/**
 * A value rots in the file of a member that is down (E4): what each program makes of it. bbolt's
 * data pages have no checksum, so that etcd serves the wrong value; Holdfast never does, and mends.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { METHODS } from "../harness/client.ts";
import { Cluster, type ClusterMember } from "../harness/cluster.ts";
import { hasEtcd, type Kind, poll } from "../harness/process.ts";

const skip = hasEtcd() ? false : "etcd is not installed";
const KEY = Buffer.from("colour");
const RIGHT = Buffer.from("the sky is blue, the grass is green");
const WRONG = Buffer.from("the sky is blue, the grass is grezn");

/** Files of a member other than its log. */
function storeFiles(member: ClusterMember): string[] {
  return readdirSync(member.dataDirectory, { recursive: true, encoding: "utf8" })
    .filter((name) => !name.endsWith(".wal") && !name.endsWith(".snap"))
    .map((name) => join(member.dataDirectory, name))
    .filter((path) => statSync(path).isFile());
}

/** The value that a member answers by itself after it rotted in its store. */
async function readAfterRot(
  kind: Kind,
): Promise<{ answers: string[]; refusals: string[]; isWritable: boolean }> {
  const cluster = await Cluster.start(kind, { members: 3, flags: ["--snapshot-count", "10"] });
  try {
    const { client } = await cluster.leader();
    await client.must(METHODS.put, { key: KEY, value: RIGHT });
    for (let number = 0; number < 50; number += 1) {
      await client.must(METHODS.put, { key: Buffer.from(`k${number}`), value: KEY });
    }
    const [victim] = await cluster.followers();
    assert.ok(victim !== undefined);
    await victim.client.must(METHODS.range, { key: KEY });
    // Everything is in the file then, and in one place.
    await victim.client.must(METHODS.defragment, {});
    await victim.stop();
    let flipped = 0;
    for (const path of storeFiles(victim)) {
      const bytes = readFileSync(path);
      for (let at = bytes.indexOf(RIGHT); at >= 0; at = bytes.indexOf(RIGHT, at + 1)) {
        WRONG.copy(bytes, at);
        flipped += 1;
      }
      if (flipped > 0) writeFileSync(path, bytes);
    }
    assert.ok(flipped > 0, "the value is in the store's file");
    await victim.start();
    const answers: string[] = [];
    const refusals: string[] = [];
    await poll("an answer", async () => {
      const answer = await victim.client
        .call(METHODS.range, { key: KEY, serializable: true })
        .catch(() => undefined);
      if (answer?.ok === false) refusals.push(answer.refusal.message);
      if (answer?.ok !== true) return false;
      answers.push(answer.value.kvs[0]?.value.toString() ?? "nothing");
      return true;
    });
    const put = await (await cluster.leader()).client.call(METHODS.put, { key: KEY, value: KEY });
    return { answers, refusals, isWritable: put.ok };
  } finally {
    await cluster.dispose();
  }
}

test("rot: a value in etcd's store → served as it is (E4)", { skip }, async () => {
  const { answers } = await readAfterRot("etcd");
  assert.deepEqual(answers, [WRONG.toString()]);
});

test("rot: a value in Holdfast's store → refused, then right; writes go on (E4, BT-f3)", {
  skip,
}, async () => {
  const { answers, refusals, isWritable } = await readAfterRot("holdfast");
  assert.deepEqual(answers, [RIGHT.toString()]);
  for (const text of refusals) assert.match(text, /corrupt cluster/);
  assert.equal(isWritable, true);
});
