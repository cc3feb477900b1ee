import assert from "node:assert/strict";
import { test } from "node:test";
import { minimise } from "./minimise.ts";
import { makePlan, type Plan } from "./plan.ts";

const LONG = makePlan({ seed: 1, members: 3, simulatedMs: 120_000, faults: ["crash", "isolate"] });

function has(plan: Plan, kind: string, lengthMinMs: number): boolean {
  return plan.faults.some((fault) => fault.kind === kind && fault.lengthMs >= lengthMinMs);
}

test("sim: a plan that fails by two faults of many → those two, shortened, are left", async () => {
  assert.ok(LONG.faults.length > 20);
  const fails = async (plan: Plan) => has(plan, "crash", 100) && has(plan, "isolate", 40);
  const { plan, runs } = await minimise(LONG, fails, { runsMax: 500 });
  assert.deepEqual(plan.faults.map(({ kind }) => kind).sort(), ["crash", "isolate"]);
  for (const { kind, lengthMs } of plan.faults) assert.ok(lengthMs < (kind === "crash" ? 200 : 80));
  assert.ok(plan.simulatedMs < LONG.simulatedMs);
  assert.ok(runs < 100, `${runs} runs`);
});

test("sim: a plan that fails without any fault → no fault is left", async () => {
  const { plan } = await minimise(LONG, async () => true, { runsMax: 500 });
  assert.deepEqual(plan.faults, []);
});

test("sim: a plan that never fails again → is left as it is", async () => {
  const { plan, runs } = await minimise(LONG, async () => false, { runsMax: 30 });
  assert.equal(plan, LONG);
  assert.ok(runs <= 30);
});
