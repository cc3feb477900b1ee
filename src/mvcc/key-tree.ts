/**
 * An ordered map from key to slot number: a B+tree that also knows, for each subtree, how many keys
 * are live and how new its newest revision is. Counting a range then costs two descents, and a
 * count at an old revision walks only what changed since.
 *
 * Keys are native one-byte strings (decision 0007), which their slots hold. A leaf that is appended
 * to at the far end is left full instead of split in halves. Read next: key-nodes.ts.
 *
 * Invariant: `live` = live keys below the node; `newest` >= the main revision of each key below it.
 * Invariant: separators[i] <= every key of children[i + 1], and greater than every key of
 * children[i].
 */
import { assert, type Key } from "../base/index.ts";
import {
  appendSlot,
  Branch,
  FANOUT,
  insertAt,
  insertEntry,
  insertSeparator,
  Leaf,
  moveEntries,
  type Node,
  NodePages,
  refreshBranch,
  removeEntry,
  searchBranch,
  searchLeaf,
  setFences,
  verifyHeads,
} from "./key-nodes.ts";
import type { KeySlots } from "./key-slots.ts";

/** Smaller neighbours are joined when they fit together in MERGED_MAX. */
const SPARSE = 16;
const MERGED_MAX = 48;
/** How full a loaded node is: some room, so that the first inserts do not split every node. */
const LOADED = 56;

export interface KeyTreeLoader {
  add(slot: number, main: number): void;
  finish(): void;
}

export class KeyTree {
  readonly #slots: KeySlots;
  readonly #isLiveAt: (slot: number, revision: number) => boolean;
  readonly #pages = new NodePages();
  #root: Node = new Leaf(this.#pages.take());
  /** Keys held, live or not. */
  size = 0;
  /** Where the last `seek` ended. */
  leaf: Leaf;
  position = 0;
  /** The branches above that leaf and where each was left: the first `#depth` of each list. */
  readonly #path: Branch[] = [];
  readonly #pathPositions: number[] = [];
  #depth = 0;

  constructor(slots: KeySlots, isLiveAt: (slot: number, revision: number) => boolean) {
    this.#slots = slots;
    this.#isLiveAt = isLiveAt;
    this.leaf = this.#root as Leaf;
    setFences(this.leaf, slots, undefined, undefined);
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
      const position = searchBranch(node, key);
      path[depth] = node;
      positions[depth] = position;
      depth += 1;
      node = node.children[position] as Node;
    }
    this.#depth = depth;
    this.leaf = node;
    const found = searchLeaf(node, this.#slots, key);
    this.position = found < 0 ? ~found : found;
    return found >= 0;
  }

