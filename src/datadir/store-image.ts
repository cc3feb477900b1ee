/**
 * The store as it lies on the disk, for a member of our own kind (PE-04): no row is touched on
 * either side, and the receiver need not read them all for its key index.
 *
 * Shape: the store's file | the file of the key index, or nothing | FOOTER_BYTES: `HFSTORE1`, bytes
 *   of the store's file, bytes of the index, number of the index's file (8 bytes LE each)
 */
import type { AppliedPoint, Backend, StoreFile } from "../backend/index.ts";
import { CHECKPOINT_KEY, checkpointName, checkpointNumber } from "../mvcc/index.ts";
import type { Disk, OpenFile, SnapshotImage } from "../seam/index.ts";

const MAGIC = Buffer.from("HFSTORE1", "latin1");
export const FOOTER_BYTES = 32;
const PIECE_BYTES = 1024 * 1024;

export interface StoreImageOptions {
  readonly backend: Backend;
  readonly disk: Disk;
  /** Of the store, where its checkpoints are. */
  readonly directory: string;
}

/**
 * An image of everything applied when it was called; undefined when this store has no file of its
 * own. To be closed by whoever was given it: until then pages that it holds are not used again.
 */
export async function openStoreImage(
  options: StoreImageOptions,
): Promise<{ image: SnapshotImage; applied: AppliedPoint } | undefined> {
  const { backend } = options;
  if (backend.openFile === undefined) return undefined;
  await backend.commit();
  const store = await backend.openFile();
  try {
    const index = await openIndex(store, options);
    return { image: new StoreImage(store, index), applied: store.applied };
  } catch (error) {
    store.close();
    throw error;
  }
}

interface IndexFile {
  readonly file: OpenFile;
  readonly number: number;
  readonly sizeBytes: number;
}

/** A newer one may have replaced it since: then the receiver makes its own. */
async function openIndex(
  store: StoreFile,
  { disk, directory }: StoreImageOptions,
): Promise<IndexFile | undefined> {
  const row = store.get("local", CHECKPOINT_KEY);
  const number = row === undefined ? undefined : checkpointNumber(row);
  if (number === undefined) return undefined;
  const path = `${directory}/${checkpointName(number)}`;
  const file = await disk.open(path, "read").catch(() => undefined);
  if (file === undefined) return undefined;
  return { file, number, sizeBytes: await file.size() };
}

class StoreImage implements SnapshotImage {
  readonly format = "store";
  readonly sizeBytes: number;
  readonly #store: StoreFile;
  readonly #index: IndexFile | undefined;
  readonly #footer: Buffer;
  #isClosed = false;

  constructor(store: StoreFile, index: IndexFile | undefined) {
    this.#store = store;
    this.#index = index;
    const sizes = { storeBytes: store.sizeBytes, indexBytes: index?.sizeBytes ?? 0 };
    this.#footer = encodeFooter({ ...sizes, indexNumber: index?.number ?? 0 });
    this.sizeBytes = sizes.storeBytes + sizes.indexBytes + FOOTER_BYTES;
  }

  /** One piece is read while the one before is sent. */
  async *read(offset: number): AsyncGenerator<Buffer, void, void> {
    let at = offset;
    let next = this.#piece(at);
    for (;;) {
      const piece = await next;
      if (piece.length === 0) return;
      at += piece.length;
      next = this.#piece(at);
      // Told when it is asked for; nobody may.
      next.catch(() => undefined);
      yield piece;
    }
  }

  async #piece(offset: number): Promise<Buffer> {
    if (this.#isClosed) throw new Error("the image is closed");
    const storeBytes = this.#store.sizeBytes;
    const indexBytes = this.#index?.sizeBytes ?? 0;
    if (offset < storeBytes) {
      const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, storeBytes - offset));
      await this.#store.read(piece, offset);
      return piece;
    }
    const indexAt = offset - storeBytes;
    if (this.#index !== undefined && indexAt < indexBytes) {
      const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, indexBytes - indexAt));
      const count = await this.#index.file.read(piece, indexAt);
      if (count !== piece.length) throw new Error(`${this.#index.file.path} has become shorter`);
      return piece;
    }
    return Buffer.from(this.#footer.subarray(indexAt - indexBytes));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#store.close();
    // Read only: nothing can be lost with it.
    this.#index?.file.close().catch(() => undefined);
  }
}

export interface StoreImageLayout {
  readonly storeBytes: number;
  readonly indexBytes: number;
  readonly indexNumber: number;
}

function encodeFooter({ storeBytes, indexBytes, indexNumber }: StoreImageLayout): Buffer {
  const footer = Buffer.alloc(FOOTER_BYTES);
  MAGIC.copy(footer, 0);
  footer.writeBigUInt64LE(BigInt(storeBytes), 8);
  footer.writeBigUInt64LE(BigInt(indexBytes), 16);
  footer.writeBigUInt64LE(BigInt(indexNumber), 24);
  return footer;
}

/** What a file of `sizeBytes` with this footer holds; undefined when it is no such image. */
export function decodeFooter(footer: Buffer, sizeBytes: number): StoreImageLayout | undefined {
  if (footer.length !== FOOTER_BYTES || !footer.subarray(0, 8).equals(MAGIC)) return undefined;
  const storeBytes = Number(footer.readBigUInt64LE(8));
  const indexBytes = Number(footer.readBigUInt64LE(16));
  const indexNumber = Number(footer.readBigUInt64LE(24));
  if (storeBytes + indexBytes + FOOTER_BYTES !== sizeBytes || storeBytes === 0) return undefined;
  if (!Number.isSafeInteger(indexNumber)) return undefined;
  return { storeBytes, indexBytes, indexNumber };
}
