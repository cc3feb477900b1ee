/**
 * Writes zeros ahead of a segment's tail, so that durable writes meet blocks that exist.
 *
 * Invariant: a zero is never written below an offset that was claimed, and at most one run of zeros
 *   is being written.
 */
import type { OpenFile } from "../seam/index.ts";

const RUN_BYTES = 512 * 1024;
const ZEROS = Buffer.alloc(RUN_BYTES);

export class ZeroAhead {
  readonly #file: OpenFile;
  readonly #limit: number;
  readonly #aheadBytes: number;
  readonly #onFailure: (error: unknown) => void;
  /** All below was written, with zeros or with records. */
  #at: number;
  #run: { lo: number; done: Promise<void> } | undefined;
  #tail = 0;
  #isStopped = false;

  constructor(
    file: OpenFile,
    options: { at: number; limit: number; aheadBytes: number },
    onFailure: (error: unknown) => void,
  ) {
    this.#file = file;
    this.#at = options.at;
    this.#limit = options.limit;
    this.#aheadBytes = options.aheadBytes;
    this.#onFailure = onFailure;
  }

  /** The records end at `tail`: writes on where too little is left. */
  advance(tail: number): void {
    this.#tail = tail;
    if (this.#run !== undefined || this.#isStopped) return;
    if (this.#at >= this.#limit || this.#at - tail >= this.#aheadBytes) return;
    const lo = this.#at;
    this.#at = Math.min(lo + RUN_BYTES, this.#limit);
    this.#run = { lo, done: this.#write(lo, this.#at) };
  }

  /** Records will be written up to `hi`. What to wait for first, when zeros are under way there. */
  claim(hi: number): Promise<void> | undefined {
    if (hi > this.#at) this.#at = hi;
    return this.#run !== undefined && this.#run.lo < hi ? this.#run.done : undefined;
  }

  /** Settles when nothing is being written and nothing will be. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#run?.done;
  }

  async #write(lo: number, hi: number): Promise<void> {
    try {
      await this.#file.writeDurable(ZEROS.subarray(0, hi - lo), lo);
      this.#run = undefined;
      this.advance(this.#tail);
    } catch (error) {
      this.#run = undefined;
      this.#isStopped = true;
      // A full disk refuses the records themselves soon enough. Any other failure may have taken
      // the place of theirs: the kernel reports a lost write once.
      if ((error as { code?: unknown }).code !== "ENOSPC") this.#onFailure(error);
    }
  }
}
