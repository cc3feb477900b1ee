/**
 * Streams a bbolt file from sorted rows, front to back, in bounded memory.
 *
 * The metas stand first and name the root, which is known last; and whoever receives the stream is
 * told its size first (MA-07). So the rows are gone through twice over the same view:
 * `planBboltFile` lets the pages be counted, `writeBboltFile` makes them. The second pass must find
 * what the first found, or it throws.
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
import { type PageDraft, TreeBuilder } from "./tree-builder.ts";
import type { BucketSource } from "./types.ts";

const FREELIST_PAGE = 2;
const FIRST_FREE_PAGE = 3;
const TRANSACTION = 2;

export interface BboltPlan {
  readonly sizeBytes: number;
  readonly rootPage: number;
  readonly rowCount: number;
}

/** Counts the pages that the buckets take. Buckets come in the byte order of their names. */
export async function planBboltFile(buckets: readonly BucketSource[]): Promise<BboltPlan> {
  let pageCount = FIRST_FREE_PAGE;
  const root = new TreeBuilder(count);
  let rowCount = 0;
  function count(page: PageDraft): number {
    const id = pageCount;
    pageCount += page.pages;
    return id;
  }
  for (const bucket of buckets) {
    const tree = new TreeBuilder(count);
    const cursor = bucket.open();
    try {
      for (let rows = await cursor.next(); rows !== undefined; rows = await cursor.next()) {
        for (const { key, value } of rows) tree.add(key, value);
      }
    } finally {
      cursor.close?.();
    }
    rowCount += tree.rowCount;
    root.add(Buffer.from(bucket.name, "utf8"), bucketHeader(tree.finish()));
  }
  const rootPage = root.finish();
  return { sizeBytes: pageCount * PAGE_BYTES, rootPage, rowCount };
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
  const out = new PieceWriter(pieceBytes);
  let pageCount = FIRST_FREE_PAGE;
  function write(page: PageDraft): number {
    const id = pageCount;
    pageCount += page.pages;
    writePage(out, id, page, leafFlags);
    return id;
  }
  let leafFlags = 0;
  writeHead(out, plan);
  const roots: Buffer[] = [];
  for (const bucket of buckets) {
    const tree = new TreeBuilder(write);
    const cursor = bucket.open();
    try {
      for (let rows = await cursor.next(); rows !== undefined; rows = await cursor.next()) {
        for (const { key, value } of rows) tree.add(key, value);
        yield* out.takeFull();
      }
    } finally {
      cursor.close?.();
    }
    roots.push(bucketHeader(tree.finish()));
  }
  leafFlags = LEAF_FLAG_BUCKET;
  const root = new TreeBuilder(write);
  for (const [position, bucket] of buckets.entries()) {
    root.add(Buffer.from(bucket.name, "utf8"), roots[position] as Buffer);
  }
  const rootPage = root.finish();
  if (rootPage !== plan.rootPage || pageCount * PAGE_BYTES !== plan.sizeBytes) {
    const found = `${pageCount * PAGE_BYTES} bytes with root ${rootPage}`;
    const wanted = `${plan.sizeBytes} with root ${plan.rootPage}`;
    throw new Error(
      `the rows of a snapshot changed under it: found ${found}, planned were ${wanted}`,
    );
  }
  yield* out.takeAll();
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
  const { count, isLeaf, keys, values, children } = page;
  const head = Buffer.alloc(PAGE_HEADER_BYTES + count * ELEMENT_BYTES);
  const flags = isLeaf ? PageFlag.LEAF : PageFlag.BRANCH;
  putPageHeader(head, 0, { id, flags, count, overflow: page.pages - 1 });
  let data = head.length;
  for (let position = 0; position < count; position += 1) {
    const at = PAGE_HEADER_BYTES + position * ELEMENT_BYTES;
    const keyBytes = (keys[position] as Buffer).length;
    const valueBytes = isLeaf ? (values[position] as Buffer).length : 0;
    if (isLeaf) {
      head.writeUInt32LE(leafFlags, at);
      head.writeUInt32LE(data - at, at + 4);
      head.writeUInt32LE(keyBytes, at + 8);
      head.writeUInt32LE(valueBytes, at + 12);
    } else {
      head.writeUInt32LE(data - at, at);
      head.writeUInt32LE(keyBytes, at + 4);
      putU64(head, at + 8, children[position] as number);
    }
    data += keyBytes + valueBytes;
  }
  out.write(head);
  for (let position = 0; position < count; position += 1) {
    out.write(keys[position] as Buffer);
    if (isLeaf) out.write(values[position] as Buffer);
  }
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

  write(bytes: Buffer): void {
    let done = 0;
    while (done < bytes.length) {
      const count = bytes.copy(this.#piece, this.#used, done);
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
