/** What a leaf or a branch of a bbolt file holds, each position checked against its page. */
import { ELEMENT_BYTES, getU64, LEAF_FLAG_BUCKET, PAGE_HEADER_BYTES } from "./bbolt-format.ts";
import type { Page, PageSource } from "./page-source.ts";
import type { BucketRow } from "./types.ts";

export interface LeafRow extends BucketRow {
  readonly isBucket: boolean;
}

/** Rows are views of the page. `newestBefore` is the last key before it; keys must ascend. */
export function leafRows(
  pages: PageSource,
  page: Page,
  newestBefore: Buffer | undefined,
): LeafRow[] {
  const rows: LeafRow[] = [];
  let newest = newestBefore;
  for (let position = 0; position < page.count; position += 1) {
    const at = PAGE_HEADER_BYTES + position * ELEMENT_BYTES;
    const flags = page.bytes.readUInt32LE(at);
    const keyAt = at + page.bytes.readUInt32LE(at + 4);
    const valueAt = keyAt + page.bytes.readUInt32LE(at + 8);
    const end = valueAt + page.bytes.readUInt32LE(at + 12);
    if (end > page.bytes.length) {
      const wanted = `at most ${page.bytes.length}`;
      throw pages.fault(page.id, `a row that ends at ${end}`, wanted, at);
    }
    const key = page.bytes.subarray(keyAt, valueAt);
    if (newest !== undefined && key.compare(newest) <= 0) {
      const found = `key ${shown(key)} after ${shown(newest)}`;
      throw pages.fault(page.id, found, "ascending keys", at);
    }
    newest = key;
    const isBucket = (flags & LEAF_FLAG_BUCKET) !== 0;
    rows.push({ key, value: page.bytes.subarray(valueAt, end), isBucket });
  }
  return rows;
}

/** The page that a branch's element leads to. */
export function childOf(pages: PageSource, page: Page, position: number): number {
  return getU64(page.bytes, branchKey(pages, page, position).at + 8);
}

/** The key of a branch's element, a view; and where the element stands. */
export function branchKey(
  pages: PageSource,
  page: Page,
  position: number,
): { readonly key: Buffer; readonly at: number } {
  const at = PAGE_HEADER_BYTES + position * ELEMENT_BYTES;
  const keyAt = at + page.bytes.readUInt32LE(at);
  const end = keyAt + page.bytes.readUInt32LE(at + 4);
  if (end > page.bytes.length) {
    throw pages.fault(page.id, `a key that ends at ${end}`, "less", at);
  }
  return { key: page.bytes.subarray(keyAt, end), at };
}

function shown(key: Buffer): string {
  const text = key.toString("hex", 0, 32);
  return key.length > 32 ? `${text}...` : text;
}
