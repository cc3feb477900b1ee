/**
 * The layout of a bbolt file, as far as a reader and a writer of whole files need it.
 *
 * Shape, little-endian: page = id u64, flags u16, count u16, overflow u32, then `count` elements of
 *   16 bytes, then the bytes that they point to. A page with overflow goes on over that many pages.
 *   Leaf element: flags u32, position u32 (from the element's own start), key bytes u32, value
 *   bytes u32. Branch element: position u32, key bytes u32, child page u64.
 *   A bucket is a leaf element with flag 1 whose value is root page u64, sequence u64; a root of 0
 *   means that its only page follows inside the value.
 *   Meta, after the header of pages 0 and 1: magic, version, page size, flags (u32 each), root
 *   page, root sequence, freelist page, page count, transaction (u64 each), FNV-1a of all that.
 * Source: bbolt's file format as its tools print it; checked against files of real etcd.
 */
export const PAGE_BYTES = 4096;
export const PAGE_HEADER_BYTES = 16;
export const ELEMENT_BYTES = 16;
export const BUCKET_HEADER_BYTES = 16;
export const PageFlag = { BRANCH: 0x01, LEAF: 0x02, META: 0x04, FREELIST: 0x10 } as const;
export const LEAF_FLAG_BUCKET = 0x01;
export const MAGIC = 0xed0c_daed;
export const VERSION = 2;
/** Bytes of the meta before its checksum. */
export const META_BYTES = 56;
/** bbolt refuses longer keys. */
export const KEY_BYTES_MAX = 32_768;
/** A leaf's or branch's elements are counted in 16 bits. */
export const ELEMENTS_MAX = 65_535;

/** A leaf with its overflow, as the writer fills it; a reader takes any. */
export const LEAF_RUN_BYTES = 32 * 1024;

/** FNV-1a, 64 bits. */
export function fnv1a64(bytes: Uint8Array, lo: number, hi: number): bigint {
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (let at = lo; at < hi; at += 1) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(bytes[at] as number)) * 0x100_0000_01b3n);
  }
  return hash;
}

export interface Meta {
  readonly pageBytes: number;
  readonly rootPage: number;
  readonly freelistPage: number;
  /** Pages that the file has, the metas included. */
  readonly pageCount: number;
  readonly transaction: number;
}

/** Writes one meta page, header included, into the first bytes of `into`. */
export function putMetaPage(into: Buffer, id: number, meta: Meta): void {
  putPageHeader(into, 0, { id, flags: PageFlag.META, count: 0, overflow: 0 });
  into.writeUInt32LE(MAGIC, 16);
  into.writeUInt32LE(VERSION, 20);
  into.writeUInt32LE(meta.pageBytes, 24);
  into.writeUInt32LE(0, 28);
  putU64(into, 32, meta.rootPage);
  putU64(into, 40, 0);
  putU64(into, 48, meta.freelistPage);
  putU64(into, 56, meta.pageCount);
  putU64(into, 64, meta.transaction);
  const checksum = fnv1a64(into, PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + META_BYTES);
  into.writeBigUInt64LE(checksum, PAGE_HEADER_BYTES + META_BYTES);
}

export function putPageHeader(
  into: Buffer,
  at: number,
  page: { id: number; flags: number; count: number; overflow: number },
): void {
  putU64(into, at, page.id);
  into.writeUInt16LE(page.flags, at + 8);
  into.writeUInt16LE(page.count, at + 10);
  into.writeUInt32LE(page.overflow, at + 12);
}

/** A whole number below 2^53. */
export function putU64(into: Buffer, at: number, value: number): void {
  into.writeUInt32LE(value % 0x1_0000_0000, at);
  into.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

/** A whole number; one beyond 2^53 is rounded and so lies beyond any bound it is held against. */
export function getU64(from: Buffer, at: number): number {
  return from.readUInt32LE(at) + from.readUInt32LE(at + 4) * 0x1_0000_0000;
}
