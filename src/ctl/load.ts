/** Puts by many clients at a rate, measured: what the `check` commands run. */

export interface LoadOptions {
  readonly workers: number;
  /** Infinity = as fast as they are answered. */
  readonly perSecondMax: number;
  /** Whichever comes first ends it. */
  readonly countMax: number;
  readonly durationMsMax: number;
  readonly signal: AbortSignal;
  /** Milliseconds that only go on. */
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly put: (worker: number) => Promise<unknown>;
  /** After each put, with how many are done. */
  readonly onDone: (count: number) => void;
}

export interface LoadResult {
  readonly count: number;
  readonly perSecond: number;
  readonly slowestSeconds: number;
  /** Standard deviation of the latencies. */
  readonly stddevSeconds: number;
  /** How often each error came. */
  readonly errors: ReadonlyMap<string, number>;
}

/** Never rejects: a put that fails is counted. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const run = new LoadRun(options);
  const workers = Array.from({ length: options.workers }, (_, worker) => run.work(worker));
  await Promise.all(workers);
  return run.result();
}

class LoadRun {
  readonly #options: LoadOptions;
  readonly #beganMs: number;
  readonly #intervalMs: number;
  readonly #errors = new Map<string, number>();
  #nextMs: number;
  #begun = 0;
  #done = 0;
  #slowestMs = 0;
  #sumMs = 0;
  #squaresMs = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#beganMs = options.now();
    this.#intervalMs = 1000 / options.perSecondMax;
    this.#nextMs = this.#beganMs;
  }

  async work(worker: number): Promise<void> {
    const { now, put, onDone } = this.#options;
    while (await this.#isTurnTaken()) {
      const begin = now();
      try {
        await put(worker);
        this.#note(now() - begin);
      } catch (error) {
        const text = (error as Error).message;
        this.#errors.set(text, (this.#errors.get(text) ?? 0) + 1);
      }
      onDone(this.#done);
    }
  }

  /** Waits for the next place in the rate; false when the run is over. */
  async #isTurnTaken(): Promise<boolean> {
    const { now, sleep, signal, countMax, durationMsMax } = this.#options;
    if (this.#begun >= countMax || signal.aborted) return false;
    const at = Math.max(now(), this.#nextMs);
    if (at - this.#beganMs >= durationMsMax) return false;
    this.#nextMs = at + this.#intervalMs;
    this.#begun += 1;
    if (at > now()) await sleep(at - now());
    return !signal.aborted;
  }

  #note(ms: number): void {
    this.#done += 1;
    this.#slowestMs = Math.max(this.#slowestMs, ms);
    this.#sumMs += ms;
    this.#squaresMs += ms * ms;
  }

  result(): LoadResult {
    const count = this.#done;
    const seconds = (this.#options.now() - this.#beganMs) / 1000;
    const mean = count === 0 ? 0 : this.#sumMs / count;
    const variance = count === 0 ? 0 : this.#squaresMs / count - mean * mean;
    return {
      count,
      perSecond: seconds > 0 ? count / seconds : 0,
      slowestSeconds: this.#slowestMs / 1000,
      stddevSeconds: Math.sqrt(Math.max(0, variance)) / 1000,
      errors: this.#errors,
    };
  }
}
