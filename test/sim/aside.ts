/**
 * Runs in a thread of their own: the test runner watches every promise of its own thread, which
 * makes them three times as dear there.
 */
import { Worker } from "node:worker_threads";
import type { Outcome } from "./outcome.ts";
import type { SimulateOptions } from "./simulate.ts";

export class Aside {
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url));

  /** One at a time. */
  run(options: SimulateOptions): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#worker.once("message", (outcome: Outcome) => {
        this.#worker.off("error", reject);
        resolve(outcome);
      });
      this.#worker.once("error", reject);
      this.#worker.postMessage(options);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
