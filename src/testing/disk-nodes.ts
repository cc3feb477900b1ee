/** What a simulated disk holds: files and directories, each with what a crash leaves of them. */
import type { Prng } from "../base/index.ts";

export const SECTOR_BYTES = 512;
const ZEROS = Buffer.alloc(SECTOR_BYTES);

const MANY_ZEROS = Buffer.alloc(1024 * 1024);

/** Contents of one file, whatever its names. */
export class FileNode {
  readonly kind = "file";
  /** Sectors on the medium; one that is missing is zero. */
  readonly durable = new Map<number, Buffer>();
  /** Sectors that were changed since; these are what is read. */
  readonly dirty = new Map<number, Buffer>();
  durableSize = 0;
  size = 0;

  /** How many sectors hold something. */
  get sectors(): number {
    let count = this.durable.size;
    for (const number of this.dirty.keys()) if (!this.durable.has(number)) count += 1;
    return count;
  }

  /** How many sectors of a range hold nothing. */
  missingSectors(offset: number, count: number): number {
    let missing = 0;
    const end = Math.ceil((offset + count) / SECTOR_BYTES);
    for (let number = Math.floor(offset / SECTOR_BYTES); number < end; number += 1) {
      if (!this.durable.has(number) && !this.dirty.has(number)) missing += 1;
    }
    return missing;
  }

  sector(number: number): Buffer {
    return this.dirty.get(number) ?? this.durable.get(number) ?? ZEROS;
  }

  change(number: number, lo: number, bytes: Uint8Array): void {
    if (bytes.length === SECTOR_BYTES && ZEROS.equals(bytes)) {
      // Zeros where there is nothing, as logs are laid out ahead: nothing to remember.
      if (this.durable.has(number) || this.dirty.has(number)) this.dirty.set(number, ZEROS);
      return;
    }
    const sector = Buffer.from(this.sector(number));
    sector.set(bytes, lo);
    this.dirty.set(number, sector);
  }

  write(bytes: Uint8Array, offset: number): void {
    if (this.#isNothing(bytes, offset)) {
      this.size = Math.max(this.size, offset + bytes.length);
      return;
    }
    for (let done = 0; done < bytes.length; ) {
      const lo = (offset + done) % SECTOR_BYTES;
      const count = Math.min(SECTOR_BYTES - lo, bytes.length - done);
      this.change((offset + done - lo) / SECTOR_BYTES, lo, bytes.subarray(done, done + count));
      done += count;
    }
    this.size = Math.max(this.size, offset + bytes.length);
  }

  /** Zeros where there is nothing, as logs are laid out ahead. */
  #isNothing(bytes: Uint8Array, offset: number): boolean {
    const isLong = bytes.length > 16 * SECTOR_BYTES && bytes.length <= MANY_ZEROS.length;
    if (!isLong || MANY_ZEROS.compare(bytes, 0, bytes.length, 0, bytes.length) !== 0) return false;
    const first = Math.floor(offset / SECTOR_BYTES);
    const last = Math.ceil((offset + bytes.length) / SECTOR_BYTES);
    const isWithin = (number: number): boolean => first <= number && number < last;
    return ![...this.durable.keys(), ...this.dirty.keys()].some(isWithin);
  }

  truncate(size: number): void {
    const first = Math.floor(size / SECTOR_BYTES);
    for (const number of new Set([...this.durable.keys(), ...this.dirty.keys()])) {
      if (number < first) continue;
      const lo = number === first ? size % SECTOR_BYTES : 0;
      this.change(number, lo, ZEROS.subarray(lo));
    }
    this.size = size;
  }

  /** Puts dirty sectors in [lo, hi) on the medium, and the size. */
  settle(lo = 0, hi = Number.MAX_SAFE_INTEGER): void {
    if (hi - lo > this.dirty.size * SECTOR_BYTES) {
      for (const number of [...this.dirty.keys()]) {
        if (number >= Math.floor(lo / SECTOR_BYTES) && number * SECTOR_BYTES < hi)
          this.keep(number);
      }
    } else {
      for (let number = Math.floor(lo / SECTOR_BYTES); number * SECTOR_BYTES < hi; number += 1) {
        this.keep(number);
      }
    }
    this.durableSize = this.size;
  }

  keep(number: number): void {
    const sector = this.dirty.get(number);
    if (sector === undefined) return;
    this.dirty.delete(number);
    if (sector === ZEROS || sector.equals(ZEROS)) this.durable.delete(number);
    else this.durable.set(number, sector);
  }

  read(into: Uint8Array, offset: number): number {
    const count = Math.max(0, Math.min(into.length, this.size - offset));
    into.fill(0, 0, count);
    const first = Math.floor(offset / SECTOR_BYTES);
    const last = Math.ceil((offset + count) / SECTOR_BYTES);
    if (last - first > this.durable.size + this.dirty.size) {
      for (const number of this.durable.keys()) this.#readSector(number, into, offset, count);
      for (const number of this.dirty.keys()) this.#readSector(number, into, offset, count);
    } else {
      for (let number = first; number < last; number += 1) {
        this.#readSector(number, into, offset, count);
      }
    }
    return count;
  }

  /** Copies what a sector has of [offset, offset + count). */
  #readSector(number: number, into: Uint8Array, offset: number, count: number): void {
    const sector = this.dirty.get(number) ?? this.durable.get(number);
    if (sector === undefined) return;
    const start = number * SECTOR_BYTES - offset;
    const lo = Math.max(0, -start);
    const hi = Math.min(SECTOR_BYTES, count - start);
    if (lo < hi) into.set(sector.subarray(lo, hi), start + lo);
  }

  /** What is on the medium, as a file of its own. */
  image(): FileNode {
    const copy = new FileNode();
    for (const [number, sector] of this.durable) copy.durable.set(number, sector);
    copy.durableSize = this.durableSize;
    copy.size = this.durableSize;
    return copy;
  }

  /** Answers how many sectors were lost. */
  crash(prng: Prng): number {
    const isSizeKept = prng.chance(0.5);
    for (const number of [...this.dirty.keys()].sort((a, b) => a - b)) {
      if (prng.chance(0.5)) this.keep(number);
    }
    const lost = this.dirty.size;
    this.dirty.clear();
    if (isSizeKept) this.durableSize = this.size;
    this.size = this.durableSize;
    // What lies beyond the end is gone, as a file system gives zeros when a file grows.
    this.truncate(this.size);
    this.settle();
    return lost;
  }
}

export type Node = FileNode | DirectoryNode;

export class DirectoryNode {
  readonly kind = "directory";
  entries = new Map<string, Node>();
  durable = new Map<string, Node>();
  /** Changes since the last sync, in order. */
  #pending: ((entries: Map<string, Node>) => void)[] = [];

  change(apply: (entries: Map<string, Node>) => void): void {
    apply(this.entries);
    this.#pending.push(apply);
  }

  settle(): void {
    for (const apply of this.#pending) apply(this.durable);
    this.#pending = [];
  }

  /** As FileNode's. */
  image(): DirectoryNode {
    const copy = new DirectoryNode();
    for (const [name, node] of this.durable) {
      copy.durable.set(name, node.image());
    }
    copy.entries = new Map(copy.durable);
    return copy;
  }

  crash(prng: Prng): number {
    this.#pending.length = prng.below(this.#pending.length + 1);
    this.settle();
    this.entries = new Map(this.durable);
    let lost = 0;
    for (const node of this.entries.values()) lost += node.crash(prng);
    return lost;
  }
}
