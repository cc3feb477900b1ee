/**
 * Each kind of fault is shown to matter: with it alone, and everything else the same, a run goes
 * another way than without, in one of the ways that this kind is there for.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Aside } from "./aside.ts";
import { FAULT_EFFECTS, type FaultKind, kindsFor } from "./faults/kinds.ts";
import { makePlan } from "./plan.ts";

const SIMULATED_MS = 10_000;
/** Some kinds need luck: a crash between a write and its sync, a message that overtakes another. */
const SEEDS_MAX = 6;
/** As of a virtual machine that is starved, and then runs to catch up. */
const DRIFT = 15;

const aside = new Aside();
after(() => aside.close());

/** What one seed with this kind saw more of than without. */
async function effectsOf(kind: FaultKind, seed: number): Promise<string[]> {
  const planned = makePlan({ seed, members: 3, simulatedMs: SIMULATED_MS, faults: [kind] });
  const traffic = { ...planned.traffic, profile: "put", restMaxMs: 60, timeoutMs: 1_000 };
  const plan = { ...planned, drift: DRIFT, traffic };
  const withFault = await aside.run({ seed, plan });
  assert.equal(withFault.failure?.message, undefined);
  const without = await aside.run({ seed, plan: { ...plan, faults: [] } });
  assert.equal(without.failure?.message, undefined);
  const more = withFault.figures.observations;
  const less = without.figures.observations;
  return FAULT_EFFECTS[kind].filter((name) => more[name] > less[name]);
}

for (const kind of kindsFor(3)) {
  test(`sim: ${kind} → changes how a run goes (EQ-f2)`, async () => {
    for (let seed = 1; seed <= SEEDS_MAX; seed += 1) {
      if ((await effectsOf(kind, seed)).length > 0) return;
    }
    assert.fail(`no effect in ${SEEDS_MAX} seeds: wanted more ${FAULT_EFFECTS[kind].join(", ")}`);
  });
}
