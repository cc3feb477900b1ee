/**
 * A look at LMDB's two meta pages before the library opens the file: it takes much of what stands
 * there on trust, and ends the process over what is no LMDB file at all.
 *
 * Source: MDB_page_header and MDB_meta in lmdb-js's liblmdb/mdb.c.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const META_BYTES = 160;
const FLAGS = 18;
const MAGIC = 24;
const VERSION = 28;
const PAGE_SIZE = 48;
const ROOT = 136;
const LAST_PAGE = 144;
const TRANSACTION = 152;

const META_PAGE_FLAG = 0x08;
const WANTED_MAGIC = 0xbeefc0de;
const WANTED_VERSION = 2;
const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 0x10000;
/** An empty tree has no root page. */
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

/** What stands there is no store's header. */
export class DamagedHeader extends Error {}

/**
 * The size of a page; undefined for a file that is missing or empty, since it is a new one. Throws
 * a DamagedHeader that says what was found.
 */
export function checkHeader(path: string): number | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { size } = fstatSync(descriptor);
    if (size === 0) return undefined;
    const first = readMeta(descriptor, 0, size);
    const second = readMeta(descriptor, first.pageSize, size);
    if (second.pageSize !== first.pageSize) {
      throw new DamagedHeader(
        `pages of ${first.pageSize} and of ${second.pageSize} bytes in one file`,
      );
    }
    const newest = first.transaction >= second.transaction ? first : second;
    if (newest.root !== NO_PAGE && newest.root * BigInt(newest.pageSize) >= BigInt(size)) {
      throw new DamagedHeader(`the file ends at byte ${size}, before its root page ${newest.root}`);
    }
    return first.pageSize;
  } finally {
    closeSync(descriptor);
  }
}

/** The two meta pages, and where the pages of the newest transaction end. */
export function readHead(descriptor: number): { head: Buffer; endByte: number } {
  const { size } = fstatSync(descriptor);
  const { pageSize } = readMeta(descriptor, 0, size);
  const head = Buffer.alloc(2 * pageSize);
  if (readSync(descriptor, head, 0, head.length, 0) !== head.length) {
    throw new DamagedHeader(`the file ends at byte ${size}, within its meta pages`);
  }
  const isSecond = head.readBigUInt64LE(pageSize + TRANSACTION) > head.readBigUInt64LE(TRANSACTION);
  const lastPage = head.readBigUInt64LE((isSecond ? pageSize : 0) + LAST_PAGE);
  return { head, endByte: (Number(lastPage) + 1) * pageSize };
}

function readMeta(
  descriptor: number,
  offset: number,
  size: number,
): { pageSize: number; root: bigint; transaction: bigint } {
  const bytes = Buffer.alloc(META_BYTES);
  if (readSync(descriptor, bytes, 0, META_BYTES, offset) !== META_BYTES) {
    throw new DamagedHeader(`the file ends at byte ${size}, within its meta pages`);
  }
  const magic = bytes.readUInt32LE(MAGIC);
  const isMeta = (bytes.readUInt16LE(FLAGS) & META_PAGE_FLAG) !== 0;
  if (!isMeta || magic !== WANTED_MAGIC) {
    throw new DamagedHeader(
      `no LMDB meta page at byte ${offset}: ` +
        `found ${magic.toString(16)}, wanted ${WANTED_MAGIC.toString(16)}`,
    );
  }
  const version = bytes.readUInt32LE(VERSION) & 0xffff;
  if (version !== WANTED_VERSION) {
    throw new DamagedHeader(`LMDB format ${version} found, ${WANTED_VERSION} wanted`);
  }
  const pageSize = bytes.readUInt32LE(PAGE_SIZE);
  const isPower = (pageSize & (pageSize - 1)) === 0;
  if (pageSize < PAGE_BYTES_MIN || pageSize > PAGE_BYTES_MAX || !isPower) {
    throw new DamagedHeader(`impossible page size ${pageSize} at byte ${offset + PAGE_SIZE}`);
  }
  const root = bytes.readBigUInt64LE(ROOT);
  return { pageSize, root, transaction: bytes.readBigUInt64LE(TRANSACTION) };
}
