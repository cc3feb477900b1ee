/**
 * Pages of a bbolt file, read through a small cache, each checked before anyone looks into it.
 *
 * The file may be hostile: an id, a length or a count is believed only inside the bounds of the
 * file.
 */
import type { OpenFile } from "../seam/index.ts";
import {
  ELEMENT_BYTES,
  fnv1a64,
  getU64,
  MAGIC,
  type Meta,
  META_BYTES,
  PAGE_HEADER_BYTES,
  PageFlag,
  VERSION,
} from "./bbolt-format.ts";
import { SnapshotCorrupt } from "./errors.ts";

/** Pages of one element or many, with their overflow: the bytes from the header on. */
export interface Page {
  readonly id: number;
  readonly bytes: Buffer;
  readonly isLeaf: boolean;
  readonly count: number;
}

/** A page of any kind, as it stands in the file. */
export interface RawPage {
  readonly id: number;
  readonly flags: number;
  readonly count: number;
  readonly overflow: number;
  /** With its overflow. */
  readonly bytes: Buffer;
}

const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 65_536;
/** A page with more overflow is refused: no etcd request is that large. */
const RUN_BYTES_MAX = 256 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
const CHUNKS_MAX = 16;

export class PageSource {
  readonly #file: OpenFile;
  readonly #chunks = new Map<number, Buffer>();
  /** Chunks that are out of use are filled again: a page is then good until others were read. */
  readonly #reusesBuffers: boolean;
  #spare: Buffer | undefined;
  readonly meta: Meta;
  readonly path: string;

  private constructor(file: OpenFile, meta: Meta, reusesBuffers: boolean) {
    this.#file = file;
    this.#reusesBuffers = reusesBuffers;
    this.meta = meta;
    this.path = file.path;
  }

  /** Finds the newer of the valid metas. Throws SnapshotCorrupt when there is none. */
  static async open(file: OpenFile, reusesBuffers = false): Promise<PageSource> {
    const sizeBytes = await file.size();
    const head = Buffer.alloc(Math.min(sizeBytes, PAGE_BYTES_MAX + PAGE_BYTES_MIN));
    const read = await file.read(head, 0);
    const known = head.subarray(0, read);
    const first = parseMeta(known, 0);
    let newest = first;
    for (let pageBytes = PAGE_BYTES_MIN; pageBytes <= PAGE_BYTES_MAX; pageBytes *= 2) {
      if (first !== undefined && first.pageBytes !== pageBytes) continue;
      const second = parseMeta(known, pageBytes);
      if (second === undefined || second.pageBytes !== pageBytes) continue;
      if (newest === undefined || second.transaction > newest.transaction) newest = second;
    }
    if (newest === undefined) {
      const found = `${sizeBytes} bytes without a valid meta page`;
      throw new SnapshotCorrupt({ path: file.path, offset: 0, found, wanted: "a bbolt file" });
    }
    const neededBytes = newest.pageCount * newest.pageBytes;
    if (newest.pageCount < 3 || neededBytes > sizeBytes) {
      const found = `${sizeBytes} bytes`;
      const wanted = `${neededBytes} bytes for ${newest.pageCount} pages`;
      throw new SnapshotCorrupt({ path: file.path, offset: 0, found, wanted });
    }
    return new PageSource(file, newest, reusesBuffers);
  }

  fault(page: number, found: string, wanted: string, at = 0): SnapshotCorrupt {
    const offset = page * this.meta.pageBytes + at;
    return new SnapshotCorrupt({
      path: this.path,
      offset,
      found: `${found} in page ${page}`,
      wanted,
    });
  }

  /** A page that may be of any kind, also a free one. Throws SnapshotCorrupt. */
  async raw(id: number): Promise<RawPage> {
    const { pageBytes, pageCount } = this.meta;
    if (id >= pageCount) {
      throw this.fault(0, `a reference to page ${id}`, `a page below ${pageCount}`);
    }
    const head = await this.#bytes(id * pageBytes, pageBytes);
    const overflow = this.#overflowOf(id, head);
    const bytes =
      overflow === 0 ? head : await this.#bytes(id * pageBytes, (overflow + 1) * pageBytes);
    const [flags, count] = [head.readUInt16LE(8), head.readUInt16LE(10)];
    return { id, flags, count, overflow, bytes };
  }

