/** Asks a peer for its clock now and then, over connections kept for it (PE-05). */
import { formatId } from "../datadir/index.ts";
import { readAll } from "./body.ts";
import { type Context, reasonOf, requestHeaders } from "./context.ts";
import { CLOCK_DIFFERENCE_SECONDS_MAX, QUESTION_BYTES_MAX } from "./limits.ts";
import type { Measures } from "./measures.ts";
import type { UrlPicker } from "./url-picker.ts";

export interface ProberOptions {
  readonly id: bigint;
  readonly picker: UrlPicker;
  readonly measures: Measures;
}

export class Prober {
  readonly #context: Context;
  readonly #options: ProberOptions;
  readonly #stop = new AbortController();
  #isBusy = false;
  #told = "";

  constructor(context: Context, options: ProberOptions) {
    this.#context = context;
    this.#options = options;
  }

  stop(): void {
    this.#stop.abort();
  }

  async probe(): Promise<void> {
    const url = this.#options.picker.pick();
    if (this.#isBusy || url === undefined) return;
    this.#isBusy = true;
    try {
      await this.#probe(url);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#tell("a peer is unhealthy", { error: reasonOf(error) });
    } finally {
      this.#isBusy = false;
    }
  }

  async #probe(url: string): Promise<void> {
    const { clock, dialTimeoutMs, http, readTimeoutMs } = this.#context;
    const { measures } = this.#options;
    const startMs = clock.monotonicMs();
    const answer = await http.request({
      method: "GET",
      url,
      target: "/raft/probing",
      headers: requestHeaders(this.#context),
      connectTimeoutMs: dialTimeoutMs,
      answerTimeoutMs: readTimeoutMs,
      signal: this.#stop.signal,
    });
    const text = (await readAll(answer.body, QUESTION_BYTES_MAX, readTimeoutMs)).toString("utf8");
    if (answer.status !== 200)
      throw new Error(`status ${answer.status}: ${text.trim().slice(0, 200)}`);
    const roundTripMs = clock.monotonicMs() - startMs;
    const { OK: isWell, Now: now } = JSON.parse(text) as Record<string, unknown>;
    const theirMs = typeof now === "string" ? Date.parse(now) : Number.NaN;
    if (isWell !== true || Number.isNaN(theirMs)) throw new Error("the answer is no health");
    measures.roundTripSeconds.observe(roundTripMs / 1000);
    const difference = (theirMs - (clock.wallMs() - roundTripMs / 2)) / 1000;
    measures.clockDifferenceSeconds = difference;
    if (Math.abs(difference) > CLOCK_DIFFERENCE_SECONDS_MAX) {
      this.#tell("the clock of a peer differs", { "clock-difference-seconds": difference });
    } else this.#told = "";
  }

  #tell(message: string, fields: Record<string, unknown>): void {
    if (this.#told === message) return;
    this.#told = message;
    const id = formatId(this.#options.id);
    this.#context.logger.warn(message, { "remote-peer-id": id, ...fields });
  }
}
