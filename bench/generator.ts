/**
 * The load generator: a process of its own, so that what it costs is not counted as the server's or
 * the bench's. Started by generator-process.ts, which sends it one job at a time.
 */
import type { Figures } from "./cases.ts";
import type { Job, JobAnswer } from "./load/jobs.ts";
import { runLargeRead } from "./load/large-read.ts";
import { preload } from "./load/preload.ts";
import { awaitReady } from "./load/ready.ts";
import { runRequests } from "./load/requests.ts";
import { runWatch } from "./load/watch-run.ts";

function run(job: Job): Promise<Figures> {
  switch (job.kind) {
    case "await-ready":
      return awaitReady(job);
    case "preload":
      return preload(job);
    case "requests":
      return runRequests(job);
    case "watch":
      return runWatch(job);
    case "large-read":
      return runLargeRead(job);
  }
}

async function answer(job: Job): Promise<JobAnswer> {
  try {
    return { kind: "done", figures: await run(job) };
  } catch (error) {
    return { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
}

process.on("message", (job: Job) => {
  // The bench may be gone by then; that is its way to end this process.
  void answer(job).then((message) => process.send?.(message, undefined, undefined, () => {}));
});
process.on("disconnect", () => process.exit(0));
