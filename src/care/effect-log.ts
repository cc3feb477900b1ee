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
/** Of a key; those of table `key` have 17 or 18 bytes, and no others are longer in practice. */
const KEY_BYTES_MAX = 31;
const KEY_SLOT_BYTES = KEY_BYTES_MAX + 1;
const SLOT_MASK = EFFECTS_MAX - 1;

export class EffectLog {
  readonly #indexes = new Float64Array(EFFECTS_MAX);
  readonly #checksums = new Int32Array(EFFECTS_MAX);
  readonly #tables: Table[] = [];
  /** Copies, each behind its length: what lives for a while is what a collector pays for. */
  readonly #keys = Buffer.alloc(EFFECTS_MAX * KEY_SLOT_BYTES);
  #count = 0;

  add(index: number, table: Table, key: Buffer, checksum: number): void {
    const slot = this.#count & SLOT_MASK;
    this.#count += 1;
    this.#indexes[slot] = index;
    this.#checksums[slot] = checksum;
    this.#tables[slot] = table;
    const keys = this.#keys;
    const at = slot * KEY_SLOT_BYTES;
    const bytes = Math.min(key.length, KEY_BYTES_MAX);
    keys[at] = bytes;
    for (let from = 0; from < bytes; from += 1) keys[at + 1 + from] = key[from] as number;
  }

  /** Of entries in (after, upTo], oldest first; what is older than the ring is missing. */
  of(after: number, upTo: number): Effect[] {
    const found: Effect[] = [];
    for (let at = Math.max(0, this.#count - EFFECTS_MAX); at < this.#count; at += 1) {
      const slot = at & SLOT_MASK;
      const index = this.#indexes[slot] as number;
      if (index <= after || index > upTo) continue;
      const keyAt = slot * KEY_SLOT_BYTES + 1;
      found.push({
        index,
        table: this.#tables[slot] as Table,
        key: Buffer.from(this.#keys.subarray(keyAt, keyAt + (this.#keys[keyAt - 1] as number))),
        checksum: this.#checksums[slot] as number,
      });
    }
    return found;
  }
}
