/** Each profile on a cluster that is left alone: what it is for happens, and nothing is wrong. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../src/base/index.ts";
import { type Profile, PROFILES, profileNamed } from "../model/profiles.ts";
import { ClusterTraffic } from "./cluster-traffic.ts";
import { Cluster } from "./harness.ts";

const RUN_MS = 4_000;

async function run(profile: Profile): Promise<ClusterTraffic> {
  const cluster = await Cluster.start({ seed: 91, size: 3 });
  const traffic = new ClusterTraffic(cluster, { profile, prng: new Prng(1), slowness: 0.1 });
  traffic.start();
  await cluster.run(RUN_MS);
  await traffic.stop();
  await traffic.finish();
  assert.deepEqual(traffic.problems(), []);
  await cluster.close();
  return traffic;
}

function kindsOf({ traffic }: ClusterTraffic): Set<string> {
  const { calls } = traffic.side.recorder;
  const answered = calls.filter(({ outcome }) => outcome.kind === "ok");
  return new Set(
    answered.flatMap(({ request }) =>
      request.kind === "kv" ? request.success.map(({ kind }) => kind) : [request.kind],
    ),
  );
}

for (const { name } of PROFILES) {
  test(`traffic: profile ${name} on three members → many answers, watches were shown much, no problem`, async () => {
    const done = await run(profileNamed(name));
    assert.ok(done.answered > 200, `${done.answered} answers`);
    const { watches } = done.traffic.side.recorder;
    const events = watches.flatMap(({ responses }) => responses).flatMap((one) => one.events);
    assert.ok(events.length > 100, `${events.length} events`);
    const kinds = kindsOf(done);
    assert.ok(kinds.has("put") && kinds.has("range"), [...kinds].join(" "));
    assert.equal(kinds.has("grant"), profileNamed(name).leaseClients > 0);
  });
}

test("traffic: the judges of a simulated run → say what a member did wrong", async () => {
  const cluster = await Cluster.start({ seed: 92, size: 1 });
  const profile = { ...profileNamed("put"), compactEveryMs: 0 };
  const traffic = new ClusterTraffic(cluster, { profile, prng: new Prng(1) });
  traffic.start();
  await cluster.run(RUN_MS);
  await traffic.stop();
  await traffic.finish();
  assert.deepEqual(traffic.problems(), []);
  const { chronicle } = cluster.invariants;
  const last = Math.max(...chronicle.keys());
  chronicle.set(last - 1, chronicle.get(last) ?? []);
  assert.equal(traffic.problems()[0]?.check, "linearizable");
  await cluster.close();
});
