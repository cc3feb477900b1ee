/**
 * A bbolt file page by page: which pages its buckets are made of, which are free, which are neither
 * or both. For whoever looks into a file that may be damaged: what is wrong is told, page by page.
 */
import type { OpenFile } from "../seam/index.ts";
import {
  BUCKET_HEADER_BYTES,
  ELEMENT_BYTES,
  getU64,
  PAGE_HEADER_BYTES,
  PageFlag,
} from "./bbolt-format.ts";
import { SnapshotCorrupt } from "./errors.ts";
import { branchKey, childOf, type LeafRow, leafRows } from "./page-rows.ts";
import { type Page, PageSource, type RawPage } from "./page-source.ts";

export type PageType = "meta" | "leaf" | "branch" | "freelist" | "unknown";

/** What the pages of one bucket come to. */
export interface BucketPages {
  readonly name: string;
  /** Its only page is inside the row that names it. */
  isInline: boolean;
  branchPages: number;
  branchOverflow: number;
  /** In use, of the pages' bytes. */
  branchBytes: number;
  leafPages: number;
  leafOverflow: number;
  leafBytes: number;
  inlineBytes: number;
  rows: number;
  depth: number;
}

export interface BboltSurvey {
  readonly buckets: readonly BucketPages[];
  /** One line each; none = the file is sound. */
  readonly faults: readonly string[];
}

const FAULTS_MAX = 1_000;
const DEPTH_MAX = 64;
/** A freelist that is longer than its page's count can say has the count in its first place. */
const COUNT_IS_FIRST = 0xffff;

export class BboltPages {
  readonly #pages: PageSource;

  private constructor(pages: PageSource) {
    this.#pages = pages;
  }

  /** Throws SnapshotCorrupt for a file without a valid meta page. The file stays the caller's. */
  static async open(file: OpenFile): Promise<BboltPages> {
    return new BboltPages(await PageSource.open(file));
  }

  get pageBytes(): number {
    return this.#pages.meta.pageBytes;
  }

  get pageCount(): number {
    return this.#pages.meta.pageCount;
  }

  /** Any page. Throws SnapshotCorrupt for one that is not there or has another's header. */
  page(id: number): Promise<RawPage> {
    return this.#pages.raw(id);
  }

  typeOf({ flags }: RawPage): PageType {
    if (flags === PageFlag.META) return "meta";
    if (flags === PageFlag.LEAF) return "leaf";
    if (flags === PageFlag.BRANCH) return "branch";
    return flags === PageFlag.FREELIST ? "freelist" : "unknown";
  }

  /** Rows of a leaf as they stand. Throws SnapshotCorrupt. */
  rowsOf({ id, bytes }: RawPage): readonly LeafRow[] {
    return leafRows(this.#pages, this.#pages.check(id, bytes), undefined);
  }

  /** Keys of a branch, and the pages that they lead to. Throws SnapshotCorrupt. */
  childrenOf({ id, bytes }: RawPage): readonly { readonly key: Buffer; readonly page: number }[] {
    const page = this.#pages.check(id, bytes);
    return Array.from({ length: page.count }, (_, position) => ({
      key: branchKey(this.#pages, page, position).key,
      page: childOf(this.#pages, page, position),
    }));
  }

  /** Ids on a freelist page. Throws SnapshotCorrupt. */
  freeIdsOf({ id, count, bytes }: RawPage): readonly number[] {
    const isLong = count === COUNT_IS_FIRST;
    const total = isLong ? getU64(bytes, PAGE_HEADER_BYTES) : count;
    const from = PAGE_HEADER_BYTES + (isLong ? 8 : 0);
    if (from + total * 8 > bytes.length) {
      throw this.#pages.fault(id, `${total} free pages`, `a page of ${bytes.length} bytes`);
    }
    return Array.from({ length: total }, (_, at) => getU64(bytes, from + at * 8));
  }

  /** Pages that are free: as the file lists them, or all that nothing refers to. */
  async freePages(): Promise<(id: number) => boolean> {
    const listed = await this.#listed();
    if (listed !== undefined) {
      const free = new Set(this.freeIdsOf(listed));
      return (id) => free.has(id);
    }
    const survey = new Survey(this.#pages);
    await survey.run();
    return (id) => !survey.isUsed(id);
  }

  /** Reads every page that is in use. Rejects with what the disk says; faults are in the answer. */
  async survey(): Promise<BboltSurvey> {
    const survey = new Survey(this.#pages);
    await survey.run();
    await survey.attempt(async () => {
      const listed = await this.#listed();
      if (listed === undefined) return;
      survey.use(listed, "the freelist");
      survey.compare(this.freeIdsOf(listed));
    });
    return survey;
  }

  /** Undefined: the file was written without a freelist. */
  async #listed(): Promise<RawPage | undefined> {
    const { freelistPage, pageCount } = this.#pages.meta;
    if (freelistPage >= pageCount) return undefined;
    const page = await this.#pages.raw(freelistPage);
    if (page.flags === PageFlag.FREELIST) return page;
    throw this.#pages.fault(freelistPage, `page flags 0x${page.flags.toString(16)}`, "a freelist");
  }
}

class Survey implements BboltSurvey {
  readonly buckets: BucketPages[] = [];
  readonly faults: string[] = [];
  readonly #pages: PageSource;
  readonly #used: Uint8Array;

  constructor(pages: PageSource) {
    this.#pages = pages;
    this.#used = new Uint8Array(pages.meta.pageCount);
    this.#used.fill(1, 0, 2);
  }

  isUsed(id: number): boolean {
    return this.#used[id] === 1;
  }

  async run(): Promise<void> {
    const found: { row: LeafRow; page: number }[] = [];
    const { rootPage } = this.#pages.meta;
    const root = emptyBucket("the list of buckets");
    await this.attempt(async () => {
      await this.#walk(await this.#enter(rootPage, 0), root, (rows, page) => {
        for (const { key, value, isBucket } of rows) {
          const row = { key: Buffer.from(key), value: Buffer.from(value), isBucket };
          found.push({ row, page });
        }
      });
    });
    for (const { row, page } of found) await this.attempt(() => this.#bucket(row, page));
  }

  /** What is broken is noted, and the rest goes on. */
  async attempt(part: () => Promise<void>): Promise<void> {
    try {
      await part();
    } catch (error) {
      if (!(error instanceof SnapshotCorrupt)) throw error;
      this.#fault(`offset ${error.offset}: found ${error.found}, wanted ${error.wanted}`);
    }
  }

  use({ id, overflow }: { readonly id: number; readonly overflow: number }, by: string): void {
    for (let page = id; page <= id + overflow; page += 1) {
      if (this.isUsed(page)) this.#fault(`page ${page}: multiple references, again by ${by}`);
      this.#used[page] = 1;
    }
  }

  compare(freeIds: readonly number[]): void {
    const free = new Uint8Array(this.#used.length);
    for (const id of freeIds) {
      if (id < 2 || id >= free.length) this.#fault(`page ${id}: out of bounds, in the freelist`);
      else if (free[id] === 1) this.#fault(`page ${id}: already freed`);
      else free[id] = 1;
    }
    free.forEach((isFree, id) => {
      if (isFree === 1 && this.isUsed(id)) this.#fault(`page ${id}: reachable freed`);
      if (isFree === 0 && !this.isUsed(id)) this.#fault(`page ${id}: unreachable unfreed`);
    });
  }

  #fault(line: string): void {
    if (this.faults.length < FAULTS_MAX) this.faults.push(line);
  }

  async #bucket({ key, value, isBucket }: LeafRow, page: number): Promise<void> {
    const bucket = emptyBucket(key.toString("utf8"));
    if (!isBucket || value.length < BUCKET_HEADER_BYTES) {
      throw this.#pages.fault(page, "a row beside the buckets", "a bucket");
    }
    this.buckets.push(bucket);
    const rootPage = getU64(value, 0);
    bucket.isInline = rootPage === 0;
    const root = bucket.isInline
      ? this.#pages.check(page, value.subarray(BUCKET_HEADER_BYTES))
      : await this.#enter(rootPage, page);
    await this.#walk(root, bucket, (rows, at) => {
      if (rows.some((row) => row.isBucket)) {
        throw this.#pages.fault(at, "a bucket inside a bucket", "a row");
      }
    });
  }

