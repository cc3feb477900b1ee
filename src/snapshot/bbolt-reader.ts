/**
 * Reads the buckets of a bbolt file in order: a store of etcd's, or a snapshot of ours or theirs.
 *
 * Made for files that nobody vouches for. Every position is checked against its page, keys must
 * ascend over the whole bucket, and a page is entered once, so a walk ends after at most as many
 * steps as the file has pages. Nested buckets, which no etcd writes, are refused.
 */
import type { OpenFile } from "../seam/index.ts";
import { BUCKET_HEADER_BYTES, getU64 } from "./bbolt-format.ts";
import { childOf, type LeafRow, leafRows } from "./page-rows.ts";
import { type Page, PageSource } from "./page-source.ts";
import type { BucketRow } from "./types.ts";

const DEPTH_MAX = 64;

/** A place in the tree on the way down. */
interface Step {
  readonly page: Page;
  next: number;
}

export class BboltFile {
  readonly #pages: PageSource;
  /** Root bucket's rows: name to the bucket's header and inline page. */
  readonly #buckets = new Map<string, { value: Buffer; page: number }>();

  private constructor(pages: PageSource) {
    this.#pages = pages;
  }

  /**
   * Opens the file and reads the list of its buckets. With `reusesBuffers`, rows are good until the
   * next ones are asked for, and no longer. Throws SnapshotCorrupt.
   */
  static async open(file: OpenFile, options?: { reusesBuffers: boolean }): Promise<BboltFile> {
    const opened = new BboltFile(await PageSource.open(file, options?.reusesBuffers));
    const { rootPage } = opened.#pages.meta;
    for await (const { rows, page } of opened.#walk(await opened.#pages.read(rootPage, 0))) {
      for (const row of rows) {
        if (!row.isBucket || row.value.length < BUCKET_HEADER_BYTES) {
          throw opened.#pages.fault(page, "a row beside the buckets", "a bucket");
        }
        opened.#buckets.set(row.key.toString("utf8"), { value: Buffer.from(row.value), page });
      }
    }
    return opened;
  }

  /** In byte order. */
  get bucketNames(): string[] {
    return [...this.#buckets.keys()];
  }

  /** Bytes that the file's pages take; what follows them (a checksum) is no part of it. */
  get sizeBytes(): number {
    const { pageCount, pageBytes } = this.#pages.meta;
    return pageCount * pageBytes;
  }

  /**
   * The rows of a bucket in order, a page at a time; none for a bucket that is not there. Rows are
   * views of buffers that are not written again, but for `reusesBuffers`. Throws SnapshotCorrupt.
   */
  async *rows(bucket: string): AsyncGenerator<readonly BucketRow[], void, void> {
    const root = await this.#rootOf(bucket);
    if (root === undefined) return;
    for await (const { rows, page } of this.#walk(root)) {
      if (rows.some((row) => row.isBucket)) {
        throw this.#pages.fault(page, "a bucket inside a bucket", "a row");
      }
      yield rows;
    }
  }

  /** The last key of a bucket, without reading what is before it. Throws SnapshotCorrupt. */
  async lastKey(bucket: string): Promise<Buffer | undefined> {
    let page = await this.#rootOf(bucket);
    for (let depth = 0; page !== undefined && !page.isLeaf; depth += 1) {
      if (page.count === 0) throw this.#pages.fault(page.id, "a branch of nothing", "a branch");
      if (depth > DEPTH_MAX) throw this.#pages.fault(page.id, "a tree too deep", "less");
      page = await this.#pages.read(childOf(this.#pages, page, page.count - 1), page.id);
    }
    const last = page === undefined ? undefined : leafRows(this.#pages, page, undefined).at(-1);
    return last === undefined ? undefined : Buffer.from(last.key);
  }

  /** Undefined for a bucket that is not there. */
  async #rootOf(bucket: string): Promise<Page | undefined> {
    const found = this.#buckets.get(bucket);
    if (found === undefined) return undefined;
    const rootPage = getU64(found.value, 0);
    if (rootPage !== 0) return this.#pages.read(rootPage, found.page);
    return this.#pages.check(found.page, found.value.subarray(BUCKET_HEADER_BYTES));
  }

  async *#walk(root: Page): AsyncGenerator<{ rows: LeafRow[]; page: number }, void, void> {
    const entered = new Uint8Array(Math.ceil(this.#pages.meta.pageCount / 8));
    const path: Step[] = [{ page: root, next: 0 }];
    let newest: Buffer | undefined;
    for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
      const { page } = step;
      if (page.isLeaf) {
        path.pop();
        const rows = leafRows(this.#pages, page, newest);
        const last = rows.at(-1);
        if (last !== undefined) newest = Buffer.from(last.key);
        if (rows.length > 0) yield { rows, page: page.id };
      } else if (step.next === page.count) {
        path.pop();
      } else {
        const child = childOf(this.#pages, page, step.next);
        step.next += 1;
        path.push({ page: await this.#enter(child, page, entered), next: 0 });
        if (path.length > DEPTH_MAX) throw this.#pages.fault(page.id, "a tree too deep", "less");
      }
    }
  }

  async #enter(id: number, from: Page, entered: Uint8Array): Promise<Page> {
    const page = await this.#pages.read(id, from.id);
    const bit = 1 << (id & 7);
    if (((entered[id >>> 3] as number) & bit) !== 0) {
      throw this.#pages.fault(from.id, `page ${id} again`, "each page once");
    }
    entered[id >>> 3] = (entered[id >>> 3] as number) | bit;
    return page;
  }
}
