/**
 * Walks the pages of an LMDB file and checks whatever the library takes on trust. LMDB reads its
 * file as memory: one flipped byte in a page's head, a node's length or a page number can end the
 * process, let it run in circles, or give away a page that is in use. Rows are checked by their own
 * checksums, when they are read; this is about what leads to them.
 *
 * Source: MDB_page_header, MDB_node, MDB_ovpage and MDB_db in lmdb-js's liblmdb/mdb.c,
 * little-endian and with 8-byte page numbers; free lists as mdb_midl_xmerge reads them.
 */
import type { PageFile } from "./page-file.ts";
import { KEY_BYTES_MAX } from "./types.ts";

/** What stands there is not what LMDB writes. */
export class DamagedPages extends Error {}

export interface Tree {
  readonly flags: number;
  readonly depth: number;
  readonly branchPages: number;
  readonly leafPages: number;
  readonly overflowPages: number;
  readonly entries: number;
  readonly root: number;
}

export const TREE_BYTES = 48;
const NO_ROOT = 0xffff_ffff_ffff_ffffn;
/** Keys in another order, or several values of a key: no table of ours. */
const ORDER_FLAGS = 0x7e;
const DEPTH_MAX = 32;

const PAGE_HEADER_BYTES = 24;
const NODE_HEADER_BYTES = 8;
const OVERFLOW_BYTES = 24;
const BRANCH = 0x01;
const LEAF = 0x02;
const OVERFLOW = 0x04;
const NODE_BIG = 0x01;
const NODE_TREE = 0x02;

/** The record of a tree at `at`; `orderFlags` are those that its keys must have. */
export function readTree(bytes: Buffer, at: number, orderFlags: number): Tree {
  const root = bytes.readBigUInt64LE(at + 40);
  const tree = {
    flags: bytes.readUInt16LE(at + 4),
    depth: bytes.readUInt16LE(at + 6),
    branchPages: readNumber(bytes, at + 8),
    leafPages: readNumber(bytes, at + 16),
    overflowPages: readNumber(bytes, at + 24),
    entries: readNumber(bytes, at + 32),
    root: root === NO_ROOT ? -1 : Number(root),
  };
  if ((tree.flags & ORDER_FLAGS) !== orderFlags) fail(`a tree with flags ${tree.flags}`);
  if (tree.depth > DEPTH_MAX) fail(`a tree of depth ${tree.depth}`);
  const isEmpty = tree.root < 0;
  if (isEmpty !== (tree.depth === 0) || isEmpty !== (tree.entries === 0)) {
    fail(`a tree of depth ${tree.depth} with ${tree.entries} rows, its root is page ${tree.root}`);
  }
  return tree;
}

export interface LeafVisitor {
  /** A row that lies in the page itself: its bounds in `page`. */
  row?(page: Buffer, key: readonly [number, number], value: readonly [number, number]): void;
  /** A value that has pages of its own. */
  large?(page: number, valueBytes: number): void;
  /** The root of another tree. */
  tree?(key: string, tree: Tree): void;
}

export interface WalkOptions {
  readonly file: PageFile;
  /** The newest transaction: no page is younger. */
  readonly transaction: number;
  /** Of the last page. */
  readonly lastPage: number;
  /** One for each page: whether some tree or list has it already. */
  readonly taken: Uint8Array;
}

/** Where keys of a page must lie. */
interface Bounds {
  readonly lo: Buffer | undefined;
  readonly hi: Buffer | undefined;
}

/** Walks trees of one file, in the order of their keys. Throws DamagedPages. */
export class PageWalk {
  readonly #options: WalkOptions;
  #branchPages = 0;
  #leafPages = 0;
  #overflowPages = 0;
  #entries = 0;

  constructor(options: WalkOptions) {
    this.#options = options;
  }