  async #enter(id: number, from: number): Promise<Page> {
    const page = await this.#pages.read(id, from);
    const wasUsed = this.isUsed(id);
    this.use({ id, overflow: page.bytes.length / this.#pages.meta.pageBytes - 1 }, `page ${from}`);
    if (wasUsed) throw this.#pages.fault(from, `page ${id} again`, "each page once");
    return page;
  }

  async #walk(
    root: Page,
    bucket: BucketPages,
    onLeaf: (rows: readonly LeafRow[], page: number) => void,
  ): Promise<void> {
    const path = [{ page: root, next: 0 }];
    let newest: Buffer | undefined;
    for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
      const { page, next } = step;
      if (next === 0) count(bucket, page, path.length, this.#pages.meta.pageBytes);
      if (page.isLeaf) {
        const rows = leafRows(this.#pages, page, newest);
        newest = rows.at(-1)?.key ?? newest;
        onLeaf(rows, page.id);
        path.pop();
      } else if (next === page.count) {
        path.pop();
      } else {
        step.next += 1;
        const child = childOf(this.#pages, page, next);
        path.push({ page: await this.#enter(child, page.id), next: 0 });
        if (path.length > DEPTH_MAX) throw this.#pages.fault(page.id, "a tree too deep", "less");
      }
    }
  }
}

function emptyBucket(name: string): BucketPages {
  return {
    name,
    isInline: false,
    branchPages: 0,
    branchOverflow: 0,
    branchBytes: 0,
    leafPages: 0,
    leafOverflow: 0,
    leafBytes: 0,
    inlineBytes: 0,
    rows: 0,
    depth: 0,
  };
}

/** To the end of the last element's bytes. */
function usedBytes({ bytes, count: elements, isLeaf }: Page): number {
  if (elements === 0) return PAGE_HEADER_BYTES;
  const at = PAGE_HEADER_BYTES + (elements - 1) * ELEMENT_BYTES;
  if (!isLeaf) return at + bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4);
  return at + [4, 8, 12].reduce((sum, field) => sum + bytes.readUInt32LE(at + field), 0);
}

function count(bucket: BucketPages, page: Page, depth: number, pageBytes: number): void {
  const used = usedBytes(page);
  const overflow = page.bytes.length / pageBytes - 1;
  bucket.depth = Math.max(bucket.depth, depth);
  if (page.isLeaf) bucket.rows += page.count;
  if (bucket.isInline) {
    bucket.inlineBytes += used;
  } else if (page.isLeaf) {
    bucket.leafPages += 1;
    bucket.leafOverflow += overflow;
    bucket.leafBytes += used;
  } else {
    bucket.branchPages += 1;
    bucket.branchOverflow += overflow;
    bucket.branchBytes += used;
  }
}
