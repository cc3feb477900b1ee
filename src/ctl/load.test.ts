import assert from "node:assert/strict";
import { test } from "node:test";
import { type LoadOptions, runLoad } from "./load.ts";

/** Time that passes only while somebody sleeps; a put takes `putMs`. */
function world(putMs: number, more: Partial<LoadOptions> = {}): LoadOptions {
  let nowMs = 0;
  return {
    workers: 1,
    perSecondMax: 10,
    countMax: Number.POSITIVE_INFINITY,
    durationMsMax: 1_000,
    signal: new AbortController().signal,
    now: () => nowMs,
    sleep: async (ms) => void (nowMs += ms),
    put: async () => void (nowMs += putMs),
    onDone: () => undefined,
    ...more,
  };
}

test("load: fast answers → the rate asked for, no more", async () => {
  const { count, slowestSeconds, errors } = await runLoad(world(1));
  assert.deepEqual(
    { count, slowestSeconds, errors: errors.size },
    {
      count: 10,
      slowestSeconds: 0.001,
      errors: 0,
    },
  );
});

test("load: slow answers → what was reached, and how slow", async () => {
  const { perSecond, slowestSeconds, stddevSeconds } = await runLoad(world(500));
  assert.deepEqual(
    { perSecond, slowestSeconds, stddevSeconds },
    {
      perSecond: 2,
      slowestSeconds: 0.5,
      stddevSeconds: 0,
    },
  );
});

test("load: a count → as many, by all workers together", async () => {
  const by = new Map<number, number>();
  const options = world(0, { workers: 3, countMax: 7, perSecondMax: Number.POSITIVE_INFINITY });
  const { count } = await runLoad({
    ...options,
    put: async (worker) => void by.set(worker, (by.get(worker) ?? 0) + 1),
  });
  assert.equal(count, 7);
  assert.equal(by.size, 3);
});

test("load: failed puts → counted by their text; an abort ends the run", async () => {
  const stop = new AbortController();
  let asked = 0;
  const result = await runLoad(
    world(0, {
      signal: stop.signal,
      put: async () => {
        asked += 1;
        if (asked === 4) stop.abort();
        throw new Error(asked % 2 === 0 ? "even" : "odd");
      },
    }),
  );
  assert.deepEqual(
    [...result.errors],
    [
      ["odd", 2],
      ["even", 2],
    ],
  );
  assert.equal(result.count, 0);
});
