/**
 * The backend over LMDB: this thread reads, a writing thread commits.
 *
 * Shape: `<directory>/data-000001.mdb`; the number grows with each defragmentation, and the file
 *   with the highest number is the store. Each value is followed by the CRC-32C of its key and
 *   itself, 4 bytes little-endian. Beside it `in-use` (use-mark.ts).
 * Source: decision 0008.
 */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { assert, AssertionError } from "../base/index.ts";
import { backendError, BackendFailed, CorruptRecord, DamagedTable } from "./errors.ts";
import type { StoreImage } from "./image.ts";
import { openEnvironment } from "./lmdb-env.ts";
import type { BinaryDatabase, Environment, EnvironmentSize } from "./lmdb-env.ts";
import { type StartedImage, startImage } from "./lmdb-image.ts";
import { openStoreFile } from "./lmdb-store-file.ts";
import type { WriterOptions, WriterReply, WriterRequest } from "./lmdb-writer.ts";
import {
  lastKey,
  META_INDEX_KEY,
  META_TERM_KEY,
  readApplied,
  readRecord,
  recordSize,
  rowsOf,
} from "./lmdb-rows.ts";
import { mergeRows } from "./merge.ts";
import { checkAfter, markUse, unmarkUse } from "./use-mark.ts";
import { newestSequence, storeFileOf } from "./read-only-backend.ts";
import { APPEND_TABLE, type Batch, Overlay } from "./overlay.ts";
import {
  KEY_BYTES_MAX,
  type AppliedPoint,
  type Backend,
  type ReadView,
  type Row,
  type StoreFile,
  type Table,
} from "./types.ts";

export interface LmdbBackendOptions {
  /** Created when missing; its parent must exist. Owned by this backend alone. */
  readonly directory: string;
}

interface Waiting {
  readonly batch: Batch;
  readonly settled: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

/** An open file; a replaced one is closed when its last view is. */
interface OpenFile {
  readonly environment: Environment;
  readonly path: string;
  views: number;
  isRetired: boolean;
}

export async function openLmdbBackend(options: LmdbBackendOptions): Promise<Backend> {
  const { directory } = options;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const sequence = newestFile(directory);
  const path = storeFileOf(directory, sequence);
  const channel = new WriterChannel({ path, check: checkAfter(markUse(directory), path) });
  try {
    return new LmdbBackend(directory, sequence, channel, await channel.opened);
  } catch (error) {
    await channel.close();
    // It was read as far as it can be, and nobody died of it.
    unmarkUse(directory);
    throw error;
  }
}

class LmdbBackend implements Backend {
  applied: AppliedPoint;
  durable: AppliedPoint;
  failure: BackendFailed | undefined;
  readonly #directory: string;
  #sequence: number;
  readonly #channel: WriterChannel;
  #file: OpenFile;
  #size: EnvironmentSize;
  readonly #overlay = new Overlay();
  /** Sealed, oldest first. */
  readonly #waiting: Waiting[] = [];
  /** Those of them that wait until the writing thread is let go. */
  readonly #unsent: Waiting[] = [];
  #isWriterHeld = false;
  /** Settles when the writing thread is let go. */
  #writerReleased: Promise<void> = Promise.resolve();
  readonly #closeViews = new Set<() => void>();
  #isDefragmenting = false;
  /** Settles when the running defragmentation has ended. */
  #defragmented: Promise<unknown> = Promise.resolve();
  /** Images whose threads have not opened the file yet: it must not be replaced under them. */
  readonly #openingImages = new Set<Promise<void>>();
  readonly #images = new Set<StartedImage>();
  #isClosed = false;

  constructor(directory: string, sequence: number, channel: WriterChannel, size: EnvironmentSize) {
    this.#directory = directory;
    this.#sequence = sequence;
    this.#channel = channel;
    this.#size = size;
    this.#file = openFile(storeFileOf(directory, sequence));
    this.applied = readApplied((table, key) => this.get(table, key));
    this.durable = this.applied;
    this.#overlay.setLastKey(lastKey(this.#database(APPEND_TABLE)));
    channel.onExit = () => this.#fail(new BackendFailed("writer thread ended", "UNKNOWN"));
  }

