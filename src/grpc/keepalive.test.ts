import assert from "node:assert/strict";
import { test } from "node:test";
import { Keepalive, KEEPALIVE_DEFAULT } from "./keepalive.ts";

/** How many PINGs, `everyMs` apart, are allowed before one is not; at most 10. */
function allowed(everyMs: number, streamCount: number, hasSent: boolean, permit = false): number {
  const keepalive = new Keepalive({ ...KEEPALIVE_DEFAULT, permitWithoutStream: permit });
  for (let count = 0; count < 10; count += 1) {
    if (!keepalive.allowsPing(count * everyMs, streamCount, hasSent)) return count;
  }
  return 10;
}

test("keepalive: PINGs closer than MinTime → the third strike is too many (FR-05)", () => {
  assert.equal(allowed(4_999, 1, false), 3);
  assert.equal(allowed(5_000, 1, false), 10);
});

test("keepalive: PINGs without a stream → too many even when seldom, unless permitted (FR-05)", () => {
  assert.equal(allowed(60_000, 0, false), 3);
  assert.equal(allowed(60_000, 0, false, true), 10);
});

test("keepalive: PINGs between our own headers and data → free (FR-05)", () => {
  assert.equal(allowed(1, 1, true), 10);
});

test("keepalive: silence of Time → a PING; silence of Timeout after it → dead (FR-06)", () => {
  const keepalive = new Keepalive({ ...KEEPALIVE_DEFAULT, timeMs: 1_000, timeoutMs: 100 });
  assert.equal(keepalive.tick(999, 0), "nothing");
  assert.equal(keepalive.tick(1_000, 0), "ping");
  assert.equal(keepalive.tick(1_050, 0), "nothing");
  assert.equal(keepalive.tick(1_060, 1_055), "nothing");
  assert.equal(keepalive.tick(2_055, 1_055), "ping");
  assert.equal(keepalive.tick(2_154, 1_055), "nothing");
  assert.equal(keepalive.tick(2_155, 1_055), "dead");
});

test("keepalive: etcd's defaults (FR-05, FR-06)", () => {
  assert.deepEqual(KEEPALIVE_DEFAULT, {
    timeMs: 7_200_000,
    timeoutMs: 20_000,
    minTimeMs: 5_000,
    permitWithoutStream: false,
  });
});
