/**
 * How many voters are up and caught up, sampled each 10 ms by a thread of its own.
 *
 * A voter is up while it answers within an election timeout; a refused question makes it down at
 * once. It is behind by as long as something had been committed, when it was asked, that its answer
 * does not show as applied; committed as any voter was seen to know it.
 */
import { Worker } from "node:worker_threads";

export interface WatchedVoter {
  readonly name: string;
  /** host:port. */
  readonly address: string;
}

export interface CaughtUpReport {
  /** At each sample: how far behind was the last voter of the majority that was least behind. */
  readonly behindMs: number[];
  /** Samples that say nothing, since the thread itself had been kept waiting. */
  voids: number;
}

export class CaughtUpWatch {
  readonly #worker: Worker;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** Settles when all have been seen caught up, and the samples begin. */
  static async begin(voters: readonly WatchedVoter[]): Promise<CaughtUpWatch> {
    const worker = new Worker(new URL("./caught-up-thread.ts", import.meta.url), {
      workerData: voters.map(({ name, address }) => ({ name, address })),
    });
    const watch = new CaughtUpWatch(worker);
    await watch.#next();
    return watch;
  }

  async end(): Promise<CaughtUpReport> {
    const next = this.#next();
    this.#worker.postMessage("end");
    const report = (await next) as CaughtUpReport;
    await this.#worker.terminate();
    return report;
  }

  #next(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#worker.once("message", resolve);
      this.#worker.once("error", reject);
    });
  }
}