  get pendingOperations(): number {
    return this.#overlay.current.operations;
  }

  get pendingBytes(): number {
    return this.#overlay.current.bytes;
  }

  get overlayBytes(): number {
    return this.#overlay.bytes;
  }

  sizeOf(table: Table, key: Buffer): number | undefined {
    const found = this.#overlay.get(table, key);
    if (found !== undefined) return found?.length;
    try {
      return recordSize(this.#database(table), key);
    } catch (error) {
      throw namedError(table, error, this.#file.path);
    }
  }

  get(table: Table, key: Buffer): Buffer | undefined {
    const found = this.#overlay.get(table, key);
    if (found !== undefined) return found ?? undefined;
    try {
      return readRecord(this.#database(table), table, key);
    } catch (error) {
      throw namedError(table, error, this.#file.path);
    }
  }

  scan(
    table: Table,
    lo: Buffer,
    hi: Buffer | undefined,
    limit: number,
    bytesMax = Number.POSITIVE_INFINITY,
  ): Row[] {
    const { next, close } = rowsOf(this.#database(table), table, lo, hi);
    try {
      const cursors = this.#overlay.cursors(table, lo);
      return mergeRows(next, cursors, hi?.latin1Slice(), { limit, bytesMax });
    } catch (error) {
      throw namedError(table, error, this.#file.path);
    } finally {
      close();
    }
  }

  put(table: Table, key: Buffer, value: Buffer): void {
    assert(key.length > 0 && key.length <= KEY_BYTES_MAX, "a key has 1 to KEY_BYTES_MAX bytes");
    this.#overlay.put(table, key, value);
  }

  delete(table: Table, key: Buffer): void {
    this.#overlay.delete(table, key);
  }

  setApplied(point: AppliedPoint): void {
    this.applied = point;
  }

  commit(): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    assert(!this.#isClosed, "a closed backend is not committed");
    const applied = this.applied;
    const last = this.#waiting.at(-1);
    const before = last?.batch.applied ?? this.durable;
    const isAdvanced = applied.index !== before.index || applied.term !== before.term;
    if (!isAdvanced && this.pendingOperations === 0) return last?.settled ?? Promise.resolve();
    if (isAdvanced) {
      this.put("meta", META_INDEX_KEY, bigEndian(applied.index));
      this.put("meta", META_TERM_KEY, bigEndian(applied.term));
    }
    const batch = this.#overlay.seal(applied);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { batch, settled: promise, resolve, reject };
    this.#waiting.push(waiting);
    if (this.#isWriterHeld) this.#unsent.push(waiting);
    else this.#send(batch);
    return promise;
  }

  openReadView(): ReadView {
    const file = this.#file;
    const { root, tables } = file.environment;
    root.resetReadTxn();
    const transaction = root.useReadTransaction();
    // Later reads of the backend go on with a transaction of their own.
    root.resetReadTxn();
    file.views += 1;
    let isOpen = true;
    const close = (): void => {
      if (!isOpen) return;
      isOpen = false;
      this.#closeViews.delete(close);
      transaction.done();
      file.views -= 1;
      closeWhenUnused(file);
    };
    this.#closeViews.add(close);
    const database = (table: Table): BinaryDatabase => {
      assert(isOpen, "a closed view is not read");
      return tables.get(table) as BinaryDatabase;
    };
    const get = (table: Table, key: Buffer): Buffer | undefined => {
      try {
        return readRecord(database(table), table, key, { transaction });
      } catch (error) {
        throw namedError(table, error, file.path);
      }
    };
    return {
      applied: readApplied(get),
      get,
      scan: (table, lo, hi, limit, bytesMax = Number.POSITIVE_INFINITY) => {
        const { next, close } = rowsOf(database(table), table, lo, hi, { transaction });
        try {
          return mergeRows(next, [], hi?.latin1Slice(), { limit, bytesMax });
        } catch (error) {
          throw namedError(table, error, file.path);
        } finally {
          close();
        }
      },
      close,
    };
  }

  async openImage(): Promise<StoreImage> {
    while (this.#isDefragmenting) await this.#defragmented;
    assert(!this.#isClosed, "a closed backend gives no image");
    const started = startImage(this.#file.path);
    this.#images.add(started);
    void started.ended.then(() => this.#images.delete(started));
    const opening = started.viewed.catch(() => undefined);
    this.#openingImages.add(opening);
    void opening.then(() => this.#openingImages.delete(opening));
    return started.image;
  }

  async openFile(): Promise<StoreFile> {
    const release = await this.#holdWriter();
    try {
      if (this.failure !== undefined) throw this.failure;
      assert(!this.#isClosed, "a closed backend gives no file");
      return openStoreFile(this.#file.path, this.openReadView());
    } finally {
      release();
    }
  }

  /** Once it settles no batch is being written, and none will be before the answer is called. */
  async #holdWriter(): Promise<() => void> {
    while (this.#isWriterHeld) await this.#writerReleased;
    this.#isWriterHeld = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#writerReleased = promise;
    await this.#waiting.at(-1)?.settled.catch(() => undefined);
    return () => {
      this.#isWriterHeld = false;
      for (const { batch } of this.#unsent.splice(0)) this.#send(batch);
      resolve();
    };
  }

  storedRows(table: Table): number {
    return (this.#database(table).getStats() as { entryCount: number }).entryCount;
  }

  sizeBytes(): { total: number; inUse: number } {
    return { total: this.#size.total, inUse: this.#size.inUse };
  }

  /**
   * Copies what is in use into a new file and goes on with that one. Batches wait in the overlay
   * meanwhile, so there is nothing to catch up with; reads see the old file until the switch.
   */
  async defragment(): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    if (this.#isDefragmenting) return;
    this.#isDefragmenting = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#defragmented = promise;
    const release = await this.#holdWriter();
    try {
      await Promise.all(this.#openingImages);
      await this.#moveToCopy(storeFileOf(this.#directory, this.#sequence + 1));
    } finally {
      this.#isDefragmenting = false;
      resolve();
      release();
    }
  }

  async #moveToCopy(path: string): Promise<void> {
    const copied = await this.#channel.request({ kind: "copy", path });
    if (copied.kind === "failed") {
      throw new BackendFailed(`the store could not be copied: ${copied.message}`, copied.code);
    }
    const opened = await this.#channel.request({ kind: "open", path });
    if (opened.kind === "failed") {
      const failure = backendError(`cannot open ${path}: ${opened.message}`, opened.code);
      this.#fail(failure);
      throw failure;
    }
    const old = this.#file;
    this.#file = openFile(path);
    this.#sequence += 1;
    this.#size = opened.size;
    old.isRetired = true;
    for (const name of [old.path, `${old.path}-lock`]) rmSync(name, { force: true });
    closeWhenUnused(old);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    const last = this.failure === undefined ? this.commit() : Promise.resolve();
    this.#isClosed = true;
    try {
      await last;
    } finally {
      // LMDB must not be closed under a reader; what still reads is told by an assertion.
      for (const closeView of this.#closeViews) closeView();
      const images = [...this.#images];
      for (const image of images) image.close();
      await Promise.all(images.map((image) => image.ended));
      this.#channel.onExit = () => {};
      await this.#channel.close();
      await this.#file.environment.root.close();
      unmarkUse(this.#directory);
    }
  }

  #database(table: Table): BinaryDatabase {
    return this.#file.environment.tables.get(table) as BinaryDatabase;
  }

  #send(batch: Batch): void {
    const { segments, forget, transfer } = this.#overlay.message(batch);
    const request: WriterRequest = { kind: "batch", segments, forget };
    this.#channel.send(request, (reply) => this.#settle(reply), transfer);
  }

  #settle(reply: WriterReply): void {
    if (reply.kind === "failed") {
      const message = `the store in ${this.#directory} could not be written: ${reply.message}`;
      this.#fail(backendError(message, reply.code));
      return;
    }
    const waiting = this.#waiting.shift();
    assert(waiting !== undefined, "a reply belongs to a batch");
    this.#size = reply.size;
    // The next read must see what the writer made durable before the overlay lets go of it.
    this.#file.environment.root.resetReadTxn();
    this.durable = waiting.batch.applied;
    this.#overlay.dropOldest();
    waiting.resolve();
  }

  #fail(failure: BackendFailed): void {
    if (this.failure !== undefined) return;
    this.failure = failure;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(failure);
  }
}

/** Requests to the writing thread and their replies, in order. */
class WriterChannel {
  onExit: () => void = () => {};
  /** Settles when the thread has opened its file. */
  readonly opened: Promise<EnvironmentSize>;
  readonly #worker: Worker;
  readonly #exit: Promise<void>;
  readonly #handlers: ((reply: WriterReply) => void)[] = [];

  constructor(workerData: WriterOptions) {
    const { path } = workerData;
    const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
    this.#worker = new Worker(new URL(`./lmdb-writer.${suffix}`, import.meta.url), {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 },
    });
    this.#exit = new Promise((resolve) => {
      this.#worker.once("exit", () => {
        resolve();
        this.onExit();
      });
    });
    this.opened = new Promise((resolve, reject) => {
      this.#worker.on("error", reject);
      this.#handlers.push((reply) => {
        if (reply.kind === "done") resolve(reply.size);
        else reject(backendError(`cannot open ${path}: ${reply.message}`, reply.code));
      });
    });
    this.#worker.on("message", (reply: WriterReply) => {
      const handler = this.#handlers.shift();
      // An idle thread does not keep the process alive.
      if (this.#handlers.length === 0) this.#worker.unref();
      handler?.(reply);
    });
  }

  send(
    request: WriterRequest,
    onReply: (reply: WriterReply) => void,
    transfer: ArrayBuffer[] = [],
  ): void {
    if (this.#handlers.length === 0) this.#worker.ref();
    this.#handlers.push(onReply);
    this.#worker.postMessage(request, transfer);
  }

  request(request: WriterRequest): Promise<WriterReply> {
    return new Promise((resolve) => this.send(request, resolve));
  }

  async close(): Promise<void> {
    this.send({ kind: "close" }, () => {});
    await this.#exit;
  }
}

function openFile(path: string): OpenFile {
  return { environment: openEnvironment(path), path, views: 0, isRetired: false };
}

function closeWhenUnused(file: OpenFile): void {
  if (file.isRetired && file.views === 0) void file.environment.root.close();
}

/** The number of the store's file; what a defragmentation left behind is removed. */
function newestFile(directory: string): number {
  const names = readdirSync(directory);
  const newest = newestSequence(names) ?? 1;
  for (const name of names) {
    const sequence = newestSequence([name.replace(/-lock$|\.tmp$/, "")]);
    if (sequence === undefined) continue;
    const isCurrent = sequence === newest;
    if (!isCurrent || name.endsWith(".tmp")) rmSync(join(directory, name), { force: true });
  }
  return newest;
}

/** What LMDB itself stumbles over is damage too. */
function namedError(table: Table, error: unknown, file: string): unknown {
  if (error instanceof CorruptRecord) {
    return new CorruptRecord(table, error.key, error.found, error.wanted, file);
  }
  if (error instanceof DamagedTable) return error;
  if (error instanceof AssertionError) return error;
  return new DamagedTable(table, error instanceof Error ? error.message : String(error), error);
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), 0);
  bytes.writeUInt32BE(value >>> 0, 4);
  return bytes;
}
