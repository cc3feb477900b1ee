/**
 * The space quota, checked before a request is proposed (surface 6.1). It counts the bytes that the
 * store uses, not the size of its file: pages that compaction freed are room again without a
 * defragmentation.
 */
import type { Backend } from "../backend/index.ts";
import { QUOTA_BYTES_DEFAULT } from "../base/index.ts";

/** The size is asked of the store this often at most. */
const REFRESH_MS = 100;

export class Quota {
  readonly #backend: Backend;
  /** 0 = no limit. */
  readonly limitBytes: number;
  #usedBytes = 0;
  #readAtMs = Number.NEGATIVE_INFINITY;

  /** `quotaBytes`: 0 = the default, negative = no limit (QU-01). */
  constructor(backend: Backend, quotaBytes: number) {
    this.#backend = backend;
    this.limitBytes = quotaBytes === 0 ? QUOTA_BYTES_DEFAULT : Math.max(0, quotaBytes);
  }

  /** Whether a request that costs `costBytes` may be proposed (QU-02). */
  admits(costBytes: number, nowMs: number): boolean {
    if (this.limitBytes === 0 || costBytes === 0) return true;
    if (nowMs - this.#readAtMs >= REFRESH_MS) {
      this.#usedBytes = this.#backend.sizeBytes().inUse;
      this.#readAtMs = nowMs;
    }
    return this.#usedBytes + this.#backend.overlayBytes + costBytes < this.limitBytes;
  }
}
