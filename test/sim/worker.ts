/** Runs what it is asked for, one run after the other (aside.ts). */
import { parentPort } from "node:worker_threads";
import { simulate, type SimulateOptions } from "./simulate.ts";

parentPort?.on("message", (options: SimulateOptions) => {
  void simulate(options).then((outcome) => parentPort?.postMessage(outcome));
});
