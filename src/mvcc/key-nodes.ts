/**
 * The nodes of a KeyTree, and the search inside one.
 *
 * A search must not read the keys themselves: they are strings far apart in memory, and each costs
 * a cache miss or two. So a node keeps a head of each of its keys: the four bytes behind those that
 * all keys share which may ever stand there, as a number. The heads of a node lie side by side in
 * typed memory, and a key itself is read only where its head is equal.
 *
 * Shape: page = 64 heads i32 | 64 slots i32 (of a leaf; a branch uses the heads only).
 * Invariant: the separators on both sides of a node share its first `skip` bytes; a node that has
 * none on one side skips nothing.
 */
import { assert, type Key } from "../base/index.ts";
import type { KeySlots } from "./key-slots.ts";

/** Entries of a leaf, children of a branch. */
export const FANOUT = 64;
const PAGE_WORDS = 2 * FANOUT;
const CHUNK_PAGES = 64;
/** Heads are compared as signed numbers: this turns their order into that of unsigned bytes. */
const SIGN = 0x8000_0000;
/** No heads yet. */
const UNKNOWN = -1;

/** Gives each node its page of typed memory. */
export class NodePages {
  #words = new Int32Array(0);
  #base = 0;
  readonly #free: Page[] = [];

  take(): Page {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#base === this.#words.length) {
      this.#words = new Int32Array(CHUNK_PAGES * PAGE_WORDS);
      this.#base = 0;
    }
    const base = this.#base;
    this.#base += PAGE_WORDS;
    return { words: this.#words, base };
  }

  give(node: Node): void {
    this.#free.push({ words: node.words, base: node.base });
  }
}

interface Page {
  readonly words: Int32Array;
  /** Where the page begins in `words`. */
  readonly base: number;
}

export class Leaf {
  readonly isLeaf = true;
  readonly words: Int32Array;
  readonly base: number;
  /** Entries held. */
  count = 0;
  /** Bytes of a key in front of its head. */
  skip = UNKNOWN;
  live = 0;
  newest = 0;
  next: Leaf | undefined = undefined;
  previous: Leaf | undefined = undefined;

  constructor({ words, base }: Page) {
    this.words = words;
    this.base = base;
  }

  slotAt(position: number): number {
    return this.words[this.base + FANOUT + position] as number;
  }
}

export class Branch {
  readonly isLeaf = false;
  readonly words: Int32Array;
  readonly base: number;
  skip = 0;
  separators: Key[];
  children: Node[];
  live = 0;
  newest = 0;

  constructor({ words, base }: Page, separators: Key[], children: Node[]) {
    this.words = words;
    this.base = base;
    this.separators = separators;
    this.children = children;
  }
}

export type Node = Leaf | Branch;

/** Four bytes of `key` from `skip` on, as a number that sorts as they do; 0 where there is none. */
export function headOf(key: Key, skip: number): number {
  if (skip + 4 <= key.length) {
    return (
      ((key.charCodeAt(skip) << 24) |
        (key.charCodeAt(skip + 1) << 16) |
        (key.charCodeAt(skip + 2) << 8) |
        key.charCodeAt(skip + 3)) ^
      SIGN
    );
  }
  let head = 0;
  for (let at = skip; at < skip + 4; at += 1) {
    head = (head << 8) | (at < key.length ? key.charCodeAt(at) : 0);
  }
  return head ^ SIGN;
}

/** Where `key` is in the leaf; when it is not there, ~ of where it would be. */
export function searchLeaf(leaf: Leaf, keys: KeySlots, key: Key): number {
  const { words, base, count } = leaf;
  // Keys that come in order: the one behind all others is not searched for.
  if (leaf.next === undefined && count > 0 && keys.key(leaf.slotAt(count - 1)) < key) return ~count;
  const head = headOf(key, leaf.skip);
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = words[base + middle] as number;
    if (other < head) low = middle + 1;
    else if (other > head) high = middle;
    else {
      const found = keys.key(words[base + FANOUT + middle] as number);
      if (found === key) return middle;
      if (found < key) low = middle + 1;
      else high = middle;
    }
  }
  return ~low;
}

