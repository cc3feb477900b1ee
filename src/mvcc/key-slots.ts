/**
 * What the index knows about each key: its name, and in chunks of typed memory all else, 32 bytes a
 * key in one place (half a cache line), nothing for the garbage collector to visit. Leases stand
 * apart, in chunks that exist only where a key has one.
 *
 * Shape: slot = main revision f64 | create revision f64 | version f64 | sub u32 | older u32.
 *   Version 0 = the newest revision is a tombstone. `older` is a list in RevisionHistory.
 */
import type { Key } from "../base/index.ts";

const CHUNK_BITS = 12;
const CHUNK_SLOTS = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_SLOTS - 1;

export class KeySlots {
  readonly #keys: Key[][] = [];
  readonly #floats: Float64Array[] = [];
  readonly #words: Uint32Array[] = [];
  readonly #leases: (BigInt64Array | undefined)[] = [];
  readonly #free: number[] = [];
  #unused = 0;

  allocate(key: Key): number {
    const free = this.#free.pop();
    if (free !== undefined) {
      this.#setKey(free, key);
      return free;
    }
    if (this.#unused >>> CHUNK_BITS === this.#floats.length) {
      this.#keys.push(new Array<Key>(CHUNK_SLOTS).fill(""));
      const memory = new ArrayBuffer(CHUNK_SLOTS * 32);
      this.#floats.push(new Float64Array(memory));
      this.#words.push(new Uint32Array(memory));
      this.#leases.push(undefined);
    }
    this.#setKey(this.#unused, key);
    return this.#unused++;
  }

  release(slot: number): void {
    this.#setKey(slot, "");
    this.setLease(slot, 0n);
    this.set(slot, 0, 0, 0, 0);
    this.setOlder(slot, 0);
    this.#free.push(slot);
  }

  set(slot: number, main: number, sub: number, create: number, version: number): void {
    const floats = this.#floats[slot >>> CHUNK_BITS] as Float64Array;
    const at = (slot & CHUNK_MASK) << 2;
    floats[at] = main;
    floats[at + 1] = create;
    floats[at + 2] = version;
    (this.#words[slot >>> CHUNK_BITS] as Uint32Array)[(at << 1) + 6] = sub;
  }

  key(slot: number): Key {
    return (this.#keys[slot >>> CHUNK_BITS] as Key[])[slot & CHUNK_MASK] as Key;
  }

  main(slot: number): number {
    return (this.#floats[slot >>> CHUNK_BITS] as Float64Array)[(slot & CHUNK_MASK) << 2] as number;
  }

  create(slot: number): number {
    const floats = this.#floats[slot >>> CHUNK_BITS] as Float64Array;
    return floats[((slot & CHUNK_MASK) << 2) + 1] as number;
  }

  version(slot: number): number {
    const floats = this.#floats[slot >>> CHUNK_BITS] as Float64Array;
    return floats[((slot & CHUNK_MASK) << 2) + 2] as number;
  }

  sub(slot: number): number {
    const words = this.#words[slot >>> CHUNK_BITS] as Uint32Array;
    return words[((slot & CHUNK_MASK) << 3) + 6] as number;
  }

  older(slot: number): number {
    const words = this.#words[slot >>> CHUNK_BITS] as Uint32Array;
    return words[((slot & CHUNK_MASK) << 3) + 7] as number;
  }

  setOlder(slot: number, node: number): void {
    const words = this.#words[slot >>> CHUNK_BITS] as Uint32Array;
    words[((slot & CHUNK_MASK) << 3) + 7] = node;
  }

  lease(slot: number): bigint {
    const leases = this.#leases[slot >>> CHUNK_BITS];
    return leases === undefined ? 0n : (leases[slot & CHUNK_MASK] as bigint);
  }

  setLease(slot: number, lease: bigint): void {
    let leases = this.#leases[slot >>> CHUNK_BITS];
    if (leases === undefined) {
      if (lease === 0n) return;
      leases = new BigInt64Array(CHUNK_SLOTS);
      this.#leases[slot >>> CHUNK_BITS] = leases;
    }
    leases[slot & CHUNK_MASK] = lease;
  }

  #setKey(slot: number, key: Key): void {
    (this.#keys[slot >>> CHUNK_BITS] as Key[])[slot & CHUNK_MASK] = key;
  }
}
