/**
 * How long a member is away whose store is damaged, and what the clients of the others feel of it
 * meanwhile (BT-f4). HEAL_MB says how large the store is; limits hold for the long form, on a
 * machine that has nothing else to do.
 */
import assert from "node:assert/strict";
import { openSync, readSync, closeSync, statSync, writeSync } from "node:fs";
import { test } from "node:test";
import { METHODS } from "../harness/client.ts";
import { Cluster, type ClusterMember } from "../harness/cluster.ts";
import { numberFromEnv, poll } from "../harness/process.ts";
import { storeFileOf } from "../harness/store-file.ts";

const MEGABYTES = numberFromEnv("HEAL_MB", 4);
const IS_LIMITED = process.env["HEAL_LIMITS"] === "1";
const VALUE_BYTES = 10_000;
const IN_FLIGHT = 16;
const NORMAL_WRITES = MEGABYTES >= 100 ? 1_000 : 100;
const HEALED_MS_MAX = 120_000;
const HEALED_MS_WANTED = 10_000;
const SLOWER_MAX = 2;
/** Bytes that stand in one value and in no other. */
const MARK = Buffer.from("this one is going to rot");

/** Flips a bit wherever the mark stands. */
function rot(path: string): number {
  const file = openSync(path, "r+");
  const window = Buffer.alloc(1 << 20);
  let count = 0;
  for (let at = 0; at < statSync(path).size; at += window.length - MARK.length) {
    const bytes = window.subarray(0, readSync(file, window, 0, window.length, at));
    for (let hit = bytes.indexOf(MARK); hit >= 0; hit = bytes.indexOf(MARK, hit + 1)) {
      writeSync(file, Buffer.from([(MARK[0] as number) ^ 1]), 0, 1, at + hit);
      count += 1;
    }
  }
  closeSync(file);
  return count;
}

/** Puts through one member, one after the other, until told to end; the latencies in ms. */
function writer({ client }: ClusterMember): { latencies: number[]; end(): Promise<void> } {
  const latencies: number[] = [];
  let isOver = false;
  const loop = async (): Promise<void> => {
    for (let number = 0; !isOver; number += 1) {
      const sentMs = performance.now();
      const value = Buffer.from(`write ${number}`);
      await client.must(METHODS.put, { key: Buffer.from(`w${number % 100}`), value });
      latencies.push(performance.now() - sentMs);
    }
  };
  const running = loop();
  // Looked at when it ends, which a failure elsewhere may keep from happening.
  running.catch(() => undefined);
  return {
    latencies,
    end: async () => {
      isOver = true;
      await running;
    },
  };
}

function p99(latencies: readonly number[]): number {
  const sorted = [...latencies].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN;
}

async function fill({ client }: ClusterMember): Promise<void> {
  const count = Math.ceil((MEGABYTES * 1_000_000) / VALUE_BYTES);
  for (let lo = 0; lo < count; lo += IN_FLIGHT) {
    const puts = Array.from({ length: IN_FLIGHT }, (_, at) =>
      client.must(METHODS.put, {
        key: Buffer.from(`fill ${lo + at}`),
        value: Buffer.alloc(VALUE_BYTES, lo + at),
      }),
    );
    await Promise.all(puts);
  }
}

/** It answers what is right, and no member knows of an alarm. */
async function isWell(cluster: Cluster, victim: ClusterMember): Promise<boolean> {
  const query = { key: Buffer.from("rots"), serializable: true };
  const answer = await victim.client.call(METHODS.range, query);
  if (!answer.ok) return false;
  assert.equal(answer.value.kvs[0]?.value.toString(), MARK.toString());
  for (const { client } of cluster.members) {
    const { alarms } = await client.must(METHODS.alarm, {});
    if (alarms.length > 0) return false;
  }
  return true;
}

test(`heal time: a value rots in a store of ${MEGABYTES} MB → another's store, no alarm, the same digests; the others' clients hardly feel it (BT-f4)`, async (t) => {
  const cluster = await Cluster.start("holdfast", { members: 3 });
  try {
    const leader = await cluster.leader();
    const [victim] = (await cluster.followers()) as [ClusterMember];
    await fill(leader);
    await leader.client.must(METHODS.put, { key: Buffer.from("rots"), value: MARK });
    await victim.client.must(METHODS.range, { key: Buffer.from("rots") });
    // What is in memory goes to the file.
    const options = { deadlineMs: HEALED_MS_MAX };
    const moved = await victim.client.call(METHODS.defragment, {}, options);
    assert.ok(moved.ok);
    const normal = writer(leader);
    const hasEnough = async () => normal.latencies.length >= NORMAL_WRITES;
    await poll("enough writes", hasEnough, HEALED_MS_MAX);
    await normal.end();

    const sizeMb = statSync(storeFileOf(victim)).size / 1_000_000;
    assert.ok(rot(storeFileOf(victim)) > 0);
    const meanwhile = writer(leader);
    const sinceMs = performance.now();
    const refused = await victim.client.call(METHODS.range, { key: Buffer.from("rots") });
    assert.ok(!refused.ok, "the damage is met");
    await poll("the member to be well", () => isWell(cluster, victim), HEALED_MS_MAX);
    const tookMs = performance.now() - sinceMs;
    await meanwhile.end();
    // Not asked again and again before: to hash the whole store would be felt by the writes.
    await cluster.assertAlike();
    const before = p99(normal.latencies);
    const during = p99(meanwhile.latencies);
    t.diagnostic(
      `${sizeMb.toFixed(0)} MB: well after ${(tookMs / 1_000).toFixed(1)} s; writes of the others ` +
        `p99 ${before.toFixed(1)} ms before, ${during.toFixed(1)} ms meanwhile ` +
        `(${meanwhile.latencies.length} writes)`,
    );
    await victim.server.says(/care: another member's store took the place/);
    if (!IS_LIMITED) return;
    assert.ok(tookMs <= HEALED_MS_WANTED, `${tookMs} ms`);
    assert.ok(during <= SLOWER_MAX * before, `${during} ms, ${before} ms before`);
  } finally {
    await cluster.dispose();
  }
});
