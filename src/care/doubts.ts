/**
 * Who was found to have another state than this member, while nobody could decide whose is right.
 * A member that loses the lead, or starts anew, forgets what it compared, and not this: should it
 * lead again while those who contradicted it do not answer, its state may still be the wrong one.
 *
 * Shape: one row of table `local` of the store that is doubted, and gone with it; for each who
 *   differs 16 bytes, big-endian: its id, and the first index at which it differed. A
 *   crash before the row is on the medium is as one before the report came.
 */
import type { Backend } from "../backend/index.ts";

/** Stands for the leader, whoever it was, whose stamp on an entry said otherwise. */
export const SOME_LEADER = 0n;

const KEY = Buffer.from("doubts");
const ROW_BYTES = 16;

export class Doubts {
  /** The first index at which each differed. */
  readonly #differedAt = new Map<bigint, number>();
  readonly #backend: Pick<Backend, "get" | "put" | "delete">;
  readonly #commit: () => void;

  /** Those that `backend` was left with. `commit`: what was put there is to go to the medium. */
  constructor(backend: Pick<Backend, "get" | "put" | "delete">, commit: () => void) {
    this.#backend = backend;
    this.#commit = commit;
    const row = backend.get("local", KEY) ?? Buffer.alloc(0);
    for (let at = 0; at + ROW_BYTES <= row.length; at += ROW_BYTES) {
      this.#differedAt.set(row.readBigUInt64BE(at), Number(row.readBigUInt64BE(at + 8)));
    }
  }

  differs(id: bigint, index: number): void {
    if (this.#differedAt.has(id)) return;
    this.#differedAt.set(id, index);
    this.#keep();
  }

  /** It agrees again, is found to be wrong itself, or is no member any more. */
  forget(id: bigint): void {
    if (this.#differedAt.delete(id)) this.#keep();
  }

  /** Those that a majority has decided: it has this member's state, at that index or after it. */
  settle(isSettled: (id: bigint, index: number) => boolean): void {
    for (const [id, index] of this.#differedAt) if (isSettled(id, index)) this.forget(id);
  }

  get ids(): bigint[] {
    return [...this.#differedAt.keys()];
  }

  #keep(): void {
    if (this.#differedAt.size === 0) return this.#backend.delete("local", KEY);
    const row = Buffer.alloc(this.#differedAt.size * ROW_BYTES);
    let at = 0;
    for (const [id, index] of this.#differedAt) {
      row.writeBigUInt64BE(id, at);
      row.writeBigUInt64BE(BigInt(index), at + 8);
      at += ROW_BYTES;
    }
    this.#backend.put("local", KEY, row);
    this.#commit();
  }
}
