/**
 * Half-open intervals of keys, and which of them hold a given key: an AVL tree ordered by
 * (lo, hi), each node knowing the greatest `hi` below it.
 *
 * Insert, remove and find take O(log n), a stab O(log n + hits). Each interval stands in the tree
 * once and carries one value.
 */
import type { Key } from "./latin1.ts";

/** An end beyond every key, since keys are one-byte strings: [lo, OPEN_END) has no upper bound. */
export const OPEN_END: Key = "\u0100";

interface Node<T> {
  readonly lo: Key;
  readonly hi: Key;
  value: T;
  /** Greatest `hi` in this subtree. */
  maxHi: Key;
  /** Of this subtree; a leaf has 1. Invariant: children differ by at most 1. */
  height: number;
  left: Node<T> | undefined;
  right: Node<T> | undefined;
}

export class IntervalTree<T> {
  #root: Node<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(lo: Key, hi: Key): T | undefined {
    let node = this.#root;
    while (node !== undefined) {
      const order = compare(lo, hi, node);
      if (order === 0) return node.value;
      node = order < 0 ? node.left : node.right;
    }
    return undefined;
  }

  /** Adds [lo, hi), or changes the value that it carries. An empty interval holds no key. */
  set(lo: Key, hi: Key, value: T): void {
    this.#root = this.#insert(this.#root, lo, hi, value);
  }

  /** Whether [lo, hi) was there. */
  delete(lo: Key, hi: Key): boolean {
    const sizeBefore = this.#size;
    this.#root = this.#remove(this.#root, lo, hi);
    return this.#size < sizeBefore;
  }

  /** Appends the values of all intervals with lo <= key < hi to `out`, in order of (lo, hi). */
  stab(key: Key, out: T[]): void {
    if (this.#root !== undefined) stabNode(this.#root, key, out);
  }

  #insert(node: Node<T> | undefined, lo: Key, hi: Key, value: T): Node<T> {
    if (node === undefined) {
      this.#size += 1;
      return { lo, hi, value, maxHi: hi, height: 1, left: undefined, right: undefined };
    }
    const order = compare(lo, hi, node);
    if (order === 0) {
      node.value = value;
      return node;
    }
    if (order < 0) node.left = this.#insert(node.left, lo, hi, value);
    else node.right = this.#insert(node.right, lo, hi, value);
    return balance(node);
  }

  #remove(node: Node<T> | undefined, lo: Key, hi: Key): Node<T> | undefined {
    if (node === undefined) return undefined;
    const order = compare(lo, hi, node);
    if (order < 0) {
      node.left = this.#remove(node.left, lo, hi);
      return balance(node);
    }
    if (order > 0) {
      node.right = this.#remove(node.right, lo, hi);
      return balance(node);
    }
    this.#size -= 1;
    if (node.left === undefined) return node.right;
    if (node.right === undefined) return node.left;
    let next = node.right;
    while (next.left !== undefined) next = next.left;
    const right = takeFirst(node.right);
    next.right = right;
    next.left = node.left;
    return balance(next);
  }
}

function compare<T>(lo: Key, hi: Key, node: Node<T>): number {
  if (lo !== node.lo) return lo < node.lo ? -1 : 1;
  if (hi === node.hi) return 0;
  return hi < node.hi ? -1 : 1;
}

function stabNode<T>(node: Node<T>, key: Key, out: T[]): void {
  if (node.maxHi <= key) return;
  if (node.left !== undefined) stabNode(node.left, key, out);
  if (key < node.lo) return;
  if (key < node.hi) out.push(node.value);
  if (node.right !== undefined) stabNode(node.right, key, out);
}

/** The subtree without its first node. */
function takeFirst<T>(node: Node<T>): Node<T> | undefined {
  if (node.left === undefined) return node.right;
  node.left = takeFirst(node.left);
  return balance(node);
}

function heightOf<T>(node: Node<T> | undefined): number {
  return node === undefined ? 0 : node.height;
}

/** Recomputes what a node knows about its subtree. */
function refresh<T>(node: Node<T>): void {
  node.height = Math.max(heightOf(node.left), heightOf(node.right)) + 1;
  let maxHi = node.hi;
  if (node.left !== undefined && node.left.maxHi > maxHi) maxHi = node.left.maxHi;
  if (node.right !== undefined && node.right.maxHi > maxHi) maxHi = node.right.maxHi;
  node.maxHi = maxHi;
}

function balance<T>(node: Node<T>): Node<T> {
  const lean = heightOf(node.left) - heightOf(node.right);
  if (lean > 1) {
    const left = node.left as Node<T>;
    if (heightOf(left.left) < heightOf(left.right)) node.left = rotateLeft(left);
    return rotateRight(node);
  }
  if (lean < -1) {
    const right = node.right as Node<T>;
    if (heightOf(right.right) < heightOf(right.left)) node.right = rotateRight(right);
    return rotateLeft(node);
  }
  refresh(node);
  return node;
}

function rotateRight<T>(node: Node<T>): Node<T> {
  const top = node.left as Node<T>;
  node.left = top.right;
  top.right = node;
  refresh(node);
  refresh(top);
  return top;
}

function rotateLeft<T>(node: Node<T>): Node<T> {
  const top = node.right as Node<T>;
  node.right = top.left;
  top.left = node;
  refresh(node);
  refresh(top);
  return top;
}
