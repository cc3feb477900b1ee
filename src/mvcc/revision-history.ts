/**
 * The revisions of all keys that newer ones have superseded: per key a list, newest first.
 *
 * All lists share chunks of typed memory (24 bytes a revision, no object, nothing for the garbage
 * collector to visit); a key that was written once has none. Each node also points further down
 * its list, so that finding an old revision takes O(log n) steps even in a key with millions.
 *
 * Shape:     node = main f64 | sub and tombstone bit u32 | older u32 | jump u32 | depth u32.
 *   Node 0 is the end of every list. Intervals (jump, node] nest or are disjoint.
 * Source:    E. W. Myers, An applicative random-access stack, 1983.
 */
const CHUNK_BITS = 13;
const CHUNK_NODES = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_NODES - 1;
const NODE_FLOATS = 3;
const NODE_WORDS = 6;
const SUB = 2;
const OLDER = 3;
const JUMP = 4;
const DEPTH = 5;
const TOMBSTONE_BIT = 0x8000_0000;
const SUB_MASK = 0x7fff_ffff;

/** What `cut` takes off a list. */
export interface Cut {
  /** First node of the list that remains; 0 = none. */
  head: number;
  /** First node of what was taken off; 0 = nothing. */
  dropped: number;
}

export class RevisionHistory {
  readonly #floats: Float64Array[] = [];
  readonly #words: Uint32Array[] = [];
  /** First node never used. */
  #unused = 1;
  #free = 0;
  /** Revisions held. */
  count = 0;

  constructor() {
    this.#addChunk();
    // The end of every list is older than anything.
    (this.#floats[0] as Float64Array)[0] = -1;
  }

  main(node: number): number {
    const floats = this.#floats[node >>> CHUNK_BITS] as Float64Array;
    return floats[(node & CHUNK_MASK) * NODE_FLOATS] as number;
  }

  sub(node: number): number {
    return this.#word(node, SUB) & SUB_MASK;
  }

  isTombstone(node: number): boolean {
    return (this.#word(node, SUB) & TOMBSTONE_BIT) !== 0;
  }

  older(node: number): number {
    return this.#word(node, OLDER);
  }

  /** Puts a revision in front of the list `head`; returns the new head. */
  push(head: number, main: number, sub: number, isTombstone: boolean): number {
    const node = this.#allocate();
    const jump = this.#word(head, JUMP);
    const step = this.#word(head, DEPTH) - this.#word(jump, DEPTH);
    const nextJump = this.#word(jump, JUMP);
    const isPair = step === this.#word(jump, DEPTH) - this.#word(nextJump, DEPTH);
    const words = this.#words[node >>> CHUNK_BITS] as Uint32Array;
    const floats = this.#floats[node >>> CHUNK_BITS] as Float64Array;
    const at = (node & CHUNK_MASK) * NODE_WORDS;
    floats[(node & CHUNK_MASK) * NODE_FLOATS] = main;
    words[at + SUB] = isTombstone ? sub | TOMBSTONE_BIT : sub;
    words[at + OLDER] = head;
    words[at + JUMP] = isPair ? nextJump : head;
    words[at + DEPTH] = this.#word(head, DEPTH) + 1;
    this.count += 1;
    return node;
  }

  /** The newest revision with main <= `revision`; 0 = none. */
  find(head: number, revision: number): number {
    let node = head;
    while (this.main(node) > revision) {
      const jump = this.#word(node, JUMP);
      node = this.main(jump) > revision ? jump : this.#word(node, OLDER);
    }
    return node;
  }

  /**
   * Takes off what a compaction at `revision` drops: all that is older than the newest revision
   * <= `revision`, and that one too when it is a tombstone below `revision` (CP-03).
   */
  cut(head: number, revision: number, result: Cut): void {
    const last = this.find(head, revision);
    result.head = head;
    result.dropped = 0;
    if (last === 0) return;
    const isLastDropped = this.isTombstone(last) && this.main(last) < revision;
    const end = isLastDropped ? 0 : last;
    // Every node whose jump crosses the cut lies on the way to it, because intervals nest.
    let node = head;
    while (node !== last) {
      const jump = this.#word(node, JUMP);
      if (this.main(jump) > revision) {
        node = jump;
        continue;
      }
      this.#setWord(node, JUMP, end);
      const older = this.#word(node, OLDER);
      if (older === last) this.#setWord(node, OLDER, end);
      node = older;
    }
    if (isLastDropped) {
      if (head === last) result.head = 0;
      result.dropped = last;
      return;
    }
    result.dropped = this.#word(last, OLDER);
    this.#setWord(last, OLDER, 0);
    this.#setWord(last, JUMP, 0);
  }

  /** Puts a node that was dropped in front of another list of such nodes. */
  relink(node: number, next: number): void {
    this.#setWord(node, OLDER, next);
  }

  /** Gives one node of a dropped list back; returns the next of that list. */
  release(node: number): number {
    const next = this.#word(node, OLDER);
    this.#setWord(node, OLDER, this.#free);
    this.#free = node;
    this.count -= 1;
    return next;
  }

  #allocate(): number {
    const node = this.#free;
    if (node !== 0) {
      this.#free = this.#word(node, OLDER);
      return node;
    }
    if (this.#unused >>> CHUNK_BITS === this.#words.length) this.#addChunk();
    return this.#unused++;
  }

  #addChunk(): void {
    const memory = new ArrayBuffer(CHUNK_NODES * NODE_FLOATS * 8);
    this.#floats.push(new Float64Array(memory));
    this.#words.push(new Uint32Array(memory));
  }

  #word(node: number, field: number): number {
    const words = this.#words[node >>> CHUNK_BITS] as Uint32Array;
    return words[(node & CHUNK_MASK) * NODE_WORDS + field] as number;
  }

  #setWord(node: number, field: number, value: number): void {
    const words = this.#words[node >>> CHUNK_BITS] as Uint32Array;
    words[(node & CHUNK_MASK) * NODE_WORDS + field] = value;
  }
}
