/**
 * CRC-32C (Castagnoli), reflected polynomial 0x82f63b78, slicing by 8.
 *
 * Same contract as Go's `crc32.Update`: a seed of 0 starts, the result of one call seeds the next.
 *
 * Source: RFC 3720 appendix B.4 for the check values in the test.
 */
const POLYNOMIAL = 0x82f63b78;
const TABLE = new Int32Array(8 * 256);

for (let byte = 0; byte < 256; byte += 1) {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) {
    value = (value & 1) === 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  }
  TABLE[byte] = value;
}
for (let slice = 1; slice < 8; slice += 1) {
  for (let byte = 0; byte < 256; byte += 1) {
    const previous = TABLE[(slice - 1) * 256 + byte] as number;
    TABLE[slice * 256 + byte] = (previous >>> 8) ^ (TABLE[previous & 0xff] as number);
  }
}

/** CRC of `bytes[lo, hi)` continued from `seed`; an unsigned 32-bit number. */
export function crc32c(seed: number, bytes: Uint8Array, lo = 0, hi = bytes.length): number {
  const table = TABLE;
  let crc = ~seed;
  let at = lo;
  for (; at + 8 <= hi; at += 8) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    crc =
      (table[1792 + (crc & 0xff)] as number) ^
      (table[1536 + ((crc >>> 8) & 0xff)] as number) ^
      (table[1280 + ((crc >>> 16) & 0xff)] as number) ^
      (table[1024 + (crc >>> 24)] as number) ^
      (table[768 + (bytes[at + 4] as number)] as number) ^
      (table[512 + (bytes[at + 5] as number)] as number) ^
      (table[256 + (bytes[at + 6] as number)] as number) ^
      (table[bytes[at + 7] as number] as number);
  }
  for (; at < hi; at += 1) {
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[at] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
}
