/** Reads an image back in a thread of its own (reader-thread.ts): the member goes on meanwhile. */
import { Worker } from "node:worker_threads";
import type { ImageFacts, ImageReader } from "./image-reader.ts";
import type { ReaderReply, ReaderRequest } from "./reader-thread.ts";

export class ThreadImageReader implements ImageReader {
  readonly #worker: Worker;
  #waiting: PromiseWithResolvers<ReaderReply> | undefined;
  #failure: Error | undefined;

  constructor(path: string) {
    const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
    this.#worker = new Worker(new URL(`./reader-thread.${suffix}`, import.meta.url), {
      workerData: { path },
    });
    // A backup does not keep a process alive.
    this.#worker.unref();
    this.#worker.on("message", (reply: ReaderReply) => this.#waiting?.resolve(reply));
    this.#worker.on("error", (error) => this.#fail(error as Error));
    this.#worker.on("exit", () => this.#fail(new Error("the thread that read the backup ended")));
  }

  async facts(): Promise<ImageFacts> {
    const reply = await this.#ask({ kind: "facts" });
    if (reply.kind !== "facts") throw new Error("the thread answered something else");
    return reply.facts;
  }

  async hash(revision: number, compactRevision: number): Promise<number> {
    const reply = await this.#ask({ kind: "hash", revision, compactRevision });
    if (reply.kind !== "hash") throw new Error("the thread answered something else");
    return reply.hash;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  /** One at a time. */
  async #ask(request: ReaderRequest): Promise<ReaderReply> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#waiting = Promise.withResolvers();
    this.#worker.postMessage(request);
    const reply = await this.#waiting.promise;
    if (reply.kind === "failed") throw new Error(reply.message);
    return reply;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
  }
}
