/**
 * Makes a bbolt file from sorted rows, front to back, in bounded memory.
 *
 * The metas stand first and name the root, which is known last; and whoever receives the stream is
 * told its size first (MA-07). So the rows are gone through twice over the same view: a planner
 * counts the pages from the rows' lengths, a writer makes them. The second pass must find what the
 * first found, or it throws.
 *
 * Planner and writer are pushed, by whoever has the rows; `planBboltFile` and `writeBboltFile` pull
 * them from sources.
 *
 * Shape: meta, meta, an empty freelist, the tree of each bucket in name order, the tree of buckets.
 */
import {
  BUCKET_HEADER_BYTES,
  ELEMENT_BYTES,
  LEAF_FLAG_BUCKET,
  PAGE_BYTES,
  PAGE_HEADER_BYTES,
  PageFlag,
  putMetaPage,
  putPageHeader,
  putU64,
} from "./bbolt-format.ts";
import { type PageDraft, TreeBuilder, TreeCounter } from "./tree-builder.ts";
import type { BucketSource } from "./types.ts";

const FREELIST_PAGE = 2;
const FIRST_FREE_PAGE = 3;
const TRANSACTION = 2;

export interface BboltPlan {
  readonly sizeBytes: number;
  readonly rootPage: number;
  readonly rowCount: number;
}

