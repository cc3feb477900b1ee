/**
 * An ordered map from key to slot number: a B+tree that also knows, for each subtree, how many keys
 * are live and how new its newest revision is. Counting a range then costs two descents, and a
 * count at an old revision walks only what changed since.
 *
 * Keys are native one-byte strings (decision 0007). Nodes hold at most FANOUT entries; a leaf that
 * is appended to at the far end is left full instead of split in halves.
 *
 * Invariant: `live` = live keys below the node; `newest` >= the main revision of each key below it.
 * Invariant: separators[i] <= every key of children[i + 1], and greater than every key of
 * children[i].
 */
import { assert, type Key } from "../base/index.ts";

const FANOUT = 64;
/** Smaller neighbours are joined when they fit together in MERGED_MAX. */
const SPARSE = 16;
const MERGED_MAX = 48;
/** How full a loaded node is: some room, so that the first inserts do not split every node. */
const LOADED = 56;

export class Leaf {
  readonly isLeaf = true;
  keys: Key[];
  slots: number[];
  live = 0;
  newest = 0;
  next: Leaf | undefined = undefined;
  previous: Leaf | undefined = undefined;

  constructor(keys: Key[], slots: number[]) {
    this.keys = keys;
    this.slots = slots;
  }
}

export class Branch {
  readonly isLeaf = false;
  separators: Key[];
  children: Node[];
  live = 0;
  newest = 0;

  constructor(separators: Key[], children: Node[]) {
    this.separators = separators;
    this.children = children;
  }
}

export type Node = Leaf | Branch;

/** What the tree must know about a slot. */
export interface SlotStates {
  isLive(slot: number): boolean;
  isLiveAt(slot: number, revision: number): boolean;
}

export interface KeyTreeLoader {
  add(key: Key, slot: number, main: number): void;
  finish(): void;
}

export class KeyTree {
  readonly #states: SlotStates;
  #root: Node = new Leaf([], []);
  /** Keys held, live or not. */
  size = 0;
  /** Where the last `seek` ended. */
  leaf: Leaf;
  position = 0;
  /** The branches above that leaf and where each was left: the first `#depth` of each list. */
  readonly #path: Branch[] = [];
  readonly #pathPositions: number[] = [];
  #depth = 0;

  constructor(states: SlotStates) {
    this.#states = states;
    this.leaf = this.#root as Leaf;
  }

  get live(): number {
    return this.#root.live;
  }

  get newest(): number {
    return this.#root.newest;
  }

  /**
   * Finds the first entry with a key >= `key`: `leaf` and `position` say where. True when it is
   * `key` itself. The position may be one behind the leaf's last entry: `settle` then moves on.
   */
  seek(key: Key): boolean {
    const path = this.#path;
    const positions = this.#pathPositions;
    let depth = 0;
    let node = this.#root;
    while (!node.isLeaf) {
      const position = childOf(node, key);
      path[depth] = node;
      positions[depth] = position;
      depth += 1;
      node = node.children[position] as Node;
    }
    this.#depth = depth;
    this.leaf = node;
    const keys = node.keys;
    const position = lowerBound(keys, key);
    this.position = position;
    return position < keys.length && keys[position] === key;
  }

  /** The slot of `key`, or -1. */
  find(key: Key): number {
    let node = this.#root;
    while (!node.isLeaf) node = node.children[childOf(node, key)] as Node;
    const position = lowerBound(node.keys, key);
    return node.keys[position] === key ? (node.slots[position] as number) : -1;
  }

  /** After `seek`: the entry there changed at `main`, and the live keys by `liveChange`. */
  touch(main: number, liveChange: number): void {
    const path = this.#path;
    for (let depth = 0; depth < this.#depth; depth += 1) {
      const branch = path[depth] as Branch;
      if (branch.newest < main) branch.newest = main;
      branch.live += liveChange;
    }
    const leaf = this.leaf;
    if (leaf.newest < main) leaf.newest = main;
    leaf.live += liveChange;
  }

  /** After a `seek` that did not find `key`: puts it there, not live. `touch` may follow. */
  insert(key: Key, slot: number): void {
    const leaf = this.leaf;
    const position = this.position;
    this.size += 1;
    if (leaf.keys.length < FANOUT) {
      insertAt(leaf.keys, position, key);
      insertAt(leaf.slots, position, slot);
      return;
    }
    const isAppend = leaf.next === undefined && position === leaf.keys.length;
    const middle = isAppend ? position : FANOUT / 2;
    const right = new Leaf(leaf.keys.splice(middle), leaf.slots.splice(middle));
    const target = position > middle || isAppend ? right : leaf;
    const at = target === right ? position - middle : position;
    insertAt(target.keys, at, key);
    insertAt(target.slots, at, slot);
    right.newest = leaf.newest;
    right.live = this.#countLeaf(right, right.keys.length);
    leaf.live -= right.live;
    right.next = leaf.next;
    right.previous = leaf;
    if (right.next !== undefined) right.next.previous = right;
    leaf.next = right;
    this.#insertChild(right.keys[0] as Key, leaf, right);
    // The path may lead elsewhere now.
    this.seek(key);
  }

