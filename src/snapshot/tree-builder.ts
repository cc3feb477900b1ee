/**
 * Builds one B+tree of a bbolt file from sorted rows, bottom up, page after page.
 *
 * A page is given away as soon as it is full, and its parent, which knows the first keys of its
 * children, follows them when it is full itself. So page ids are handed out in the order in which
 * the pages stand in the file, a child's id is known before its parent is written, and only one
 * page of each level is in memory: a few pages for any number of rows.
 *
 * A leaf is a run of pages, filled to the brim: in single pages, three rows of 1 KiB would leave a
 * quarter of each unused, and a snapshot sends what it does not use too. A row that fits no run
 * gets a longer one; a branch holds two children at least (the last of a level may hold one), so
 * that levels shrink whatever the keys are.
 */
import { assert } from "../base/index.ts";
import {
  ELEMENT_BYTES,
  ELEMENTS_MAX,
  KEY_BYTES_MAX,
  LEAF_RUN_BYTES,
  PAGE_BYTES,
  PAGE_HEADER_BYTES,
  putU64,
} from "./bbolt-format.ts";

/** Whether one more element of `added` bytes is too much for a page that holds some. */
function isFull(isLeaf: boolean, bytes: number, count: number, added: number): boolean {
  if (count < (isLeaf ? 1 : 2)) return false;
  return bytes + added > (isLeaf ? LEAF_RUN_BYTES : PAGE_BYTES) || count === ELEMENTS_MAX;
}

export function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES);
}

interface CountedPage {
  bytes: number;
  count: number;
  firstKeyBytes: number;
}

/** Counts the pages that a tree takes from the lengths of its keys and values alone. */
export class TreeCounter {
  readonly #take: (pages: number) => number;
  readonly #levels: CountedPage[] = [{ bytes: PAGE_HEADER_BYTES, count: 0, firstKeyBytes: 0 }];
  rowCount = 0;

  /** `take` is told of each page and says which id it got. */
  constructor(take: (pages: number) => number) {
    this.#take = take;
  }

  add(keyBytes: number, valueBytes: number): void {
    this.rowCount += 1;
    this.#put(0, keyBytes, ELEMENT_BYTES + keyBytes + valueBytes);
  }

  /** The id of the tree's root. */
  finish(): number {
    for (let level = 0; ; level += 1) {
      const page = this.#levels[level] as CountedPage;
      if (level === this.#levels.length - 1) return this.#take(pagesOf(page.bytes));
      if (page.count > 0) this.#give(level);
    }
  }

  #put(level: number, keyBytes: number, added: number): void {
    if (level === this.#levels.length) {
      this.#levels.push({ bytes: PAGE_HEADER_BYTES, count: 0, firstKeyBytes: 0 });
    }
    const page = this.#levels[level] as CountedPage;
    if (isFull(level === 0, page.bytes, page.count, added)) this.#give(level);
    if (page.count === 0) page.firstKeyBytes = keyBytes;
    page.count += 1;
    page.bytes += added;
  }

  #give(level: number): void {
    const page = this.#levels[level] as CountedPage;
    this.#take(pagesOf(page.bytes));
    page.bytes = PAGE_HEADER_BYTES;
    page.count = 0;
    this.#put(level + 1, page.firstKeyBytes, ELEMENT_BYTES + page.firstKeyBytes);
  }
}

/** A page on its way out, its elements apart from their bytes. Borrowed while it is called with. */
export class PageDraft {
  readonly isLeaf: boolean;
  /** The elements: positions are relative to the beginning of `data` until the page is written. */
  elements: Buffer = Buffer.alloc(64 * ELEMENT_BYTES);
  /** Keys and values, in the order of the elements. */
  data: Buffer = Buffer.alloc(PAGE_BYTES);
  count = 0;
  dataBytes = 0;
  firstKey: Buffer = Buffer.alloc(0);

  constructor(isLeaf: boolean) {
    this.isLeaf = isLeaf;
  }

  get bytes(): number {
    return PAGE_HEADER_BYTES + this.count * ELEMENT_BYTES + this.dataBytes;
  }

  get pages(): number {
    return pagesOf(this.bytes);
  }

