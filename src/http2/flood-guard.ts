/**
 * Two leaky buckets against peers that make work without use: frames that carry neither a request
 * nor data (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA, frames on closed streams ...), and
 * streams that are opened only to be reset (CVE-2023-44487) or broken so that we reset them
 * (CVE-2025-8671).
 */
import { ConnectionError, ErrorCode } from "./error-code.ts";
import type { Http2Limits } from "./limits.ts";

export class FloodGuard {
  readonly #limits: Http2Limits;
  #overheadFrames = 0;
  #rapidResets = 0;
  #lastMs = 0;

  constructor(limits: Http2Limits) {
    this.#limits = limits;
  }

  /** Counts overhead worth `frames`. Errors: ConnectionError ENHANCE_YOUR_CALM. */
  overhead(frames = 1): void {
    this.#overheadFrames += frames;
    if (this.#overheadFrames > this.#limits.overheadFramesMax) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "too many frames without use");
    }
  }

  /** A request or data: takes one overhead frame back. */
  useful(): void {
    if (this.#overheadFrames > 0) this.#overheadFrames -= 1;
  }

  /** Errors: ConnectionError ENHANCE_YOUR_CALM. */
  rapidReset(): void {
    this.#rapidResets += 1;
    if (this.#rapidResets > this.#limits.rapidResetsMax) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "too many streams reset");
    }
  }

  tick(nowMs: number): void {
    const seconds = Math.max(0, nowMs - this.#lastMs) / 1000;
    this.#lastMs = nowMs;
    const { overheadFramesPerSecond, rapidResetsPerSecond } = this.#limits;
    this.#overheadFrames = Math.max(0, this.#overheadFrames - seconds * overheadFramesPerSecond);
    this.#rapidResets = Math.max(0, this.#rapidResets - seconds * rapidResetsPerSecond);
  }
}
