/**
 * The store's own file, read by others while the store goes on.
 *
 * LMDB never changes a page that a read transaction may look at, so the file can be read as it lies
 * there for as long as one is open. Two things do change: the two meta pages, which are kept from
 * the beginning, and pages that were free then, whose content nobody looks at. So two readings of
 * the same file are the same store, and may differ in bytes.
 */
import { close, closeSync, fstatSync, openSync, read } from "node:fs";
import { BackendFailed } from "./errors.ts";
import { readHead } from "./lmdb-header.ts";
import type { ReadView, StoreFile, Table } from "./types.ts";

/**
 * Takes over the view, which must be of the newest transaction: the caller sees to it that none is
 * written meanwhile.
 */
export function openStoreFile(path: string, view: ReadView): StoreFile {
  let descriptor = -1;
  try {
    descriptor = openSync(path, "r");
    const { head, endByte } = readHead(descriptor);
    const sizeBytes = Math.min(endByte, fstatSync(descriptor).size);
    return new LmdbStoreFile(view, { descriptor, head, sizeBytes });
  } catch (error) {
    view.close();
    if (descriptor >= 0) closeSync(descriptor);
    throw error;
  }
}

class LmdbStoreFile implements StoreFile {
  readonly sizeBytes: number;
  readonly #view: ReadView;
  readonly #descriptor: number;
  /** The meta pages as they were. */
  readonly #head: Buffer;
  #reads = 0;
  #isClosed = false;

  constructor(view: ReadView, file: { descriptor: number; head: Buffer; sizeBytes: number }) {
    this.#view = view;
    this.#descriptor = file.descriptor;
    this.#head = file.head;
    this.sizeBytes = file.sizeBytes;
  }

  get applied() {
    return this.#view.applied;
  }

  get(table: Table, key: Buffer): Buffer | undefined {
    return this.#view.get(table, key);
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    const wanted = Math.max(0, Math.min(into.length, this.sizeBytes - offset));
    let filled = 0;
    if (offset < this.#head.length) {
      const part = this.#head.subarray(offset, offset + wanted);
      into.set(part, 0);
      filled = part.length;
    }
    while (filled < wanted) {
      const count = await this.#readOnce(into, filled, wanted - filled, offset + filled);
      if (count === 0) throw new BackendFailed("the store's file has become shorter", "EIO");
      filled += count;
    }
    return filled;
  }

  #readOnce(into: Uint8Array, at: number, count: number, offset: number): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(new BackendFailed("the store's file is closed", "CLOSED"));
      this.#reads += 1;
      read(this.#descriptor, into, at, count, offset, (error, found) => {
        this.#reads -= 1;
        if (this.#isClosed) this.#release();
        if (error) reject(error);
        else resolve(found);
      });
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#release();
  }

  #release(): void {
    if (this.#reads > 0) return;
    this.#view.close();
    close(this.#descriptor, () => {});
  }
}
