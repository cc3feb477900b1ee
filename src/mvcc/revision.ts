/**
 * Keys of table `key`: 8 bytes big-endian main | `_` | 8 bytes big-endian sub, and `t` behind them
 * when the revision is a tombstone (surface 19, DB-03).
 */
export const REVISION_BYTES = 17;
export const TOMBSTONE_BYTES = 18;
const TWO_32 = 0x1_0000_0000;
const UNDERSCORE = 0x5f;
const TOMBSTONE_MARK = 0x74;

const putScratch = scratch(REVISION_BYTES);
const tombstoneScratch = scratch(TOMBSTONE_BYTES);

/** Borrowed until the next call. */
export function revisionKey(main: number, sub: number, isTombstone: boolean): Buffer {
  const key = isTombstone ? tombstoneScratch : putScratch;
  writeMain(key, main);
  key[13] = sub >>> 24;
  key[14] = sub >>> 16;
  key[15] = sub >>> 8;
  key[16] = sub;
  return key;
}

/** The first possible key of a main revision, owned by the caller. */
export function lowestKey(main: number): Buffer {
  const key = Buffer.alloc(REVISION_BYTES);
  writeMain(key, main);
  key[8] = UNDERSCORE;
  return key;
}

export function mainOf(key: Uint8Array): number {
  return uint32(key, 0) * TWO_32 + uint32(key, 4);
}

/** Sub-revisions are counted in memory, so they fit 31 bits. */
export function subOf(key: Uint8Array): number {
  return uint32(key, 13);
}

export function isTombstoneKey(key: Uint8Array): boolean {
  return key.length === TOMBSTONE_BYTES && key[REVISION_BYTES] === TOMBSTONE_MARK;
}

function scratch(size: number): Buffer {
  const key = Buffer.alloc(size);
  key[8] = UNDERSCORE;
  if (size === TOMBSTONE_BYTES) key[REVISION_BYTES] = TOMBSTONE_MARK;
  return key;
}

function writeMain(key: Buffer, main: number): void {
  const high = Math.floor(main / TWO_32);
  key[0] = high >>> 24;
  key[1] = high >>> 16;
  key[2] = high >>> 8;
  key[3] = high;
  key[4] = main >>> 24;
  key[5] = main >>> 16;
  key[6] = main >>> 8;
  key[7] = main;
}

function uint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}
