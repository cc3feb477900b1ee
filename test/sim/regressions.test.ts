/** Every failing run that was kept: fixed once, fixed for good. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { regressions } from "./cases.ts";
import { Aside } from "./aside.ts";

const aside = new Aside();
after(() => aside.close());

for (const [name, { plan, story }] of regressions()) {
  test(`sim: ${name} (${story}) → the run is clean`, async () => {
    const { failure } = await aside.run({ seed: plan.seed, plan });
    assert.equal(failure?.message, undefined);
  });
}