  clear(): void {
    this.count = 0;
    this.dataBytes = 0;
    // Room that one huge row needed is not kept for the small ones.
    if (this.data.length > 4 * LEAF_RUN_BYTES) this.data = Buffer.alloc(LEAF_RUN_BYTES);
  }

  addRow(key: Buffer, value: Uint8Array, valueBytes: number): void {
    const at = this.#place(key, valueBytes);
    const end = this.dataBytes;
    if (value instanceof Buffer) value.copy(this.data, end, 0, valueBytes);
    else this.data.set(value.subarray(0, valueBytes), end);
    this.dataBytes = end + valueBytes;
    this.elements.writeUInt32LE(end - key.length, at + 4);
    this.elements.writeUInt32LE(key.length, at + 8);
    this.elements.writeUInt32LE(valueBytes, at + 12);
  }

  addChild(key: Buffer, page: number): void {
    const at = this.#place(key, 0);
    this.elements.writeUInt32LE(this.dataBytes - key.length, at);
    this.elements.writeUInt32LE(key.length, at + 4);
    putU64(this.elements, at + 8, page);
  }

  /** Makes room for an element and puts its key; the place of the element. */
  #place(key: Buffer, valueBytes: number): number {
    const at = this.count * ELEMENT_BYTES;
    if (at === this.elements.length) this.elements = grown(this.elements, 2 * at);
    const wanted = this.dataBytes + key.length + valueBytes;
    if (wanted > this.data.length) this.data = grown(this.data, wanted + wanted / 4);
    if (this.count === 0) this.firstKey = Buffer.from(key);
    this.count += 1;
    key.copy(this.data, this.dataBytes);
    this.dataBytes += key.length;
    return at;
  }
}

/** Takes a page and says which id it got. */
export type PageSink = (page: PageDraft) => number;

export class TreeBuilder {
  readonly #sink: PageSink;
  /** The page being filled at each level, leaves first. */
  readonly #levels: PageDraft[] = [new PageDraft(true)];
  readonly #newest = Buffer.alloc(KEY_BYTES_MAX);
  #newestBytes = 0;
  rowCount = 0;

  constructor(sink: PageSink) {
    this.#sink = sink;
  }

  /**
   * Adds the next row; what is given is copied. Throws when it does not come after the one before
   * or bbolt has no place for it.
   */
  add(key: Buffer, value: Uint8Array, valueBytes = value.length): void {
    if (key.length === 0 || key.length > KEY_BYTES_MAX) {
      throw new Error(`a bbolt key has 1 to ${KEY_BYTES_MAX} bytes, this one ${key.length}`);
    }
    if (this.#newestBytes > 0 && key.compare(this.#newest, 0, this.#newestBytes) <= 0) {
      const before = this.#newest.toString("hex", 0, this.#newestBytes);
      throw new Error(`row ${key.toString("hex")} comes after row ${before}`);
    }
    this.#newestBytes = key.copy(this.#newest);
    this.rowCount += 1;
    const leaf = this.#levels[0] as PageDraft;
    const added = ELEMENT_BYTES + key.length + valueBytes;
    if (isFull(true, leaf.bytes, leaf.count, added)) this.#give(0);
    leaf.addRow(key, value, valueBytes);
  }

  /** Gives away what is left; the id of the tree's root. */
  finish(): number {
    for (let level = 0; ; level += 1) {
      const page = this.#levels[level] as PageDraft;
      if (level === this.#levels.length - 1) return this.#sink(page);
      if (page.count > 0) this.#give(level);
    }
  }

  /** The page of a level is full: into the file with it, and its first key into the level above. */
  #give(level: number): void {
    const page = this.#levels[level] as PageDraft;
    assert(page.count > 0, "a page below a branch is not empty");
    const id = this.#sink(page);
    const key = page.firstKey;
    page.clear();
    if (level + 1 === this.#levels.length) this.#levels.push(new PageDraft(false));
    const parent = this.#levels[level + 1] as PageDraft;
    if (isFull(false, parent.bytes, parent.count, ELEMENT_BYTES + key.length)) {
      this.#give(level + 1);
    }
    parent.addChild(key, id);
  }
}

function grown(bytes: Buffer, count: number): Buffer {
  const larger = Buffer.alloc(Math.ceil(count));
  bytes.copy(larger);
  return larger;
}
