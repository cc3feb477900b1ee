import assert from "node:assert/strict";
import { test } from "node:test";
import type { Backend } from "../backend/index.ts";
import { QUOTA_BYTES_DEFAULT } from "../base/index.ts";
import { Quota } from "./quota.ts";

function backendWith(sizes: { inUse: number; overlayBytes: number }): Backend {
  return {
    sizeBytes: () => ({ total: 1e12, inUse: sizes.inUse }),
    get overlayBytes() {
      return sizes.overlayBytes;
    },
  } as unknown as Backend;
}

test("quota: 0 is the default, negative is none (QU-01)", () => {
  const backend = backendWith({ inUse: QUOTA_BYTES_DEFAULT, overlayBytes: 0 });
  assert.equal(new Quota(backend, 0).limitBytes, 2 * 1024 ** 3);
  assert.equal(new Quota(backend, 0).admits(1, 0), false);
  assert.equal(new Quota(backend, -1).admits(1, 0), true);
});

test("quota: bytes in use and bytes on their way count, free pages do not (QU-02)", () => {
  const sizes = { inUse: 900, overlayBytes: 0 };
  const quota = new Quota(backendWith(sizes), 1000);
  assert.equal(quota.admits(99, 0), true);
  assert.equal(quota.admits(100, 0), false, "reaching the quota is too much");
  sizes.overlayBytes = 50;
  assert.equal(quota.admits(99, 0), false);
  assert.equal(quota.admits(49, 0), true);
});

test("quota: what costs nothing is always admitted (QU-03)", () => {
  const quota = new Quota(backendWith({ inUse: 5000, overlayBytes: 0 }), 1000);
  assert.equal(quota.admits(0, 0), true);
});

test("quota: room that compaction made is seen soon, without a defragmentation (QU-05)", () => {
  const sizes = { inUse: 5000, overlayBytes: 0 };
  const quota = new Quota(backendWith(sizes), 1000);
  assert.equal(quota.admits(1, 0), false);
  sizes.inUse = 10;
  assert.equal(quota.admits(1, 100), true);
});