  /** Removes a key that is not live. */
  remove(key: Key): void {
    const isFound = this.seek(key);
    assert(isFound, "a removed key is in the tree");
    const leaf = this.leaf;
    leaf.keys.splice(this.position, 1);
    leaf.slots.splice(this.position, 1);
    this.size -= 1;
    if (leaf.keys.length < SPARSE && this.#depth > 0) this.#mend(this.#depth - 1);
  }

  /** Live keys with lo <= key < hi (undefined = no end). */
  countLive(lo: Key, hi: Key | undefined): number {
    const below = hi === undefined ? this.#root.live : this.#liveBelow(hi);
    return Math.max(0, below - this.#liveBelow(lo));
  }

  /** The same at an old revision. */
  countLiveAt(lo: Key, hi: Key | undefined, revision: number): number {
    return this.#countAt(this.#root, lo, hi, revision);
  }

  /** Where a walk over all entries by `next` starts. */
  firstLeaf(): Leaf {
    let node = this.#root;
    while (!node.isLeaf) node = node.children[0] as Node;
    return node;
  }

  /** Puts the place that `seek` sets. A walk's, not a path's: nothing may be changed there. */
  stand(leaf: Leaf, position: number): void {
    this.leaf = leaf;
    this.position = position;
  }

  /** Fills an empty tree with ascending entries, a few at a time; `finish` makes it whole. */
  loader(): KeyTreeLoader {
    assert(this.size === 0, "only an empty tree is loaded");
    const leaves: Leaf[] = [];
    let leaf = new Leaf([], []);
    let size = 0;
    return {
      add: (key, slot, main) => {
        if (leaf.keys.length === LOADED || size === 0) {
          const next = new Leaf([], []);
          next.previous = leaves.at(-1);
          if (next.previous !== undefined) next.previous.next = next;
          leaf = next;
          leaves.push(leaf);
        }
        leaf.keys.push(key);
        leaf.slots.push(slot);
        if (leaf.newest < main) leaf.newest = main;
        if (this.#states.isLive(slot)) leaf.live += 1;
        size += 1;
      },
      finish: () => {
        this.size = size;
        this.#root = leaves.length === 0 ? this.#root : stacked(leaves);
        this.leaf = this.firstLeaf();
      },
    };
  }

  /** Checks the invariants of the whole tree; for tests. */
  verify(): void {
    let leaf: Leaf | undefined;
    let entries = 0;
    const visit = (node: Node, lo: Key | undefined, hi: Key | undefined): void => {
      if (!node.isLeaf) {
        assert(node.children.length === node.separators.length + 1, "a separator between children");
        let live = 0;
        node.children.forEach((child, at) => {
          visit(child, at === 0 ? lo : node.separators[at - 1], node.separators[at] ?? hi);
          live += child.live;
          assert(child.newest <= node.newest, "newest covers the children");
        });
        assert(live === node.live, "live is the sum of the children");
        return;
      }
      assert(leaf === undefined || leaf.next === node, "leaves are linked in order");
      assert(node.previous === leaf, "leaves are linked backwards");
      leaf = node;
      entries += node.keys.length;
      assert(node.keys.length === node.slots.length, "a slot for each key");
      assert(node.live === this.#countLeaf(node, node.keys.length), "live is counted");
      node.keys.forEach((key, at) => {
        assert(at === 0 || (node.keys[at - 1] as Key) < key, "keys ascend");
        assert(lo === undefined || key >= lo, "keys respect the separator below");
        assert(hi === undefined || key < hi, "keys respect the separator above");
      });
    };
    visit(this.#root, undefined, undefined);
    assert(entries === this.size, "size is the number of entries");
  }

  /** Live entries among the first `end`. */
  #countLeaf(leaf: Leaf, end: number): number {
    let count = 0;
    for (let at = 0; at < end; at += 1) {
      if (this.#states.isLive(leaf.slots[at] as number)) count += 1;
    }
    return count;
  }

  #liveBelow(key: Key): number {
    let count = 0;
    let node = this.#root;
    while (!node.isLeaf) {
      const position = childOf(node, key);
      for (let at = 0; at < position; at += 1) count += (node.children[at] as Node).live;
      node = node.children[position] as Node;
    }
    return count + this.#countLeaf(node, lowerBound(node.keys, key));
  }

  #countAt(node: Node, lo: Key | undefined, hi: Key | undefined, revision: number): number {
    if (lo === undefined && hi === undefined && node.newest <= revision) return node.live;
    let count = 0;
    if (node.isLeaf) {
      const first = lo === undefined ? 0 : lowerBound(node.keys, lo);
      const end = hi === undefined ? node.keys.length : lowerBound(node.keys, hi);
      for (let at = first; at < end; at += 1) {
        if (this.#states.isLiveAt(node.slots[at] as number, revision)) count += 1;
      }
      return count;
    }
    const first = lo === undefined ? 0 : childOf(node, lo);
    const last = hi === undefined ? node.children.length - 1 : childOf(node, hi);
    for (let at = first; at <= last; at += 1) {
      const child = node.children[at] as Node;
      const childLo = at === first ? lo : undefined;
      count += this.#countAt(child, childLo, at === last ? hi : undefined, revision);
    }
    return count;
  }

  /** Puts `right` behind `left`, walking up the path of the last seek. */
  #insertChild(separator: Key, left: Node, right: Node): void {
    let low = separator;
    let before = left;
    let added = right;
    for (let depth = this.#depth - 1; depth >= 0; depth -= 1) {
      const branch = this.#path[depth] as Branch;
      const position = this.#pathPositions[depth] as number;
      insertAt(branch.separators, position, low);
      insertAt(branch.children, position + 1, added);
      if (branch.children.length <= FANOUT) return;
      const isAppend = position + 2 === branch.children.length;
      const middle = isAppend ? branch.children.length - 2 : branch.children.length >>> 1;
      const sibling = new Branch(branch.separators.splice(middle), branch.children.splice(middle));
      low = branch.separators.pop() as Key;
      for (const child of sibling.children) sibling.live += child.live;
      branch.live -= sibling.live;
      sibling.newest = branch.newest;
      before = branch;
      added = sibling;
    }
    const root = new Branch([low], [before, added]);
    root.live = before.live + added.live;
    root.newest = Math.max(before.newest, added.newest);
    this.#root = root;
  }

  /** Joins the sparse child on the path at `depth` with a neighbour, or removes it when empty. */
  #mend(depth: number): void {
    const branch = this.#path[depth] as Branch;
    const position = this.#pathPositions[depth] as number;
    const left = position > 0 ? position - 1 : position;
    const first = branch.children[left] as Node;
    const second = branch.children[left + 1];
    if (second !== undefined && sizeOf(first) + sizeOf(second) <= MERGED_MAX) {
      if (first.isLeaf && second.isLeaf) {
        first.keys = first.keys.concat(second.keys);
        first.slots = first.slots.concat(second.slots);
        first.next = second.next;
        if (first.next !== undefined) first.next.previous = first;
        second.keys = [];
      } else if (!first.isLeaf && !second.isLeaf) {
        const between = branch.separators[left] as Key;
        first.separators = first.separators.concat([between], second.separators);
        first.children = first.children.concat(second.children);
      }
      first.live += second.live;
      first.newest = Math.max(first.newest, second.newest);
      branch.children.splice(left + 1, 1);
      branch.separators.splice(left, 1);
    } else if (sizeOf(branch.children[position] as Node) === 0) {
      this.#dropEmpty(branch, position);
    }
    if (depth === 0) {
      while (!this.#root.isLeaf && this.#root.children.length === 1) {
        this.#root = this.#root.children[0] as Node;
      }
      return;
    }
    if (branch.children.length < SPARSE) this.#mend(depth - 1);
  }

  /** An empty leaf beside a neighbour too full to join. Branches are never left empty. */
  #dropEmpty(branch: Branch, position: number): void {
    if (branch.children.length === 1) return;
    const child = branch.children[position] as Node;
    if (child.isLeaf) {
      if (child.previous !== undefined) child.previous.next = child.next;
      if (child.next !== undefined) child.next.previous = child.previous;
    }
    branch.children.splice(position, 1);
    branch.separators.splice(position === 0 ? 0 : position - 1, 1);
  }
}

/** Branches over `level`, up to one root. */
function stacked(leaves: readonly Leaf[]): Node {
  let level: readonly Node[] = leaves;
  let lows = leaves.map((leaf) => leaf.keys[0] as Key);
  while (level.length > 1) {
    const above: Node[] = [];
    const aboveLows: Key[] = [];
    for (let at = 0; at < level.length; at += LOADED) {
      const branch = new Branch(lows.slice(at + 1, at + LOADED), level.slice(at, at + LOADED));
      for (const child of branch.children) {
        branch.live += child.live;
        branch.newest = Math.max(branch.newest, child.newest);
      }
      above.push(branch);
      aboveLows.push(lows[at] as Key);
    }
    level = above;
    lows = aboveLows;
  }
  return level[0] as Node;
}

function sizeOf(node: Node): number {
  return node.isLeaf ? node.keys.length : node.children.length;
}

function childOf(branch: Branch, key: Key): number {
  const separators = branch.separators;
  let low = 0;
  let high = separators.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((separators[middle] as Key) <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function lowerBound(keys: readonly Key[], key: Key): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as Key) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** By hand: `splice` would make an array of what it removed. */
function insertAt<T>(items: T[], position: number, item: T): void {
  let at = items.length;
  items.push(item);
  for (; at > position; at -= 1) items[at] = items[at - 1] as T;
  items[position] = item;
}
