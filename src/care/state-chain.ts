/**
 * A chain over the effects of every applied entry: two members that have applied the same entries
 * with the same effects have the same digest at the same index, and after one entry that had
 * another effect they never have again.
 *
 * Each entry is one step of a polynomial, D(i) = D(i-1) * M + e(i) modulo 2^32, on two lanes, where
 * e(i) comes from the rows that the entry wrote. M is odd, so that a difference is multiplied by
 * something invertible and cannot die out. That the chain is linear lets a member that does not
 * know its beginning (its store came from an etcd member) take over the digest that others have at
 * some index, and go on from there with the steps that it has taken meanwhile.
 *
 * It finds faults, not forgers: rows enter by their CRC-32C, which sees every burst of up to 32
 * bits, and any other difference but one in four billion.
 *
 * Source: decision 0028.
 */
import { assert } from "../base/index.ts";
import type { StateDigest } from "../wire/index.ts";

/** Digests are remembered for as many entries: under load about a quarter of a second. */
export const CHAIN_ENTRIES = 16_384;
const SLOT_MASK = CHAIN_ENTRIES - 1;

const MULTIPLIER_A = 0x9e3779b1 | 0;
const MULTIPLIER_B = 0x85ebca6b | 0;

export class StateChain {
  /** Whether its digests can be compared with others'. */
  isKnown: boolean;
  #index: number;
  #a: number;
  #b: number;
  /** Of the entry whose rows come in. */
  #entryA = 0;
  #entryB = 0;
  readonly #indexes = new Float64Array(CHAIN_ENTRIES).fill(-1);
  readonly #ringA = new Int32Array(CHAIN_ENTRIES);
  readonly #ringB = new Int32Array(CHAIN_ENTRIES);

  /** Goes on from `digest`, or from an unknown one at `index`. */
  constructor(index: number, digest: StateDigest | undefined) {
    assert(digest === undefined || digest.index === index, "a digest is of the applied index");
    this.#index = index;
    this.isKnown = digest !== undefined || index === 0;
    this.#a = digest?.a ?? 0;
    this.#b = digest?.b ?? 0;
    this.#remember();
  }

  get index(): number {
    return this.#index;
  }

  /** A row that the entry which is being applied wrote or removed. */
  row(checksum: number, bytes: number): void {
    this.#entryA = (Math.imul(this.#entryA, MULTIPLIER_B) + checksum) | 0;
    this.#entryB = (Math.imul(this.#entryB, MULTIPLIER_A) + (checksum ^ (bytes << 7))) | 0;
  }

  /** The entry of `index` is applied, and all that came before it. */
  applied(index: number, term: number): void {
    const steps = index - this.#index;
    assert(steps > 0, "entries are applied in order");
    const entry = spread(this.#entryA ^ Math.imul(term, MULTIPLIER_A));
    this.#a = (Math.imul(this.#a, power(MULTIPLIER_A, steps)) + entry) | 0;
    this.#b = (Math.imul(this.#b, power(MULTIPLIER_B, steps)) + (entry ^ this.#entryB)) | 0;
    this.#entryA = 0;
    this.#entryB = 0;
    this.#index = index;
    this.#remember();
  }

  get current(): StateDigest {
    return { index: this.#index, a: this.#a, b: this.#b };
  }

  /** Undefined when it is not remembered, or not yet there. */
  at(index: number): StateDigest | undefined {
    const slot = index & SLOT_MASK;
    if (this.#indexes[slot] !== index) return undefined;
    return { index, a: this.#ringA[slot] as number, b: this.#ringB[slot] as number };
  }

  /** Whether `other` is what this chain has at its index; undefined when that cannot be told. */
  agrees(other: StateDigest): boolean | undefined {
    if (!this.isKnown) return undefined;
    const slot = other.index & SLOT_MASK;
    if (this.#indexes[slot] !== other.index) return undefined;
    return this.#ringA[slot] === other.a && this.#ringB[slot] === other.b;
  }

  /**
   * Takes others' word for what it was at `digest.index`. False: it does not remember its own steps
   * since then, so that it has to wait for a newer one.
   */
  adopt(digest: StateDigest): boolean {
    const slot = digest.index & SLOT_MASK;
    if (this.#indexes[slot] !== digest.index) return false;
    const steps = this.#index - digest.index;
    const missingA = (digest.a - (this.#ringA[slot] as number)) | 0;
    const missingB = (digest.b - (this.#ringB[slot] as number)) | 0;
    this.#a = (this.#a + Math.imul(missingA, power(MULTIPLIER_A, steps))) | 0;
    this.#b = (this.#b + Math.imul(missingB, power(MULTIPLIER_B, steps))) | 0;
    // What is remembered from before is of the unknown beginning.
    this.#indexes.fill(-1);
    this.#remember();
    this.isKnown = true;
    return true;
  }

  #remember(): void {
    const slot = this.#index & SLOT_MASK;
    this.#indexes[slot] = this.#index;
    this.#ringA[slot] = this.#a;
    this.#ringB[slot] = this.#b;
  }
}

export function sameDigest(one: StateDigest, other: StateDigest): boolean {
  return one.index === other.index && one.a === other.a && one.b === other.b;
}

/** As operators see it: sixteen digits. */
export function formatDigest({ a, b }: StateDigest): string {
  return (a >>> 0).toString(16).padStart(8, "0") + (b >>> 0).toString(16).padStart(8, "0");
}

/** Every bit of the result depends on every bit of `value`. */
function spread(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function power(base: number, exponent: number): number {
  let result = 1;
  let square = base;
  for (let left = exponent; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result = Math.imul(result, square);
    square = Math.imul(square, square);
  }
  return result;
}
