/**
 * The same seeded requests to two servers. Real etcd against real etcd shows that the comparison
 * itself finds no difference where there is none; real etcd against Holdfast is the test.
 *
 * DIFF_RUNS sets how many requests are made, SEED which; docs/testing.md says how to repeat one.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { METHODS, TestClient } from "../harness/client.ts";
import { hasEtcd, numberFromEnv, type Server, start, startAs34 } from "../harness/process.ts";
import { compare, type Outcome, show } from "./compare.ts";
import { explain } from "./differences.ts";

const skip = hasEtcd() ? false : "etcd is not installed";
const REQUESTS = numberFromEnv("DIFF_RUNS", 3_000);
const SEED = numberFromEnv("SEED", 1);
const REQUESTS_PER_SEED_MAX = 10_000;

const startEtcd = (): Promise<Server> => start("etcd");

async function pair(
  startRight: () => Promise<Server>,
  run: (left: Server, right: Server) => Promise<void>,
): Promise<void> {
  const left = await start("etcd");
  try {
    const right = await startRight();
    try {
      await run(left, right);
    } finally {
      await right.dispose();
    }
  } finally {
    await left.dispose();
  }
}

function assertEqual(seed: number, outcome: Outcome): void {
  const shown = outcome.differences.map((difference) => show(seed, difference)).join("\n");
  assert.equal(outcome.differences.length, 0, `left is etcd, right is under test\n${shown}`);
}

test("differential: etcd against etcd → no difference", { skip }, async () => {
  await pair(startEtcd, async (left, right) => {
    const outcome = await compare(left, right, { seed: SEED, steps: 400 });
    assertEqual(SEED, outcome);
    assert.equal(outcome.steps, 400);
  });
});

test("differential: a write to one side alone → found", { skip }, async () => {
  await pair(startEtcd, async (left, right) => {
    const client = new TestClient(right.address);
    await client.must(METHODS.put, { key: Buffer.from("extra") });
    client.close();
    const outcome = await compare(left, right, { seed: SEED, steps: 20 });
    assert.notEqual(outcome.differences.length, 0);
  });
});

const seeds = Math.max(2, Math.ceil(REQUESTS / REQUESTS_PER_SEED_MAX));
for (let i = 0; i < seeds; i++) {
  const seed = SEED + i;
  const steps = Math.ceil(REQUESTS / seeds);
  const name =
    `differential: ${steps} requests of seed ${seed} → answers equal to etcd's ` +
    "(KV-01 KV-02 KV-03 KV-06 KV-07 KV-08 KV-09 PU-01 PU-02 PU-03 PU-04 PU-05 PU-06 DL-01 DL-02 TX-01 " +
    "TX-02 TX-03 TX-04 TX-05 TX-06 TX-07 TX-08 TX-09 TX-10 TX-11 CP-01 CP-02 LE-01 LE-03 LE-05 " +
    "WA-01 WA-02 WA-03 WA-04 WA-08 WA-09 WA-10 WA-11 MA-06 DV-05 DV-09)";
  test(name, { skip }, async (t) => {
    await pair(startAs34, async (left, right) => {
      const outcome = await compare(left, right, { seed, steps, explain });
      assertEqual(seed, outcome);
      for (const [id, count] of outcome.explained) t.diagnostic(`known difference ${id}: ${count}`);
      const asked = [...outcome.asked].map(([kind, n]) => `${kind} ${n.count} (${n.refused})`);
      t.diagnostic(`asked (refused): ${asked.join(", ")}`);
    });
  });
}