  /** `visitor` undefined: pages with rows are not read, unless the root is one. */
  walk(name: string, tree: Tree, visitor: LeafVisitor | undefined): void {
    this.#branchPages = 0;
    this.#leafPages = 0;
    this.#overflowPages = 0;
    this.#entries = 0;
    if (tree.root < 0) return;
    const everywhere = { lo: undefined, hi: undefined };
    this.#page(tree.root, tree.depth, everywhere, { name, visitor, isIntegerKey: name === FREE });
    const isRead = visitor !== undefined;
    const found = [this.#branchPages, this.#leafPages];
    const wanted = [tree.branchPages, tree.leafPages];
    if (isRead) {
      found.push(this.#overflowPages, this.#entries);
      wanted.push(tree.overflowPages, tree.entries);
    }
    if (found.some((count, at) => count !== wanted[at])) {
      fail(`${name} has ${found.join(", ")} pages and rows, and says ${wanted.join(", ")}`);
    }
  }

  /** Marks pages as taken. */
  take(page: number, count: number): void {
    const { lastPage, taken } = this.#options;
    if (!(page >= 2 && count >= 1 && page + count - 1 <= lastPage)) {
      fail(`pages ${page} to ${page + count - 1} of 2 to ${lastPage}`);
    }
    for (let at = page; at < page + count; at += 1) {
      if (taken[at] !== 0) fail(`page ${at} is in use twice`);
      taken[at] = 1;
    }
  }

  #page(page: number, height: number, bounds: Bounds, of: WalkedTree): void {
    this.take(page, 1);
    if (height > 1) {
      this.#branchPages += 1;
      return this.#branch(page, height, bounds, of);
    }
    this.#leafPages += 1;
    if (of.visitor !== undefined) this.#leaf(page, bounds, of, of.visitor);
  }

  #branch(page: number, height: number, bounds: Bounds, of: WalkedTree): void {
    const bytes = this.#read(page, BRANCH);
    const count = nodesOf(bytes, page);
    if (count < 2) fail(`branch page ${page} has ${count} children`);
    const keys: (Buffer | undefined)[] = [];
    const children: number[] = [];
    let usedBytes = 0;
    for (let node = 0; node < count; node += 1) {
      const at = nodeAt(bytes, node, page);
      const keyBytes = bytes.readUInt16LE(at + 6);
      const end = at + NODE_HEADER_BYTES + keyBytes;
      if (end > bytes.length) fail(`page ${page}: node ${node} ends at ${end}`);
      usedBytes += even(NODE_HEADER_BYTES + keyBytes);
      // The first stands for everything below the second.
      keys.push(node === 0 ? bounds.lo : bytes.subarray(at + NODE_HEADER_BYTES, end));
      children.push(bytes.readUInt32LE(at) + bytes.readUInt16LE(at + 4) * 0x1_0000_0000);
    }
    checkUsed(bytes, usedBytes, page);
    for (let node = 0; node < count; node += 1) {
      const hi = node + 1 < count ? keys[node + 1] : bounds.hi;
      const child = { lo: keys[node], hi };
      if (node > 0 && !isWithin(keys[node] as Buffer, bounds, of)) {
        fail(`page ${page}: key ${node} lies outside`);
      }
      if (!isAscending(child, of)) fail(`page ${page}: key ${node + 1} does not ascend`);
      this.#page(children[node] as number, height - 1, child, of);
    }
  }

  #leaf(page: number, bounds: Bounds, of: WalkedTree, visitor: LeafVisitor): void {
    const bytes = this.#read(page, LEAF);
    const count = nodesOf(bytes, page);
    let usedBytes = 0;
    let previousLo = 0;
    let previousHi = 0;
    for (let node = 0; node < count; node += 1) {
      const at = nodeAt(bytes, node, page);
      const flags = bytes.readUInt16LE(at + 4);
      const keyLo = at + NODE_HEADER_BYTES;
      const keyHi = keyLo + bytes.readUInt16LE(at + 6);
      const valueBytes = bytes.readUInt32LE(at);
      const end = keyHi + (flags === NODE_BIG ? OVERFLOW_BYTES : valueBytes);
      if (keyHi - keyLo > KEY_BYTES_MAX || keyHi === keyLo || end > bytes.length) {
        fail(`page ${page}: row ${node} has ${keyHi - keyLo} and ${valueBytes} bytes`);
      }
      usedBytes += even(end - at);
      const isAfter =
        node === 0 || compare(bytes, previousLo, previousHi, bytes, keyLo, keyHi, of) < 0;
      if (!isAfter) fail(`page ${page}: key ${node} does not ascend`);
      previousLo = keyLo;
      previousHi = keyHi;
      if (flags === NODE_BIG) this.#large(bytes, keyHi, valueBytes, visitor);
      else if (flags === NODE_TREE) subtree(bytes, [keyLo, keyHi], valueBytes, visitor);
      else if (flags !== 0) fail(`page ${page}: row ${node} has flags ${flags}`);
      else visitor.row?.(bytes, [keyLo, keyHi], [keyHi, end]);
    }
    checkUsed(bytes, usedBytes, page);
    this.#entries += count;
    checkEnds(bytes, count, { page, bounds, of, previousLo, previousHi });
  }

  #large(bytes: Buffer, at: number, valueBytes: number, visitor: LeafVisitor): void {
    const page = readNumber(bytes, at);
    const transaction = readNumber(bytes, at + 8);
    const count = readNumber(bytes, at + 16);
    const { file } = this.#options;
    if (transaction > this.#options.transaction) fail(`a value of transaction ${transaction}`);
    if (PAGE_HEADER_BYTES + valueBytes > count * file.pageBytes) {
      fail(`a value of ${valueBytes} bytes on ${count} pages`);
    }
    this.take(page, count);
    const head = this.#read(page, OVERFLOW);
    if (head.readUInt32LE(20) !== count) fail(`page ${page}: not the first of ${count}`);
    if ((page + count) * file.pageBytes > file.sizeBytes) fail(`page ${page}: the file ends there`);
    this.#overflowPages += count;
    visitor.large?.(page, valueBytes);
  }

  #read(page: number, kind: number): Buffer {
    const bytes = this.#options.file.read(page);
    if (bytes === undefined) fail(`page ${page} lies behind the file's end`);
    const found = readNumber(bytes, 0);
    if (found !== page) fail(`page ${page} says that it is page ${found}`);
    const transaction = readNumber(bytes, 8);
    if (transaction > this.#options.transaction) {
      fail(`page ${page} is of transaction ${transaction}`);
    }
    const flags = bytes.readUInt16LE(18);
    if (flags !== kind) fail(`page ${page} is of kind ${flags}, wanted ${kind}`);
    return bytes;
  }
}