/** Position of the child that `key` belongs to. */
export function searchBranch(branch: Branch, key: Key): number {
  const { words, base, separators } = branch;
  const count = separators.length;
  const head = headOf(key, branch.skip);
  // At the ends of a level keys may well have one head; in order, they go to the last child.
  if (head === words[base + count - 1] && (separators[count - 1] as Key) <= key) return count;
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = words[base + middle] as number;
    if (other < head || (other === head && (separators[middle] as Key) <= key)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts an entry into a leaf that has room. */
export function insertEntry(leaf: Leaf, keys: KeySlots, position: number, slot: number): void {
  const { words, base, count } = leaf;
  for (let at = base + count; at > base + position; at -= 1) {
    words[at] = words[at - 1] as number;
    words[at + FANOUT] = words[at + FANOUT - 1] as number;
  }
  words[base + FANOUT + position] = slot;
  words[base + position] = headOf(keys.key(slot), leaf.skip);
  leaf.count = count + 1;
}

export function removeEntry(leaf: Leaf, position: number): void {
  const { words, base } = leaf;
  leaf.count -= 1;
  for (let at = base + position; at < base + leaf.count; at += 1) {
    words[at] = words[at + 1] as number;
    words[at + FANOUT] = words[at + FANOUT + 1] as number;
  }
}

/** Moves entries of `from` to the end of `to`: the one at `position` and all behind it. */
export function moveEntries(from: Leaf, position: number, to: Leaf): void {
  const source = from.base + position;
  const target = to.base + to.count;
  const moved = from.count - position;
  for (let at = 0; at < moved; at += 1) {
    to.words[target + at] = from.words[source + at] as number;
    to.words[target + FANOUT + at] = from.words[source + FANOUT + at] as number;
  }
  to.skip = to.count === 0 ? from.skip : UNKNOWN;
  to.count += moved;
  from.count = position;
}

/** Puts an entry at the end, without its head. */
export function appendSlot(leaf: Leaf, slot: number): void {
  leaf.words[leaf.base + FANOUT + leaf.count] = slot;
  leaf.count += 1;
}

/** Puts a separator into a branch that has room. */
export function insertSeparator(branch: Branch, position: number, separator: Key): void {
  const { words, base, separators } = branch;
  const end = base + separators.length;
  insertAt(separators, position, separator);
  for (let at = end; at > base + position; at -= 1) words[at] = words[at - 1] as number;
  words[base + position] = headOf(separator, branch.skip);
}

/** Sets the separators on both sides of a node, undefined where there is none. */
export function setFences(node: Node, keys: KeySlots, lo: Key | undefined, hi: Key | undefined) {
  const skip = lo === undefined || hi === undefined ? 0 : sharedBytes(lo, hi);
  if (!node.isLeaf) {
    node.skip = skip;
    refreshBranch(node);
    return;
  }
  // Most halves of a leaf share no more than the whole did.
  if (node.skip === skip) return;
  node.skip = skip;
  const { words, base, count } = node;
  for (let at = 0; at < count; at += 1) words[base + at] = headOf(keys.key(node.slotAt(at)), skip);
}

/** Makes the heads of a branch anew. */
export function refreshBranch(branch: Branch): void {
  const { words, base, separators, skip } = branch;
  for (let at = 0; at < separators.length; at += 1) {
    words[base + at] = headOf(separators[at] as Key, skip);
  }
}

/** Checks the heads of a node between two separators; for tests. */
export function verifyHeads(
  node: Node,
  keys: KeySlots,
  lo: Key | undefined,
  hi: Key | undefined,
): void {
  const skip = lo === undefined || hi === undefined ? 0 : sharedBytes(lo, hi);
  assert(node.skip <= skip, "no more is skipped than the separators share");
  const count = node.isLeaf ? node.count : node.separators.length;
  for (let at = 0; at < count; at += 1) {
    const key = node.isLeaf ? keys.key(node.slotAt(at)) : (node.separators[at] as Key);
    assert(node.words[node.base + at] === headOf(key, node.skip), "a head is its key's");
  }
}

/** How many bytes two keys have in common at their beginning. */
function sharedBytes(one: Key, other: Key): number {
  const end = Math.min(one.length, other.length);
  let at = 0;
  while (at < end && one.charCodeAt(at) === other.charCodeAt(at)) at += 1;
  return at;
}

/** By hand: `splice` would make an array of what it removed. */
export function insertAt<T>(items: T[], position: number, item: T): void {
  let at = items.length;
  items.push(item);
  for (; at > position; at -= 1) items[at] = items[at - 1] as T;
  items[position] = item;
}