  /** The slot of `key`, or -1. */
  find(key: Key): number {
    return this.seek(key) ? this.leaf.slotAt(this.position) : -1;
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

  /** After a `seek` that did not find the key of `slot`: puts it there, not live. */
  insert(slot: number): void {
    const leaf = this.leaf;
    const slots = this.#slots;
    const position = this.position;
    this.size += 1;
    if (leaf.count < FANOUT) {
      insertEntry(leaf, slots, position, slot);
      return;
    }
    const isAppend = leaf.next === undefined && position === leaf.count;
    const middle = isAppend ? position : FANOUT / 2;
    const right = new Leaf(this.#pages.take());
    moveEntries(leaf, middle, right);
    const isRight = position > middle || isAppend;
    if (isRight) insertEntry(right, slots, position - middle, slot);
    else insertEntry(leaf, slots, position, slot);
    right.newest = leaf.newest;
    right.live = this.#countLeaf(right, right.count);
    leaf.live -= right.live;
    right.next = leaf.next;
    right.previous = leaf;
    if (right.next !== undefined) right.next.previous = right;
    leaf.next = right;
    const low = slots.key(right.slotAt(0));
    setFences(leaf, slots, this.#lowFence(this.#depth), low);
    setFences(right, slots, low, this.#highFence(this.#depth));
    this.#insertChild(low, leaf, right);
    // The path may lead elsewhere now.
    this.seek(slots.key(slot));
  }

  /** Removes a key that is not live. */
  remove(key: Key): void {
    const isFound = this.seek(key);
    assert(isFound, "a removed key is in the tree");
    const leaf = this.leaf;
    removeEntry(leaf, this.position);
    this.size -= 1;
    if (leaf.count < SPARSE && this.#depth > 0) this.#mend(this.#depth - 1);
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
    let leaf: Leaf | undefined;
    let low: Key | undefined;
    let size = 0;
    return {
      add: (slot, main) => {
        if (leaf === undefined || leaf.count === LOADED) {
          const next = new Leaf(this.#pages.take());
          next.previous = leaf;
          if (leaf !== undefined) {
            leaf.next = next;
            const high = this.#slots.key(slot);
            setFences(leaf, this.#slots, low, high);
            low = high;
          }
          leaf = next;
          leaves.push(leaf);
        }
        appendSlot(leaf, slot);
        if (leaf.newest < main) leaf.newest = main;
        if (this.#slots.version(slot) !== 0) leaf.live += 1;
        size += 1;
      },
      finish: () => {
        if (leaf === undefined) return;
        setFences(leaf, this.#slots, low, undefined);
        this.size = size;
        this.#root = this.#stacked(leaves);
        this.leaf = this.firstLeaf();
      },
    };
  }

  /** Checks the invariants of the whole tree; for tests. */
  verify(): void {
    let leaf: Leaf | undefined;
    let entries = 0;
    const visit = (node: Node, lo: Key | undefined, hi: Key | undefined): void => {
      verifyHeads(node, this.#slots, lo, hi);
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
      entries += node.count;
      assert(node.live === this.#countLeaf(node, node.count), "live is counted");
      for (let at = 0; at < node.count; at += 1) {
        const key = this.#slots.key(node.slotAt(at));
        assert(at === 0 || this.#slots.key(node.slotAt(at - 1)) < key, "keys ascend");
        assert(lo === undefined || key >= lo, "keys respect the separator below");
        assert(hi === undefined || key < hi, "keys respect the separator above");
      }
    };
    visit(this.#root, undefined, undefined);
    assert(entries === this.size, "size is the number of entries");
  }

  /** Live entries among the first `end`. */
  #countLeaf(leaf: Leaf, end: number): number {
    let count = 0;
    for (let at = 0; at < end; at += 1) {
      if (this.#slots.version(leaf.slotAt(at)) !== 0) count += 1;
    }
    return count;
  }

  #liveBelow(key: Key): number {
    this.seek(key);
    let count = this.#countLeaf(this.leaf, this.position);
    for (let depth = 0; depth < this.#depth; depth += 1) {
      const { children } = this.#path[depth] as Branch;
      const position = this.#pathPositions[depth] as number;
      for (let at = 0; at < position; at += 1) count += (children[at] as Node).live;
    }
    return count;
  }

  #countAt(node: Node, lo: Key | undefined, hi: Key | undefined, revision: number): number {
    if (lo === undefined && hi === undefined && node.newest <= revision) return node.live;
    let count = 0;
    if (node.isLeaf) {
      const first = lo === undefined ? 0 : this.#lowerBound(node, lo);
      const end = hi === undefined ? node.count : this.#lowerBound(node, hi);
      for (let at = first; at < end; at += 1) {
        if (this.#isLiveAt(node.slotAt(at), revision)) count += 1;
      }
      return count;
    }
    const first = lo === undefined ? 0 : searchBranch(node, lo);
    const last = hi === undefined ? node.children.length - 1 : searchBranch(node, hi);
    for (let at = first; at <= last; at += 1) {
      const child = node.children[at] as Node;
      const childLo = at === first ? lo : undefined;
      count += this.#countAt(child, childLo, at === last ? hi : undefined, revision);
    }
    return count;
  }

  #lowerBound(leaf: Leaf, key: Key): number {
    const found = searchLeaf(leaf, this.#slots, key);
    return found < 0 ? ~found : found;
  }

  /** The separator before the node at `depth` of the path of the last seek. */
  #lowFence(depth: number): Key | undefined {
    for (let above = depth - 1; above >= 0; above -= 1) {
      const position = this.#pathPositions[above] as number;
      if (position > 0) return (this.#path[above] as Branch).separators[position - 1];
    }
    return undefined;
  }

  /** The one behind it. */
  #highFence(depth: number): Key | undefined {
    for (let above = depth - 1; above >= 0; above -= 1) {
      const { separators } = this.#path[above] as Branch;
      const position = this.#pathPositions[above] as number;
      if (position < separators.length) return separators[position];
    }
    return undefined;
  }

  /** After a change of the separators around a child of the branch at `depth` of the path. */
  #refenceChild(depth: number, position: number): void {
    const { separators, children } = this.#path[depth] as Branch;
    const low = position > 0 ? separators[position - 1] : this.#lowFence(depth);
    const high = separators[position] ?? this.#highFence(depth);
    setFences(children[position] as Node, this.#slots, low, high);
  }

  /** Puts `right` behind `left`, walking up the path of the last seek. */
  #insertChild(separator: Key, left: Node, right: Node): void {
    let low = separator;
    let before = left;
    let added = right;
    for (let depth = this.#depth - 1; depth >= 0; depth -= 1) {
      const branch = this.#path[depth] as Branch;
      const position = this.#pathPositions[depth] as number;
      insertAt(branch.children, position + 1, added);
      if (branch.children.length <= FANOUT) {
        insertSeparator(branch, position, low);
        return;
      }
      insertAt(branch.separators, position, low);
      const isAppend = position + 2 === branch.children.length;
      const middle = isAppend ? branch.children.length - 2 : branch.children.length >>> 1;
      const sibling = new Branch(
        this.#pages.take(),
        branch.separators.splice(middle),
        branch.children.splice(middle),
      );
      low = branch.separators.pop() as Key;
      setFences(branch, this.#slots, this.#lowFence(depth), low);
      setFences(sibling, this.#slots, low, this.#highFence(depth));
      for (const child of sibling.children) sibling.live += child.live;
      branch.live -= sibling.live;
      sibling.newest = branch.newest;
      before = branch;
      added = sibling;
    }
    const root = new Branch(this.#pages.take(), [low], [before, added]);
    setFences(root, this.#slots, undefined, undefined);
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
        moveEntries(second, 0, first);
        first.next = second.next;
        if (first.next !== undefined) first.next.previous = first;
      } else if (!first.isLeaf && !second.isLeaf) {
        const between = branch.separators[left] as Key;
        first.separators = first.separators.concat([between], second.separators);
        first.children = first.children.concat(second.children);
      }
      this.#pages.give(second);
      first.live += second.live;
      first.newest = Math.max(first.newest, second.newest);
      branch.children.splice(left + 1, 1);
      branch.separators.splice(left, 1);
      refreshBranch(branch);
      this.#refenceChild(depth, left);
    } else if (sizeOf(branch.children[position] as Node) === 0) {
      this.#dropEmpty(depth, position);
    }
    if (depth === 0) {
      while (!this.#root.isLeaf && this.#root.children.length === 1) {
        this.#pages.give(this.#root);
        this.#root = this.#root.children[0] as Node;
      }
      return;
    }
    if (branch.children.length < SPARSE) this.#mend(depth - 1);
  }

  /** An empty leaf beside a neighbour too full to join. Branches are never left empty. */
  #dropEmpty(depth: number, position: number): void {
    const branch = this.#path[depth] as Branch;
    if (branch.children.length === 1) return;
    const child = branch.children[position] as Node;
    if (child.isLeaf) {
      if (child.previous !== undefined) child.previous.next = child.next;
      if (child.next !== undefined) child.next.previous = child.previous;
    }
    this.#pages.give(child);
    branch.children.splice(position, 1);
    const beside = position === 0 ? 0 : position - 1;
    branch.separators.splice(beside, 1);
    refreshBranch(branch);
    this.#refenceChild(depth, beside);
  }

  /** Branches over `leaves`, up to one root. */
  #stacked(leaves: readonly Leaf[]): Node {
    let level: readonly Node[] = leaves;
    let lows = leaves.map((leaf) => this.#slots.key(leaf.slotAt(0)));
    while (level.length > 1) {
      const above: Node[] = [];
      const aboveLows: Key[] = [];
      for (let at = 0; at < level.length; at += LOADED) {
        const separators = lows.slice(at + 1, at + LOADED);
        const branch = new Branch(this.#pages.take(), separators, level.slice(at, at + LOADED));
        setFences(branch, this.#slots, at === 0 ? undefined : lows[at], lows[at + LOADED]);
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
}

function sizeOf(node: Node): number {
  return node.isLeaf ? node.count : node.children.length;
}
