/**
 * A slice of seeds for every change. SIM_SEEDS says how many, SIM_FIRST which is the first, SIM_MS
 * how long faults happen in each; `npm run sim` does the same with more to see.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Aside } from "./aside.ts";
import { oneLine } from "./report.ts";

const SEEDS = Number(process.env["SIM_SEEDS"] ?? 24);
const FIRST = Number(process.env["SIM_FIRST"] ?? process.env["SEED"] ?? 1);
const RUN_MS = Number(process.env["SIM_MS"] ?? 15_000);

const aside = new Aside();
after(() => aside.close());

for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
  test(`sim: faults and clients from seed ${seed} → nothing lost, all alike (EQ-f3)`, async (t) => {
    const outcome = await aside.run({ seed, simulatedMs: RUN_MS });
    t.diagnostic(oneLine(outcome));
    const { plan } = outcome;
    const again = `npm run sim -- --seed ${seed} --runs 1 --minutes ${RUN_MS / 60_000}`;
    assert.equal(outcome.failure?.message, undefined, `${plan.members} members; ${again}`);
    assert.ok(outcome.figures.answered > 0, "clients got something done");
  });
}

test("sim: the same seed twice → the same trace, every line of it", async () => {
  for (const members of [1, 3, 5]) {
    const options = { seed: FIRST, members, simulatedMs: 5_000 };
    const first = await aside.run(options);
    const second = await aside.run(options);
    assert.equal(second.digest, first.digest);
    assert.deepEqual(second.figures.observations, first.figures.observations);
    const other = await aside.run({ ...options, seed: FIRST + 1_000_000 });
    assert.notEqual(other.digest, first.digest);
  }
});