/** Counts pages. Buckets come in the byte order of their names, rows in that of their keys. */
export class BboltPlanner {
  #pageCount = FIRST_FREE_PAGE;
  readonly #take = (pages: number): number => {
    const id = this.#pageCount;
    this.#pageCount += pages;
    return id;
  };
  readonly #root = new TreeCounter(this.#take);
  #bucket: TreeCounter | undefined;
  #rowCount = 0;

  beginBucket(name: string): void {
    this.#endBucket();
    this.#root.add(Buffer.byteLength(name, "utf8"), BUCKET_HEADER_BYTES);
    this.#bucket = new TreeCounter(this.#take);
  }

  row(keyBytes: number, valueBytes: number): void {
    (this.#bucket as TreeCounter).add(keyBytes, valueBytes);
  }

  finish(): BboltPlan {
    this.#endBucket();
    const rootPage = this.#root.finish();
    return { sizeBytes: this.#pageCount * PAGE_BYTES, rootPage, rowCount: this.#rowCount };
  }

  #endBucket(): void {
    if (this.#bucket === undefined) return;
    this.#bucket.finish();
    this.#rowCount += this.#bucket.rowCount;
    this.#bucket = undefined;
  }
}

/** Makes the bytes of a planned file, in pieces of `pieceBytes` (the last may be shorter). */
export class BboltWriter {
  readonly #plan: BboltPlan;
  readonly #out: PieceWriter;
  #pageCount = FIRST_FREE_PAGE;
  #leafFlags = 0;
  readonly #roots: { name: Buffer; header: Buffer }[] = [];
  #name: Buffer | undefined;
  #bucket: TreeBuilder | undefined;

  constructor(plan: BboltPlan, pieceBytes: number) {
    this.#plan = plan;
    this.#out = new PieceWriter(pieceBytes);
    writeHead(this.#out, plan);
  }

  beginBucket(name: string): void {
    this.#endBucket();
    this.#name = Buffer.from(name, "utf8");
    this.#bucket = this.#newTree();
  }

  /** Copies the row. Throws when it does not come after the one before. */
  row(key: Buffer, value: Uint8Array, valueBytes = value.length): void {
    (this.#bucket as TreeBuilder).add(key, value, valueBytes);
  }

  /** Pieces that are full; each belongs to the caller. */
  takeFull(): Buffer[] {
    return this.#out.takeFull();
  }

  /** The rest of the file. Throws when the rows were not those that were planned. */
  finish(): Buffer[] {
    this.#endBucket();
    this.#leafFlags = LEAF_FLAG_BUCKET;
    const root = this.#newTree();
    for (const { name, header } of this.#roots) root.add(name, header);
    const rootPage = root.finish();
    const { plan, sizeBytes } = { plan: this.#plan, sizeBytes: this.#pageCount * PAGE_BYTES };
    if (rootPage !== plan.rootPage || sizeBytes !== plan.sizeBytes) {
      const found = `${sizeBytes} bytes with root ${rootPage}`;
      const wanted = `${plan.sizeBytes} with root ${plan.rootPage}`;
      throw new Error(
        `the rows of a snapshot changed under it: found ${found}, planned were ${wanted}`,
      );
    }
    return this.#out.takeAll();
  }

  #endBucket(): void {
    if (this.#bucket === undefined) return;
    const header = bucketHeader(this.#bucket.finish());
    this.#roots.push({ name: this.#name as Buffer, header });
    this.#bucket = undefined;
  }

  #newTree(): TreeBuilder {
    return new TreeBuilder((page) => {
      const id = this.#pageCount;
      this.#pageCount += page.pages;
      writePage(this.#out, id, page, this.#leafFlags);
      return id;
    });
  }
}

/** Counts the pages that the buckets take. Buckets come in the byte order of their names. */
export async function planBboltFile(buckets: readonly BucketSource[]): Promise<BboltPlan> {
  const planner = new BboltPlanner();
  for (const bucket of buckets) {
    planner.beginBucket(bucket.name);
    const cursor = bucket.open();
    try {
      for (let rows = await cursor.next(); rows !== undefined; rows = await cursor.next()) {
        for (const { key, value } of rows) planner.row(key.length, value.length);
      }
    } finally {
      cursor.close?.();
    }
  }
  return planner.finish();
}

/**
 * The bytes of the file, in pieces of `pieceBytes` (the last may be shorter). Each piece belongs to
 * the caller. Throws when the rows are not those that were planned.
 */
export async function* writeBboltFile(
  buckets: readonly BucketSource[],
  plan: BboltPlan,
  pieceBytes = 32 * 1024,
): AsyncGenerator<Buffer, void, void> {
  const writer = new BboltWriter(plan, pieceBytes);
  for (const bucket of buckets) {
    writer.beginBucket(bucket.name);
    const cursor = bucket.open();
    try {
      for (let rows = await cursor.next(); rows !== undefined; rows = await cursor.next()) {
        for (const { key, value } of rows) writer.row(key, value);
        yield* writer.takeFull();
      }
    } finally {
      cursor.close?.();
    }
  }
  yield* writer.finish();
}

function bucketHeader(rootPage: number): Buffer {
  const header = Buffer.alloc(BUCKET_HEADER_BYTES);
  putU64(header, 0, rootPage);
  return header;
}

function writeHead(out: PieceWriter, plan: BboltPlan): void {
  const page = Buffer.alloc(PAGE_BYTES);
  const meta = {
    pageBytes: PAGE_BYTES,
    rootPage: plan.rootPage,
    freelistPage: FREELIST_PAGE,
    pageCount: plan.sizeBytes / PAGE_BYTES,
  };
  // The same content twice, one transaction apart, as bbolt's own copy of a file has it.
  putMetaPage(page, 0, { ...meta, transaction: TRANSACTION });
  out.write(page);
  putMetaPage(page, 1, { ...meta, transaction: TRANSACTION - 1 });
  out.write(page);
  page.fill(0);
  putPageHeader(page, 0, { id: FREELIST_PAGE, flags: PageFlag.FREELIST, count: 0, overflow: 0 });
  out.write(page);
}

function writePage(out: PieceWriter, id: number, page: PageDraft, leafFlags: number): void {
  const { count, isLeaf, elements, data, dataBytes } = page;
  const header = Buffer.alloc(PAGE_HEADER_BYTES);
  const flags = isLeaf ? PageFlag.LEAF : PageFlag.BRANCH;
  putPageHeader(header, 0, { id, flags, count, overflow: page.pages - 1 });
  out.write(header);
  const elementsBytes = count * ELEMENT_BYTES;
  // From an element to its bytes: what is left of the elements, then the way within the data.
  const field = isLeaf ? 4 : 0;
  for (let at = 0; at < elementsBytes; at += ELEMENT_BYTES) {
    const place = elements.readUInt32LE(at + field);
    elements.writeUInt32LE(elementsBytes - at + place, at + field);
    if (isLeaf) elements.writeUInt32LE(leafFlags, at);
  }
  out.write(elements, elementsBytes);
  out.write(data, dataBytes);
  out.zeros(page.pages * PAGE_BYTES - page.bytes);
}

/** Cuts what is written into pieces of one size. */
class PieceWriter {
  readonly #pieceBytes: number;
  #full: Buffer[] = [];
  #piece: Buffer;
  #used = 0;

  constructor(pieceBytes: number) {
    this.#pieceBytes = pieceBytes;
    this.#piece = Buffer.allocUnsafeSlow(pieceBytes);
  }

  write(bytes: Buffer, end = bytes.length): void {
    let done = 0;
    while (done < end) {
      const count = bytes.copy(this.#piece, this.#used, done, end);
      done += count;
      this.#advance(count);
    }
  }

  zeros(count: number): void {
    for (let left = count; left > 0; ) {
      const take = Math.min(left, this.#pieceBytes - this.#used);
      this.#piece.fill(0, this.#used, this.#used + take);
      left -= take;
      this.#advance(take);
    }
  }

  #advance(count: number): void {
    this.#used += count;
    if (this.#used < this.#pieceBytes) return;
    this.#full.push(this.#piece);
    this.#piece = Buffer.allocUnsafeSlow(this.#pieceBytes);
    this.#used = 0;
  }

  takeFull(): Buffer[] {
    const full = this.#full;
    this.#full = [];
    return full;
  }

  takeAll(): Buffer[] {
    const all = this.takeFull();
    if (this.#used > 0) all.push(this.#piece.subarray(0, this.#used));
    this.#used = 0;
    return all;
  }
}
