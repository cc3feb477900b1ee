/**
 * The newest effects of entries, for whoever has to find out what a member did otherwise than the
 * others: which rows, and what stood in them by its checksum.
 *
 * A ring that keeps what it is given and computes nothing, since every write goes through it.
 */
import type { Table } from "../backend/index.ts";

export interface Effect {
  readonly index: number;
  readonly table: Table;
  readonly key: Buffer;
  /** Of table, key and value; what the digest is made of. */
  readonly checksum: number;
}

/** Rows that are remembered: some 2 000 entries of one row each. */
export const EFFECTS_MAX = 2_048;
const SLOT_MASK = EFFECTS_MAX - 1;

export class EffectLog {
  readonly #indexes = new Float64Array(EFFECTS_MAX);
  readonly #checksums = new Int32Array(EFFECTS_MAX);
  readonly #tables: Table[] = [];
  readonly #keys: Buffer[] = [];
  #count = 0;

  /** `key` is kept until the ring comes round. */
  add(index: number, table: Table, key: Buffer, checksum: number): void {
    const slot = this.#count & SLOT_MASK;
    this.#count += 1;
    this.#indexes[slot] = index;
    this.#checksums[slot] = checksum;
    this.#tables[slot] = table;
    this.#keys[slot] = key;
  }

  /** Of entries in (after, upTo], oldest first; what is older than the ring is missing. */
  of(after: number, upTo: number): Effect[] {
    const found: Effect[] = [];
    for (let at = Math.max(0, this.#count - EFFECTS_MAX); at < this.#count; at += 1) {
      const slot = at & SLOT_MASK;
      const index = this.#indexes[slot] as number;
      if (index <= after || index > upTo) continue;
      found.push({
        index,
        table: this.#tables[slot] as Table,
        key: this.#keys[slot] as Buffer,
        checksum: this.#checksums[slot] as number,
      });
    }
    return found;
  }
}
