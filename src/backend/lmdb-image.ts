/**
 * An image of an LMDB store, made by a thread of its own (lmdb-image-thread.ts): the loop only
 * passes pieces on. Measured against slices on the loop in decision 0021.
 */
import { Worker } from "node:worker_threads";
import { BackendFailed, CorruptRecord, DamagedTable } from "./errors.ts";
import type { StoreImage } from "./image.ts";
import type {
  ImageReply,
  ImageRequest,
  ImageThreadOptions,
  ThreadFault,
} from "./lmdb-image-thread.ts";
import type { AppliedPoint } from "./types.ts";

/** Pieces under way at once: the thread makes one while another is sent. */
const PIECES_AHEAD = 3;

interface Reading {
  piece(bytes: Buffer | undefined): void;
  fail(error: Error): void;
}

/**
 * Starts the thread. `viewed` settles when its view stands (the file may then be replaced), `image`
 * when the size is known. Both reject together.
 */
export function startImage(path: string): StartedImage {
  return new ImageThread(path);
}

export interface StartedImage {
  readonly viewed: Promise<void>;
  readonly image: Promise<StoreImage>;
  /** Settles when the thread is gone; never rejects. */
  readonly ended: Promise<void>;
  close(): void;
}

class ImageThread implements StoreImage, StartedImage {
  applied: AppliedPoint = { index: 0, term: 0 };
  sizeBytes = 0;
  readonly viewed: Promise<void>;
  readonly image: Promise<StoreImage>;
  readonly ended: Promise<void>;
  readonly #path: string;
  readonly #worker: Worker;
  readonly #readings = new Map<number, Reading>();
  #lastReading = 0;
  #failure: Error | undefined;
  #isClosed = false;
  #settle: {
    viewed(): void;
    planned(): void;
    fail(error: Error): void;
  };

  constructor(path: string) {
    this.#path = path;
    const viewed = Promise.withResolvers<void>();
    const image = Promise.withResolvers<StoreImage>();
    this.viewed = viewed.promise;
    this.image = image.promise;
    // Whoever waits for one of them only is told by that one.
    viewed.promise.catch(() => undefined);
    image.promise.catch(() => undefined);
    this.#settle = {
      viewed: viewed.resolve,
      planned: () => image.resolve(this),
      fail: (error) => {
        viewed.reject(error);
        image.reject(error);
      },
    };
    const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const workerData: ImageThreadOptions = { path };
    this.#worker = new Worker(new URL(`./lmdb-image-thread.${suffix}`, import.meta.url), {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 64 },
    });
    this.#worker.on("message", (reply: ImageReply) => this.#take(reply));
    this.#worker.on("error", (error) => this.#fail(error as Error));
    const ended = Promise.withResolvers<void>();
    this.ended = ended.promise;
    this.#worker.on("exit", () => {
      this.#fail(new BackendFailed("the thread of the image ended", "UNKNOWN"));
      ended.resolve();
    });
  }

  async *read(offset: number): AsyncGenerator<Buffer, void, void> {
    if (this.#failure !== undefined) throw this.#failure;
    const reading = this.#lastReading + 1;
    this.#lastReading = reading;
    const arrived: (Buffer | undefined)[] = [];
    let failure: Error | undefined;
    let wake = (): void => {};
    this.#readings.set(reading, {
      piece: (bytes) => {
        arrived.push(bytes);
        wake();
      },
      fail: (error) => {
        failure = error;
        wake();
      },
    });
    this.#worker.ref();
    try {
      for (let ahead = 0; ahead < PIECES_AHEAD; ahead += 1) this.#ask(reading, offset);
      for (;;) {
        if (arrived.length === 0) {
          if (failure !== undefined) throw failure;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        const bytes = arrived.shift();
        if (bytes === undefined) return;
        this.#ask(reading, offset);
        yield bytes;
      }
    } finally {
      this.#readings.delete(reading);
      if (this.#readings.size === 0) this.#worker.unref();
      if (this.#failure === undefined) this.#send({ kind: "end", reading });
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // Until the thread has ended, so that whoever waits for that is told.
    this.#worker.ref();
    if (this.#failure === undefined) this.#send({ kind: "close" });
    this.#fail(new BackendFailed("the image is closed", "CLOSED"));
  }

  #ask(reading: number, offset: number): void {
    this.#send({ kind: "next", reading, offset });
  }

  #send(request: ImageRequest): void {
    this.#worker.postMessage(request);
  }

  #take(reply: ImageReply): void {
    switch (reply.kind) {
      case "viewed":
        this.applied = reply.applied;
        this.#settle.viewed();
        return;
      case "planned":
        this.sizeBytes = reply.sizeBytes;
        // An image that nobody reads does not keep the process alive.
        this.#worker.unref();
        this.#settle.planned();
        return;
      case "piece": {
        const { bytes } = reply;
        const piece =
          bytes === undefined
            ? undefined
            : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        this.#readings.get(reply.reading)?.piece(piece);
        return;
      }
      case "failed": {
        const error = errorOf(reply.fault, this.#path);
        if (reply.reading !== undefined) {
          this.#readings.get(reply.reading)?.fail(error);
          return;
        }
        this.#fail(error);
        this.#send({ kind: "close" });
      }
    }
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#settle.fail(error);
    for (const reading of this.#readings.values()) reading.fail(error);
  }
}

function errorOf(fault: ThreadFault, path: string): Error {
  const { name, message, table, key, found, wanted } = fault;
  if (name === "CorruptRecord" && table !== undefined && key !== undefined) {
    return new CorruptRecord(table, Buffer.from(key), found ?? 0, wanted ?? 0, path);
  }
  if (name === "DamagedTable" && table !== undefined) {
    return new DamagedTable(table, message.replace(/^damaged table "\w+": /, ""));
  }
  return new BackendFailed(`no image of ${path}: ${message}`, "UNKNOWN");
}
