/**
 * The Huffman code of HPACK (RFC 7541 appendix B).
 *
 * The code is canonical: codes of one length are consecutive and ordered by symbol, so the lengths
 * alone define it. Decoding walks tables of 256 slots, one byte of input a step.
 */
import { ConnectionError, ErrorCode } from "./error-code.ts";

/** Bits per symbol 0..255. EOS (256) has 30 and never stands in valid input. */
const LENGTHS = Uint8Array.from([
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
  28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5,
  6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6,
  7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
  23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22,
  22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22,
  23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27,
  27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25,
  24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
]);
const EOS = 256;
const EOS_BITS = 30;

const CODES = new Uint32Array(257);
/** A slot is 0 (no code), `LEAF | bits << 9 | symbol`, or the start of the next table. */
const LEAF = 1 << 20;
const decodeTables: number[] = new Array(256).fill(0);

function addToTables(symbol: number, code: number, bits: number): void {
  let table = 0;
  let left = bits;
  while (left > 8) {
    left -= 8;
    const slot = table + ((code >>> left) & 0xff);
    if (decodeTables[slot] === 0) {
      decodeTables[slot] = decodeTables.length;
      for (let entry = 0; entry < 256; entry += 1) decodeTables.push(0);
    }
    table = decodeTables[slot] as number;
  }
  const first = table + ((code << (8 - left)) & 0xff);
  for (let entry = 0; entry < 1 << (8 - left); entry += 1) {
    decodeTables[first + entry] = LEAF | (left << 9) | symbol;
  }
}

{
  let code = 0;
  let previousBits = 5;
  const bitsOf = (symbol: number) => (symbol === EOS ? EOS_BITS : (LENGTHS[symbol] as number));
  const symbols = Array.from({ length: 257 }, (_, symbol) => symbol);
  symbols.sort((a, b) => bitsOf(a) - bitsOf(b) || a - b);
  for (const symbol of symbols) {
    const bits = bitsOf(symbol);
    code <<= bits - previousBits;
    previousBits = bits;
    CODES[symbol] = code;
    addToTables(symbol, code, bits);
    code += 1;
  }
}
const DECODE = Int32Array.from(decodeTables);

/** Bytes that `text` (one-byte characters) takes when Huffman coded. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let at = 0; at < text.length; at += 1) {
    bits += LENGTHS[text.charCodeAt(at) & 0xff] as number;
  }
  return (bits + 7) >>> 3;
}

/** Writes `text` coded to `into` at `offset`; returns the offset after it. */
export function huffmanEncode(text: string, into: Uint8Array, offset: number): number {
  let at = offset;
  let pending = 0;
  let pendingBits = 0;
  for (let position = 0; position < text.length; position += 1) {
    const symbol = text.charCodeAt(position) & 0xff;
    let code = CODES[symbol] as number;
    let bits = LENGTHS[symbol] as number;
    // At most 7 bits are pending, so a code goes in by parts of 16 to stay within 32 bits.
    if (bits > 16) {
      pending = (pending << (bits - 16)) | (code >>> 16);
      pendingBits += bits - 16;
      while (pendingBits >= 8) {
        pendingBits -= 8;
        into[at] = pending >>> pendingBits;
        at += 1;
      }
      code &= 0xffff;
      bits = 16;
    }
    pending = ((pending & 0xff) << bits) | code;
    pendingBits += bits;
    while (pendingBits >= 8) {
      pendingBits -= 8;
      into[at] = pending >>> pendingBits;
      at += 1;
    }
  }
  if (pendingBits > 0) {
    into[at] = (pending << (8 - pendingBits)) | (0xff >>> pendingBits);
    at += 1;
  }
  return at;
}

/**
 * Decodes `bytes[lo, hi)` to a string of one-byte characters.
 *
 * Errors: a ConnectionError on EOS, on padding of more than 7 bits or other than ones
 * (RFC 7541 5.2).
 */
export function huffmanDecode(bytes: Uint8Array, lo: number, hi: number): string {
  // The shortest code has 5 bits.
  const out = Buffer.allocUnsafe((((hi - lo) * 8) / 5 + 1) | 0);
  let length = 0;
  let pending = 0;
  let pendingBits = 0;
  let table = 0;
  let bitsInSymbol = 0;
  for (let at = lo; at < hi; at += 1) {
    pending = ((pending << 8) | (bytes[at] as number)) & 0xffff;
    pendingBits += 8;
    while (pendingBits >= 8) {
      const slot = DECODE[table + ((pending >>> (pendingBits - 8)) & 0xff)] as number;
      if (slot >= LEAF) {
        if ((slot & 0x1ff) === EOS) throw badCode();
        out[length] = slot & 0xff;
        length += 1;
        pendingBits -= (slot >>> 9) & 0xf;
        table = 0;
        bitsInSymbol = 0;
      } else if (slot > 0) {
        table = slot;
        pendingBits -= 8;
        bitsInSymbol += 8;
      } else {
        throw badCode();
      }
    }
  }
  length = decodeTail(out, length, pending, pendingBits, table, bitsInSymbol);
  return out.latin1Slice(0, length);
}

/** The last, incomplete byte: whole symbols, then padding of up to 7 ones. */
function decodeTail(
  out: Buffer,
  start: number,
  pending: number,
  bits: number,
  startTable: number,
  startBitsInSymbol: number,
): number {
  let length = start;
  let pendingBits = bits;
  let table = startTable;
  let bitsInSymbol = startBitsInSymbol;
  while (pendingBits > 0) {
    const padded = ((pending << (8 - pendingBits)) | (0xff >>> pendingBits)) & 0xff;
    const slot = DECODE[table + padded] as number;
    const used = (slot >>> 9) & 0xf;
    if (slot < LEAF || used > pendingBits || (slot & 0x1ff) === EOS) break;
    out[length] = slot & 0xff;
    length += 1;
    pendingBits -= used;
    table = 0;
    bitsInSymbol = 0;
  }
  const mask = (1 << pendingBits) - 1;
  if (bitsInSymbol + pendingBits > 7 || (pending & mask) !== mask) throw badCode();
  return length;
}

function badCode(): ConnectionError {
  return new ConnectionError(ErrorCode.COMPRESSION_ERROR, "invalid Huffman code in a header block");
}
