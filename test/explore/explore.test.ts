/** A slice of what `npm run explore` sees; LONG_SUITE=1 takes more of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { explore } from "./explorer.ts";
import { SCOPES } from "./scopes.ts";

const IS_LONG = process.env["LONG_SUITE"] !== undefined;
/** Depth of the slice, and of the long suite. */
const DEPTHS: Readonly<Record<string, readonly [number, number]>> = {
  votes: [7, 10],
  logs: [20, 1_000],
  joint: [9, 13],
  writes: [9, 13],
  mixed: [6, 8],
};

for (const { name, options } of SCOPES) {
  const [slice, long] = DEPTHS[name] ?? [5, 5];
  const depthMax = IS_LONG ? long : slice;
  test(`explore ${name}: all states up to depth ${depthMax} → Raft's promises hold in each`, (t) => {
    const limits = { depthMax, statesMax: 5_000_000, secondsMax: IS_LONG ? 600 : 60 };
    const { states, depth, isComplete, breach } = explore({ ...options, ...limits });
    t.diagnostic(`${states} states${isComplete ? ", all there are" : ` up to depth ${depth}`}`);
    assert.equal(breach, undefined);
    assert.ok(isComplete || depth === depthMax, `only depth ${depth} in time`);
    assert.ok(states > 1_000);
  });
}
