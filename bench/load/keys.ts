/** Keys of 8 bytes, the same from run to run, as one-byte strings and as bytes in a message. */

const ORDERED_PREFIX = 0x6b657973;
/** Odd, so that multiplying by it maps the 32-bit numbers onto themselves. */
const SCATTER = 0x9e3779b1;

export const KEY_BYTES = 8;

/** Key number `index` in byte order, all with one prefix. */
export function writeOrderedKey(into: Buffer, offset: number, index: number): void {
  writeUint32(into, offset, ORDERED_PREFIX);
  writeUint32(into, offset + 4, index);
}

/** Key number `index` of a set that is spread over all keys; no two are equal. */
export function writeScatteredKey(into: Buffer, offset: number, index: number): void {
  writeUint32(into, offset, Math.imul(index + 1, SCATTER) >>> 0);
  writeUint32(into, offset + 4, index);
}

export function orderedKey(index: number): string {
  const bytes = Buffer.alloc(KEY_BYTES);
  writeOrderedKey(bytes, 0, index);
  return bytes.latin1Slice();
}

export function scatteredKey(index: number): string {
  const bytes = Buffer.alloc(KEY_BYTES);
  writeScatteredKey(bytes, 0, index);
  return bytes.latin1Slice();
}

/** Plain stores: several times faster than Buffer's own writer for four bytes. */
export function writeUint32(into: Buffer, offset: number, value: number): void {
  into[offset] = value >>> 24;
  into[offset + 1] = value >>> 16;
  into[offset + 2] = value >>> 8;
  into[offset + 3] = value;
}