  #overflowOf(id: number, head: Buffer): number {
    const { pageBytes, pageCount } = this.meta;
    const overflow = head.readUInt32LE(12);
    if (overflow >= pageCount - id || (overflow + 1) * pageBytes > RUN_BYTES_MAX) {
      throw this.fault(id, `overflow of ${overflow} pages`, "what the file holds, at most 256 MiB");
    }
    if (getU64(head, 0) !== id) throw this.fault(id, `the id ${getU64(head, 0)}`, `${id}`);
    return overflow;
  }

  /** A branch or leaf page with its overflow, its header checked. `from` names it in errors. */
  async read(id: number, from: number): Promise<Page> {
    const { pageCount } = this.meta;
    if (id < 2 || id >= pageCount) {
      throw this.fault(from, `a reference to page ${id}`, `a page from 2 to ${pageCount - 1}`);
    }
    const { bytes } = await this.raw(id);
    const page = this.check(id, bytes);
    // A branch is come back to after all that is below it.
    return this.#reusesBuffers && !page.isLeaf ? { ...page, bytes: Buffer.from(bytes) } : page;
  }

  /**
   * Checks a page's header against its bytes; `id` is where it stands (an inline page has none).
   */
  check(id: number, bytes: Buffer): Page {
    if (bytes.length < PAGE_HEADER_BYTES) throw this.fault(id, "a cut page", "a page header");
    const flags = bytes.readUInt16LE(8);
    const count = bytes.readUInt16LE(10);
    if (flags !== PageFlag.LEAF && flags !== PageFlag.BRANCH) {
      throw this.fault(id, `page flags 0x${flags.toString(16)}`, "a branch (1) or a leaf (2)", 8);
    }
    if (PAGE_HEADER_BYTES + count * ELEMENT_BYTES > bytes.length) {
      throw this.fault(id, `${count} elements in ${bytes.length} bytes`, "as many as fit", 10);
    }
    return { id, bytes, isLeaf: flags === PageFlag.LEAF, count };
  }

  /** Bytes of the file, a view that nobody may change. Throws when the file ends before. */
  async #bytes(offset: number, count: number): Promise<Buffer> {
    const chunk = Math.floor(offset / CHUNK_BYTES);
    const lo = offset - chunk * CHUNK_BYTES;
    if (lo + count > CHUNK_BYTES) return this.#readAll(offset, count);
    let bytes = this.#chunks.get(chunk);
    if (bytes === undefined) {
      bytes = await this.#readChunk(chunk);
      if (this.#chunks.size >= CHUNKS_MAX) this.#dropOldest();
    } else {
      this.#chunks.delete(chunk);
    }
    this.#chunks.set(chunk, bytes);
    return bytes.subarray(lo, lo + count);
  }

  async #readChunk(chunk: number): Promise<Buffer> {
    const room = this.meta.pageCount * this.meta.pageBytes - chunk * CHUNK_BYTES;
    const spare = this.#spare ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#spare = undefined;
    return this.#readInto(spare.subarray(0, Math.min(CHUNK_BYTES, room)), chunk * CHUNK_BYTES);
  }

  #dropOldest(): void {
    for (const [chunk, bytes] of this.#chunks) {
      this.#chunks.delete(chunk);
      if (this.#reusesBuffers && bytes.length === CHUNK_BYTES) this.#spare = bytes;
      return;
    }
  }

  #readAll(offset: number, count: number): Promise<Buffer> {
    return this.#readInto(Buffer.allocUnsafeSlow(count), offset);
  }

  async #readInto(bytes: Buffer, offset: number): Promise<Buffer> {
    const count = bytes.length;
    const read = await this.#file.read(bytes, offset);
    if (read === count) return bytes;
    throw this.fault(Math.floor(offset / this.meta.pageBytes), `${read} bytes`, `${count} bytes`);
  }
}

/** The meta at `at`; undefined when it is not whole or its checksum is wrong. */
function parseMeta(bytes: Buffer, at: number): Meta | undefined {
  const lo = at + PAGE_HEADER_BYTES;
  if (lo + META_BYTES + 8 > bytes.length) return undefined;
  if (bytes.readUInt32LE(lo) !== MAGIC || bytes.readUInt32LE(lo + 4) !== VERSION) return undefined;
  const checksum = bytes.readBigUInt64LE(lo + META_BYTES);
  if (checksum !== fnv1a64(bytes, lo, lo + META_BYTES)) return undefined;
  const pageBytes = bytes.readUInt32LE(lo + 8);
  const isSize = (pageBytes & (pageBytes - 1)) === 0;
  if (!isSize || pageBytes < PAGE_BYTES_MIN || pageBytes > PAGE_BYTES_MAX) return undefined;
  return {
    pageBytes,
    rootPage: getU64(bytes, lo + 16),
    freelistPage: getU64(bytes, lo + 32),
    pageCount: getU64(bytes, lo + 40),
    transaction: getU64(bytes, lo + 48),
  };
}
