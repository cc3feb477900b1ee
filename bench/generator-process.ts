/** The bench's side of a generator process. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Figures } from "./cases.ts";
import type { Job, JobAnswer } from "./load/jobs.ts";

const PROGRAM = fileURLToPath(new URL("./generator.ts", import.meta.url));

export class GeneratorProcess {
  readonly #child: ChildProcess;
  #resolve: (figures: Figures) => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor() {
    this.#child = fork(PROGRAM, [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child.on("message", (answer: JobAnswer) => {
      if (answer.kind === "done") this.#resolve(answer.figures);
      else this.#reject(new Error(answer.message));
    });
    this.#child.on("exit", (code, signal) => {
      this.#reject(new Error(`the generator ended: ${code ?? signal}`));
    });
  }

  /** One at a time. */
  ask(job: Job): Promise<Figures> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#child.send(job);
    });
  }

  stop(): void {
    this.#child.removeAllListeners("exit");
    this.#child.kill("SIGKILL");
  }
}
