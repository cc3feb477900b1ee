/** Pages of a file, read in pieces, since trees mostly lie in the order of their keys. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

export interface PageFile {
  readonly pageBytes: number;
  readonly sizeBytes: number;
  /** Not to be changed; undefined when the file ends before. */
  read(page: number): Buffer | undefined;
}

/** For who reads most pages. */
export const LARGE_PIECE_BYTES = 256 * 1024;
/** Kept in memory, the newest. */
const PIECES_MAX = 32;

export class DiskPageFile implements PageFile {
  readonly pageBytes: number;
  readonly sizeBytes: number;
  readonly #descriptor: number;
  readonly #pieceBytes: number;
  readonly #pieces = new Map<number, Buffer>();

  /** `pieceBytes`: read at once, a multiple of `pageBytes`. */
  constructor(path: string, pageBytes: number, pieceBytes: number) {
    this.#pieceBytes = pieceBytes;
    this.#descriptor = openSync(path, "r");
    this.pageBytes = pageBytes;
    this.sizeBytes = fstatSync(this.#descriptor).size;
  }

  read(page: number): Buffer | undefined {
    const at = page * this.pageBytes;
    if (at + this.pageBytes > this.sizeBytes) return undefined;
    const number = Math.floor(at / this.#pieceBytes);
    const piece = this.#pieces.get(number) ?? this.#readPiece(number);
    const offset = at - number * this.#pieceBytes;
    const bytes = piece.subarray(offset, offset + this.pageBytes);
    return bytes.length === this.pageBytes ? bytes : undefined;
  }

  #readPiece(number: number): Buffer {
    const piece = Buffer.allocUnsafeSlow(this.#pieceBytes);
    const count = readSync(this.#descriptor, piece, 0, piece.length, number * piece.length);
    for (const oldest of this.#pieces.keys()) {
      if (this.#pieces.size < PIECES_MAX) break;
      this.#pieces.delete(oldest);
    }
    const read = piece.subarray(0, count);
    this.#pieces.set(number, read);
    return read;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** A file's bytes that are in memory. */
export class MemoryPageFile implements PageFile {
  readonly pageBytes: number;
  readonly sizeBytes: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, pageBytes: number) {
    this.#bytes = bytes;
    this.sizeBytes = bytes.length;
    this.pageBytes = pageBytes;
  }

  read(page: number): Buffer | undefined {
    const at = page * this.pageBytes;
    const end = at + this.pageBytes;
    return end > this.sizeBytes ? undefined : this.#bytes.subarray(at, end);
  }
}
