/**
 * A binary heap whose items know where they stand, so that one in the middle can be moved or taken
 * out in O(log n): a queue of deadlines without a timer for each.
 *
 * Owns:      nothing about the items but the position that `place` stores in them.
 * Invariant: no item comes before its parent; `positionOf(items[i]) === i`.
 */
import { assert } from "./assert.ts";

export interface HeapOrder<T> {
  /** Whether `a` is to come out before `b`. */
  before(a: T, b: T): boolean;
  /** Position of `item` in the heap; -1 when it is in none. */
  positionOf(item: T): number;
  /** Stores a position, -1 when the item leaves. */
  place(item: T, position: number): void;
}

export class Heap<T> {
  readonly #order: HeapOrder<T>;
  readonly #items: T[] = [];

  constructor(order: HeapOrder<T>) {
    this.#order = order;
  }

  get size(): number {
    return this.#items.length;
  }

  /** The first item, left where it is. */
  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    assert(this.#order.positionOf(item) === -1, "heap: the item is in a heap already");
    this.#items.push(item);
    this.#up(this.#items.length - 1, item);
  }

  pop(): T | undefined {
    const first = this.#items[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** To be called when what `before` looks at changed in `item`. */
  update(item: T): void {
    const at = this.#order.positionOf(item);
    assert(this.#items[at] === item, "heap: the item is not in this heap");
    if (this.#up(at, item) === at) this.#down(at, item);
  }

  /** Takes `item` out; one that is in no heap is left alone. */
  remove(item: T): void {
    const at = this.#order.positionOf(item);
    if (at < 0) return;
    assert(this.#items[at] === item, "heap: the item is not in this heap");
    const last = this.#items.pop() as T;
    this.#order.place(item, -1);
    if (last === item) return;
    if (this.#up(at, last) === at) this.#down(at, last);
  }

  clear(): void {
    for (const item of this.#items) this.#order.place(item, -1);
    this.#items.length = 0;
  }

  /** Moves `item` from `at` towards the root; returns where it came to stand. */
  #up(at: number, item: T): number {
    const items = this.#items;
    const order = this.#order;
    let position = at;
    while (position > 0) {
      const parentAt = (position - 1) >> 1;
      const parent = items[parentAt] as T;
      if (!order.before(item, parent)) break;
      items[position] = parent;
      order.place(parent, position);
      position = parentAt;
    }
    items[position] = item;
    order.place(item, position);
    return position;
  }

  #down(at: number, item: T): void {
    const items = this.#items;
    const order = this.#order;
    let position = at;
    for (;;) {
      let childAt = position * 2 + 1;
      if (childAt >= items.length) break;
      const right = childAt + 1;
      if (right < items.length && order.before(items[right] as T, items[childAt] as T)) {
        childAt = right;
      }
      const child = items[childAt] as T;
      if (!order.before(child, item)) break;
      items[position] = child;
      order.place(child, position);
      position = childAt;
    }
    items[position] = item;
    order.place(item, position);
  }
}
