/** Every failing run that was kept: fixed once, fixed for good. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { regressions } from "./cases.ts";
import { simulate } from "./simulate.ts";

for (const [name, { plan, story }] of regressions()) {
  test(`sim: ${name} (${story}) → the run is clean`, async () => {
    const { failure } = await simulate({ seed: plan.seed, plan });
    assert.equal(failure?.message, undefined);
  });
}
