/**
 * Whether LMDB may be let at a file: its meta pages, all of its trees, its list of free pages, and
 * that each page belongs to one of them alone.
 *
 * Source: MDB_meta in lmdb-js's liblmdb/mdb.c; which of the two metas counts is mdb_pick_meta's
 * choice, and the same here.
 */
import { checkHeader } from "./lmdb-header.ts";
import { TABLE_NAMES } from "./overlay.ts";
import { DiskPageFile, LARGE_PIECE_BYTES, type PageFile } from "./page-file.ts";
import {
  fail,
  FREE,
  type LeafVisitor,
  PageWalk,
  readNumber,
  readTree,
  type Tree,
  TREE_BYTES,
} from "./page-tree.ts";
import type { Table } from "./types.ts";

const FLAGS = 18;
const META = 0x08;
const MAP_BYTES = 40;
const FREE_TREE = 48;
const MAIN_TREE = FREE_TREE + TREE_BYTES;
const LAST_PAGE = 144;
const TRANSACTION = 152;
/** Keys of the free list are transactions. */
const INTEGER_KEYS = 0x08;
const ENCRYPTED = 0x2000;
/** More can be no length of a map; transactions and page numbers beyond are as impossible. */
const NUMBER_MAX = 2 ** 46;
/** As lmdb-js writes the names of tables: C strings. */
const nameOf = (table: Table): string => `${table}\0`;
const NAMES: ReadonlySet<string> = new Set(TABLE_NAMES.map(nameOf));
const KEYS = nameOf("key");

/**
 * "structure": all but the pages that hold rows of table `key`, which are nearly all of a large
 * file: their numbers are known, they are not read. "whole": those as well.
 */
export type PageCheck = "structure" | "whole";

interface MetaPage {
  readonly transaction: number;
  readonly lastPage: number;
  readonly free: Tree;
  readonly main: Tree;
}

/** Throws DamagedHeader or DamagedPages. A file that is not there has nothing wrong. */
export function checkFile(path: string, check: PageCheck): void {
  const pageBytes = checkHeader(path);
  if (pageBytes === undefined) return;
  const pieceBytes = check === "whole" ? LARGE_PIECE_BYTES : pageBytes;
  const file = new DiskPageFile(path, pageBytes, pieceBytes);
  try {
    checkPages(file, check);
  } finally {
    file.close();
  }
}

/** Throws DamagedPages. The header's magic, version and page size are known to be right. */
export function checkPages(file: PageFile, check: PageCheck): void {
  const metas = [readMetaPage(file, 0), readMetaPage(file, 1)] as const;
  const newest = metas[0].transaction >= metas[1].transaction ? 0 : 1;
  const { transaction, lastPage, free, main } = metas[newest];
  // Readers find the meta page of a transaction by its lowest bit.
  if (transaction % 2 !== newest) fail(`transaction ${transaction} in meta page ${newest}`);
  const taken = new Uint8Array(lastPage + 1);
  const walk = new PageWalk({ file, transaction, lastPage, taken });
  const tables = new Map<string, Tree>();
  walk.walk("the list of tables", main, {
    row: () => fail("a row beside the tables"),
    large: () => fail("a row beside the tables"),
    tree: (name, tree) => tables.set(name, tree),
  });
  for (const [name, tree] of tables) {
    if (!NAMES.has(name)) fail(`a table "${name}"`);
    const isRead = check === "whole" || name !== KEYS || tree.depth < 2;
    walk.walk(`table ${name.slice(0, -1)}`, tree, isRead ? {} : undefined);
  }
  const list = new FreeList(file, walk, transaction);
  walk.walk(FREE, free, list);
  list.take();
}

function readMetaPage(file: PageFile, page: number): MetaPage {
  const bytes = file.read(page);
  if (bytes === undefined) fail(`the file ends before meta page ${page}`);
  if (bytes.readUInt16LE(FLAGS) !== META) fail(`meta page ${page} is of another kind`);
  const isEncrypted = (bytes.readUInt16LE(FREE_TREE + 4) & ENCRYPTED) !== 0;
  const mapBytes = readNumber(bytes, MAP_BYTES);
  const lastPage = readNumber(bytes, LAST_PAGE);
  const transaction = readNumber(bytes, TRANSACTION);
  const isRight =
    !isEncrypted &&
    mapBytes <= NUMBER_MAX &&
    transaction <= NUMBER_MAX &&
    lastPage >= 1 &&
    lastPage <= lastPossible(file, bytes);
  if (!isRight) fail(`meta page ${page}: ${lastPage} pages, ${mapBytes} bytes, ${transaction}`);
  return {
    transaction,
    lastPage,
    free: readTree(bytes, FREE_TREE, INTEGER_KEYS),
    main: readTree(bytes, MAIN_TREE, 0),
  };
}

/** Pages that were given back at once, or never written, may lie behind the file's end. */
function lastPossible({ sizeBytes, pageBytes }: PageFile, meta: Buffer): number {
  const ofFile = Math.ceil(sizeBytes / pageBytes);
  return Math.max(ofFile, Math.min(2 * ofFile, readNumber(meta, MAP_BYTES) / pageBytes)) + 64;
}

/** Lists of pages by the transaction that freed them: n, then n numbers; -c before c in a row. */
class FreeList implements LeafVisitor {
  readonly #file: PageFile;
  readonly #walk: PageWalk;
  readonly #transaction: number;
  readonly #runs: (readonly [page: number, count: number])[] = [];

  constructor(file: PageFile, walk: PageWalk, transaction: number) {
    this.#file = file;
    this.#walk = walk;
    this.#transaction = transaction;
  }

  row(page: Buffer, key: readonly [number, number], value: readonly [number, number]): void {
    const freedBy = readNumber(page, key[0]);
    if (freedBy > this.#transaction || freedBy < 1) fail(`pages freed by transaction ${freedBy}`);
    this.#list(page, value[0], value[1] - value[0]);
  }

  large(first: number, valueBytes: number): void {
    const { pageBytes } = this.#file;
    const pages: Buffer[] = [];
    for (let at = first; (at - first) * pageBytes < valueBytes + 24; at += 1) {
      pages.push(this.#file.read(at) ?? fail(`page ${at} lies behind the file's end`));
    }
    this.#list(Buffer.concat(pages), 24, valueBytes);
  }

  #list(bytes: Buffer, at: number, valueBytes: number): void {
    const count = valueBytes < 8 ? Number.NaN : readNumber(bytes, at);
    if (!(8 * (count + 1) <= valueBytes)) fail(`a list of ${count} pages in ${valueBytes} bytes`);
    for (let entry = 1; entry <= count; entry += 1) {
      const number = bytes.readBigInt64LE(at + 8 * entry);
      if (number === 0n) continue;
      if (number > 0n) {
        this.#runs.push([Number(number), 1]);
        continue;
      }
      entry += 1;
      if (entry > count) fail("a list of free pages ends within a run");
      this.#runs.push([readNumber(bytes, at + 8 * entry), Number(-number)]);
    }
  }

  /** Once every tree has its pages. */
  take(): void {
    for (const [page, count] of this.#runs) this.#walk.take(page, count);
  }
}
