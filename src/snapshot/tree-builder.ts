/**
 * Builds one B+tree of a bbolt file from sorted rows, bottom up, page after page.
 *
 * A page is given away as soon as it is full, and its parent, which knows the first keys of its
 * children, follows them when it is full itself. So page ids are handed out in the order in which
 * the pages stand in the file, a child's id is known before its parent is written, and only one
 * page of each level is in memory: a few pages for any number of rows.
 *
 * Pages are filled to the brim. A row that fits no page gets one with overflow; a branch holds two
 * children at least (the last of a level may hold one), so that levels shrink whatever the keys
 * are.
 */
import { assert } from "../base/index.ts";
import {
  ELEMENT_BYTES,
  ELEMENTS_MAX,
  KEY_BYTES_MAX,
  PAGE_BYTES,
  PAGE_HEADER_BYTES,
} from "./bbolt-format.ts";

/** A page on its way out. Borrowed for the time of the call. */
export class PageDraft {
  readonly isLeaf: boolean;
  keys: Buffer[] = [];
  /** Values of a leaf. */
  values: Buffer[] = [];
  /** Children of a branch. */
  children: number[] = [];
  bytes = PAGE_HEADER_BYTES;

  constructor(isLeaf: boolean) {
    this.isLeaf = isLeaf;
  }

  get count(): number {
    return this.keys.length;
  }

  /** Pages that it takes in the file. */
  get pages(): number {
    return Math.ceil(this.bytes / PAGE_BYTES);
  }

  clear(): void {
    this.keys = [];
    this.values = [];
    this.children = [];
    this.bytes = PAGE_HEADER_BYTES;
  }
}

/** Takes a page and says which id it got. */
export type PageSink = (page: PageDraft) => number;

export class TreeBuilder {
  readonly #sink: PageSink;
  /** The page being filled at each level, leaves first. */
  readonly #levels: PageDraft[] = [new PageDraft(true)];
  #newest: Buffer | undefined;
  rowCount = 0;

  constructor(sink: PageSink) {
    this.#sink = sink;
  }

  /**
   * Adds the next row. Throws when it does not come after the one before or bbolt has no place for
   * it.
   */
  add(key: Buffer, value: Buffer): void {
    if (key.length === 0 || key.length > KEY_BYTES_MAX) {
      throw new Error(`a bbolt key has 1 to ${KEY_BYTES_MAX} bytes, this one ${key.length}`);
    }
    if (this.#newest !== undefined && key.compare(this.#newest) <= 0) {
      throw new Error(`row ${key.toString("hex")} comes after row ${this.#newest.toString("hex")}`);
    }
    this.#newest = key;
    this.rowCount += 1;
    const leaf = this.#levels[0] as PageDraft;
    const added = ELEMENT_BYTES + key.length + value.length;
    if (leaf.count > 0 && isFull(leaf, added)) this.#give(0);
    leaf.keys.push(key);
    leaf.values.push(value);
    leaf.bytes += added;
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
    const key = page.keys[0];
    assert(key !== undefined, "a page below a branch is not empty");
    const id = this.#sink(page);
    page.clear();
    if (level + 1 === this.#levels.length) this.#levels.push(new PageDraft(false));
    const parent = this.#levels[level + 1] as PageDraft;
    const added = ELEMENT_BYTES + key.length;
    if (parent.count > 1 && isFull(parent, added)) this.#give(level + 1);
    parent.keys.push(key);
    parent.children.push(id);
    parent.bytes += added;
  }
}

function isFull(page: PageDraft, added: number): boolean {
  return page.bytes + added > PAGE_BYTES || page.count === ELEMENTS_MAX;
}
