/** The thread behind thread-reader.ts: reads a file by itself, at a rate that leaves room. */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { OpenFile } from "../seam/index.ts";
import { FileImageReader, type ImageFacts } from "./image-reader.ts";
import { BYTES_PER_SECOND_MAX } from "./limits.ts";

export type ReaderRequest =
  | { readonly kind: "facts" }
  | { readonly kind: "hash"; readonly revision: number; readonly compactRevision: number };

export type ReaderReply =
  | { readonly kind: "facts"; readonly facts: ImageFacts }
  | { readonly kind: "hash"; readonly hash: number }
  | { readonly kind: "failed"; readonly message: string };

const port = parentPort as MessagePort;
const { path } = workerData as { readonly path: string };

class PacedFile implements OpenFile {
  readonly path = path;
  readonly #descriptor = openSync(path, "r");
  readonly #sleeper = new Int32Array(new SharedArrayBuffer(4));
  #debtMs = 0;

  read(into: Uint8Array, offset: number): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      const left = into.length - filled;
      const count = readSync(this.#descriptor, into, filled, left, offset + filled);
      if (count === 0) break;
      filled += count;
    }
    this.#debtMs += (filled / BYTES_PER_SECOND_MAX) * 1000;
    if (this.#debtMs >= 5) {
      Atomics.wait(this.#sleeper, 0, 0, this.#debtMs);
      this.#debtMs = 0;
    }
    return Promise.resolve(filled);
  }

  size(): Promise<number> {
    return Promise.resolve(fstatSync(this.#descriptor).size);
  }

  close(): Promise<void> {
    closeSync(this.#descriptor);
    return Promise.resolve();
  }

  write(): Promise<void> {
    return Promise.reject(new Error("an image is only read"));
  }

  writeDurable(): Promise<void> {
    return this.write();
  }

  truncate(): Promise<void> {
    return this.write();
  }

  sync(): Promise<void> {
    return this.write();
  }
}

const reader = new FileImageReader(new PacedFile(), createHash("sha256"));

async function answer(request: ReaderRequest): Promise<ReaderReply> {
  try {
    if (request.kind === "facts") return { kind: "facts", facts: await reader.facts() };
    const { revision, compactRevision } = request;
    return { kind: "hash", hash: await reader.hash(revision, compactRevision) };
  } catch (error) {
    return { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
}

port.on("message", (request: ReaderRequest) => {
  void answer(request).then((reply) => port.postMessage(reply));
});
