/**
 * Reads store and log again and again, at a rate that nobody feels, so that what rotted is found
 * while others still have it (each record has a checksum, verified whenever it is read).
 *
 * A pass begins a while after the start and then once an hour; a small store takes seconds of it.
 */
import type { Backend } from "../backend/index.ts";
import type { Clock, Disk, Timer, Timers } from "../seam/index.ts";
import { type GrowingLog, verifyLog } from "../wal/index.ts";
import { isDamage } from "./damage.ts";

/** One slice, and the rest after it: 2 MiB/s, for about 1.5 % of a core with small records. */
const SLICE_BYTES = 128 * 1024;
const SLICE_ROWS = 512;
const REST_MS = 64;
const FIRST_PASS_MS = 5_000;
const PERIOD_MS = 3_600_000;
/** After damage that nobody could mend. */
const RETRY_MS = 60_000;
const ZERO = Buffer.alloc(1);

export interface VerifierOptions {
  /** The one of now: it may be replaced during a pass. */
  readonly backend: () => Backend;
  readonly log: GrowingLog;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly timers: Timers;
  /** From the start to the first pass; 5 s when missing. */
  readonly firstPassMs?: number | undefined;
  readonly onStoreDamage: (error: Error) => void;
  readonly onLogDamage: (error: Error) => void;
}

export class Verifier {
  /** Since the start. */
  bytes = 0;
  passes = 0;
  readonly #options: VerifierOptions;
  #timer: Timer | undefined;
  #resting: (() => void) | undefined;
  #pass: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#plan(options.firstPassMs ?? FIRST_PASS_MS);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#resting?.();
    await this.#pass;
  }

  #plan(delayMs: number): void {
    if (this.#isClosed) return;
    this.#timer = this.#options.timers.after(delayMs, () => {
      this.#pass = this.#run();
    });
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { clock } = this.#options;
    const beganMs = clock.monotonicMs();
    const isSound = (await this.#store()) && (await this.#log());
    if (isSound && !this.#isClosed) this.passes += 1;
    const tookMs = clock.monotonicMs() - beganMs;
    this.#plan(isSound ? Math.max(RETRY_MS, PERIOD_MS - tookMs) : RETRY_MS);
  }

  async #store(): Promise<boolean> {
    const { backend, onStoreDamage } = this.#options;
    let lo = Buffer.alloc(0);
    while (!this.#isClosed) {
      let bytes = 0;
      try {
        const rows = backend().scan("key", lo, undefined, SLICE_ROWS, SLICE_BYTES);
        const last = rows.at(-1);
        if (last === undefined) return true;
        for (const { key, value } of rows) bytes += key.length + value.length;
        lo = Buffer.concat([last.key, ZERO]);
      } catch (error) {
        // A store that was closed under the pass is no damage; the next pass has the new one.
        if (isDamage(error)) onStoreDamage(error);
        return false;
      }
      try {
        await this.#rest(bytes);
      } catch {
        return true;
      }
    }
    return true;
  }

  async #log(): Promise<boolean> {
    const { disk, log, onLogDamage } = this.#options;
    if (this.#isClosed) return true;
    try {
      const rest = (bytes: number) => this.#rest(bytes);
      await verifyLog({ disk, log, windowBytes: SLICE_BYTES, rest });
      return true;
    } catch (error) {
      if (error instanceof Stopped) return true;
      onLogDamage(error instanceof Error ? error : new Error(String(error)));
      return false;
    }
  }

  async #rest(bytes: number): Promise<void> {
    this.bytes += bytes;
    await new Promise<void>((resolve) => {
      const timer = this.#options.timers.after(REST_MS, resolve);
      this.#resting = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#resting = undefined;
    if (this.#isClosed) throw new Stopped();
  }
}

/** Ends a pass in the middle. */
class Stopped extends Error {}