interface WalkedTree {
  readonly name: string;
  readonly visitor: LeafVisitor | undefined;
  /** Keys are 8 bytes, in the order of the numbers they stand for. */
  readonly isIntegerKey: boolean;
}

/** The tree of free pages. */
export const FREE = "the free list";

function subtree(
  bytes: Buffer,
  [keyLo, keyHi]: readonly [number, number],
  valueBytes: number,
  visitor: LeafVisitor,
): void {
  if (visitor.tree === undefined || valueBytes !== TREE_BYTES) fail("a tree within a table");
  visitor.tree(bytes.latin1Slice(keyLo, keyHi), readTree(bytes, keyHi, 0));
}

/** The number of nodes of a page; the bounds of its free space are right. */
function nodesOf(bytes: Buffer, page: number): number {
  const lower = bytes.readUInt16LE(20);
  const upper = bytes.readUInt16LE(22);
  const isRight = lower % 2 === 0 && lower <= upper && PAGE_HEADER_BYTES + upper <= bytes.length;
  if (!isRight || lower === 0) fail(`page ${page}: free space from ${lower} to ${upper}`);
  return lower / 2;
}

function nodeAt(bytes: Buffer, node: number, page: number): number {
  const offset = bytes.readUInt16LE(PAGE_HEADER_BYTES + 2 * node);
  const upper = bytes.readUInt16LE(22);
  const at = PAGE_HEADER_BYTES + offset;
  if (offset < upper || offset % 2 !== 0 || at + NODE_HEADER_BYTES > bytes.length) {
    fail(`page ${page}: node ${node} at ${offset}`);
  }
  return at;
}

/** Nodes lie side by side up to the page's end. */
function checkUsed(bytes: Buffer, usedBytes: number, page: number): void {
  const wanted = bytes.length - PAGE_HEADER_BYTES - bytes.readUInt16LE(22);
  if (usedBytes !== wanted) fail(`page ${page}: ${usedBytes} bytes in use, wanted ${wanted}`);
}

function checkEnds(
  bytes: Buffer,
  count: number,
  at: {
    page: number;
    bounds: Bounds;
    of: WalkedTree;
    previousLo: number;
    previousHi: number;
  },
): void {
  const { page, bounds, of, previousLo, previousHi } = at;
  const first = nodeAt(bytes, 0, page) + NODE_HEADER_BYTES;
  const firstHi = first + bytes.readUInt16LE(first - 2);
  const { lo, hi } = bounds;
  const isLow = lo !== undefined && compare(bytes, first, firstHi, lo, 0, lo.length, of) < 0;
  const isHigh =
    hi !== undefined && compare(bytes, previousLo, previousHi, hi, 0, hi.length, of) >= 0;
  if (isLow || isHigh) fail(`page ${page}: its ${count} keys belong elsewhere`);
}

function isWithin(key: Buffer, { lo, hi }: Bounds, of: WalkedTree): boolean {
  const isLow = lo !== undefined && compare(key, 0, key.length, lo, 0, lo.length, of) < 0;
  const isHigh = hi !== undefined && compare(key, 0, key.length, hi, 0, hi.length, of) >= 0;
  return !isLow && !isHigh;
}

function isAscending({ lo, hi }: Bounds, of: WalkedTree): boolean {
  if (lo === undefined || hi === undefined) return true;
  return compare(lo, 0, lo.length, hi, 0, hi.length, of) < 0;
}

function compare(
  a: Buffer,
  aLo: number,
  aHi: number,
  b: Buffer,
  bLo: number,
  bHi: number,
  { isIntegerKey }: WalkedTree,
): number {
  if (!isIntegerKey) return a.compare(b, bLo, bHi, aLo, aHi);
  if (aHi - aLo !== 8 || bHi - bLo !== 8) fail("a key of the free list is no number");
  return readNumber(a, aLo) - readNumber(b, bLo);
}

/** Exact below 2^53; whatever is larger is beyond every limit here. */
export function readNumber(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000;
}

function even(count: number): number {
  return count + (count % 2);
}

export function fail(what: string): never {
  throw new DamagedPages(what);
}
