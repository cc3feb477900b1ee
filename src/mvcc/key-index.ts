/**
 * The keys in memory: where each key's revisions are, at every revision since the last compaction.
 *
 * A key that was written once costs its string, a place in the tree and a slot; older revisions
 * stand in a shared history. Nothing here knows values.
 *
 * Source: decision 0007.
 */
import { assert, type Key } from "../base/index.ts";
import { DroppedRevisions } from "./dropped-revisions.ts";
import { KeySlots } from "./key-slots.ts";
import type { Leaf } from "./key-nodes.ts";
import { KeyTree } from "./key-tree.ts";
import { type Cut, RevisionHistory } from "./revision-history.ts";

/** Newer than every revision: reads see what is current, inside a transaction too. */
export const LATEST = Number.MAX_SAFE_INTEGER;

export class KeyIndex {
  readonly #slots = new KeySlots();
  /** Superseded revisions; shared with what writes and reads the index as a whole. */
  readonly history = new RevisionHistory();
  readonly #tree: KeyTree;
  readonly #cut: Cut = { head: 0, dropped: 0 };
  /** What compactions took out of the index, until their records are deleted. */
  readonly dropped = new DroppedRevisions(this.history);
  /** What the last `locate`, `put` or `tombstone` found or made. */
  main = 0;
  sub = 0;
  create = 0;
  version = 0;

  constructor() {
    this.#tree = new KeyTree(this.#slots, (slot, revision) => this.#isLiveAt(slot, revision));
  }

  /** Keys with any revision, live or not. */
  get keys(): number {
    return this.#tree.size;
  }

  /** Keys that exist now. */
  get liveKeys(): number {
    return this.#tree.live;
  }

  /** Superseded revisions held. */
  get oldRevisions(): number {
    return this.history.count;
  }

  /** A new revision of `key`; `create` and `version` tell what its record says. */
  put(key: Key, main: number, sub: number, lease: bigint): void {
    const slot = this.#slotFor(key);
    const version = this.#slots.version(slot);
    this.create = version === 0 ? main : this.#slots.create(slot);
    this.version = version + 1;
    this.#supersede(slot, main);
    this.#slots.set(slot, main, sub, this.create, this.version);
    this.#slots.setLease(slot, lease);
    this.#tree.touch(main, version === 0 ? 1 : 0);
  }

  /** Deletes a live key; false when there is none. */
  tombstone(key: Key, main: number, sub: number): boolean {
    if (!this.#tree.seek(key)) return false;
    const slot = this.#tree.leaf.slotAt(this.#tree.position);
    if (this.#slots.version(slot) === 0) return false;
    this.#supersede(slot, main);
    this.#slots.set(slot, main, sub, 0, 0);
    this.#slots.setLease(slot, 0n);
    this.#tree.touch(main, -1);
    return true;
  }

  /** A revision found in the store, in ascending order; version 0 = a tombstone. */
  restore(key: Key, revision: RestoredRevision): void {
    const slot = this.#slotFor(key);
    const slots = this.#slots;
    const before = slots.main(slot);
    if (before > revision.main || (before === revision.main && slots.sub(slot) >= revision.sub)) {
      return;
    }
    const wasLive = slots.version(slot) !== 0;
    this.#supersede(slot, revision.main);
    slots.set(slot, revision.main, revision.sub, revision.create, revision.version);
    slots.setLease(slot, revision.lease);
    const isLive = revision.version !== 0;
    this.#tree.touch(revision.main, (isLive ? 1 : 0) - (wasLive ? 1 : 0));
  }

  /** Whether `key` is live at `revision`; `main` and `sub` then name its revision. */
  locate(key: Key, revision: number): boolean {
    const slot = this.#tree.find(key);
    return slot !== -1 && this.locateSlot(slot, revision);
  }

  /**
   * After `locate` or a walk at LATEST: fills `create` and `version`; false when superseded since.
   */
  isNewest(slot: number): boolean {
    if (this.#slots.main(slot) !== this.main || this.#slots.sub(slot) !== this.sub) return false;
    this.create = this.#slots.create(slot);
    this.version = this.#slots.version(slot);
    return true;
  }

  /** The slot of a key, -1 when unknown. Valid until the next compaction step. */
  slotOf(key: Key): number {
    return this.#tree.find(key);
  }

  lease(slot: number): bigint {
    return this.#slots.lease(slot);
  }

  /** Live keys with lo <= key < hi (undefined = no end) at `revision`. */
  count(lo: Key, hi: Key | undefined, revision: number): number {
    if (revision >= this.#tree.newest) return this.#tree.countLive(lo, hi);
    return this.#tree.countLiveAt(lo, hi, revision);
  }

  /**
   * Calls `visit` for each key of the range that is live at `revision`, in key order, with `main`
   * and `sub` set, until it returns false. The index must not change meanwhile.
   */
  walk(
    lo: Key,
    hi: Key | undefined,
    revision: number,
    visit: (key: Key, slot: number) => boolean,
  ): void {
    this.#tree.seek(lo);
    let leaf: Leaf | undefined = this.#tree.leaf;
    let position = this.#tree.position;
    while (leaf !== undefined) {
      // A leaf with nothing live and nothing newer holds nothing for this revision.
      const isBarren: boolean = leaf.live === 0 && leaf.newest <= revision;
      const end = isBarren ? 0 : leaf.count;
      for (; position < end; position += 1) {
        const slot = leaf.slotAt(position);
        const key = this.#slots.key(slot);
        if (hi !== undefined && key >= hi) return;
        if (this.locateSlot(slot, revision) && !visit(key, slot)) return;
      }
      if (hi !== undefined && isBarren && leaf.count > 0) {
        if (this.#slots.key(leaf.slotAt(0)) >= hi) return;
      }
      leaf = leaf.next;
      position = 0;
    }
  }

  /**
   * Compacts at most `keysMax` keys after `after` (undefined = from the first) at `revision`.
   * What superseded revisions it drops are added to `dropped`. Returns the last key visited,
   * undefined when there are no more.
   */
  compact(after: Key | undefined, revision: number, keysMax: number): Key | undefined {
    const removed: Key[] = [];
    let last: Key | undefined;
    let visited = 0;
    let leaf: Leaf | undefined;
    let position = 0;
    if (after === undefined) leaf = this.#tree.firstLeaf();
    else {
      const isFound = this.#tree.seek(after);
      leaf = this.#tree.leaf;
      position = this.#tree.position + (isFound ? 1 : 0);
    }
    while (leaf !== undefined && visited < keysMax) {
      for (; position < leaf.count && visited < keysMax; position += 1) {
        visited += 1;
        const slot = leaf.slotAt(position);
        last = this.#slots.key(slot);
        if (this.#compactSlot(slot, revision)) removed.push(last);
      }
      leaf = leaf.next;
      position = 0;
    }
    for (const key of removed) {
      const slot = this.#tree.find(key);
      this.#tree.remove(key);
      this.#slots.release(slot);
    }
    return visited < keysMax ? undefined : last;
  }

  /** The first key after `after` (undefined = the first of all), live or not. */
  entryAfter(after: Key | undefined): IndexEntry | undefined {
    const tree = this.#tree;
    let leaf: Leaf | undefined = tree.leaf;
    let position = tree.position;
    if (after === undefined) {
      leaf = tree.firstLeaf();
      position = 0;
    } else if (position < leaf.count && this.#slots.key(leaf.slotAt(position)) === after) {
      // Nothing has moved the tree's place since the last call, which is the rule.
      position += 1;
    } else {
      position = tree.seek(after) ? tree.position + 1 : tree.position;
      leaf = tree.leaf;
    }
    while (leaf !== undefined && position >= leaf.count) {
      leaf = leaf.next;
      position = 0;
    }
    if (leaf === undefined) return undefined;
    tree.stand(leaf, position);
    return this.#entry(leaf.slotAt(position));
  }

  /** For an empty index: takes entries in key order. */
  loader(): KeyIndexLoader {
    const slots = this.#slots;
    const { history } = this;
    const tree = this.#tree.loader();
    let slot = 0;
    return {
      add: (entry) => {
        slot = slots.allocate(entry.key);
        slots.set(slot, entry.main, entry.sub, entry.create, entry.version);
        slots.setLease(slot, entry.lease);
        tree.add(slot, entry.main);
      },
      setOlder: (pairs) => {
        let head = 0;
        for (let at = pairs.length - 2; at >= 0; at -= 2) {
          const sub = pairs[at + 1] as number;
          head = history.push(head, pairs[at] as number, sub >>> 1, (sub & 1) === 1);
        }
        slots.setOlder(slot, head);
      },
      finish: () => tree.finish(),
    };
  }

  verify(): void {
    this.#tree.verify();
  }

  #entry(slot: number): IndexEntry {
    const slots = this.#slots;
    return {
      key: slots.key(slot),
      main: slots.main(slot),
      sub: slots.sub(slot),
      create: slots.create(slot),
      version: slots.version(slot),
      lease: slots.lease(slot),
      older: slots.older(slot),
    };
  }

  #slotFor(key: Key): number {
    const tree = this.#tree;
    if (tree.seek(key)) return tree.leaf.slotAt(tree.position);
    const slot = this.#slots.allocate(key);
    tree.insert(slot);
    return slot;
  }

  /** Moves the newest revision of a slot into its history. */
  #supersede(slot: number, main: number): void {
    const slots = this.#slots;
    const before = slots.main(slot);
    assert(before <= main, "revisions of a key ascend");
    if (before === 0) return;
    const isTombstone = slots.version(slot) === 0;
    const older = this.history.push(slots.older(slot), before, slots.sub(slot), isTombstone);
    slots.setOlder(slot, older);
  }

  /** As `locate`, for a slot. */
  locateSlot(slot: number, revision: number): boolean {
    const slots = this.#slots;
    const main = slots.main(slot);
    if (main <= revision) {
      if (slots.version(slot) === 0) return false;
      this.main = main;
      this.sub = slots.sub(slot);
      return true;
    }
    const history = this.history;
    const node = history.find(slots.older(slot), revision);
    if (node === 0 || history.isTombstone(node)) return false;
    this.main = history.main(node);
    this.sub = history.sub(node);
    return true;
  }

  #isLiveAt(slot: number, revision: number): boolean {
    const slots = this.#slots;
    if (slots.main(slot) <= revision) return slots.version(slot) !== 0;
    const node = this.history.find(slots.older(slot), revision);
    return node !== 0 && !this.history.isTombstone(node);
  }

  /** True when nothing of the key is left. */
  #compactSlot(slot: number, revision: number): boolean {
    const slots = this.#slots;
    const older = slots.older(slot);
    const main = slots.main(slot);
    if (main > revision) {
      if (older === 0) return false;
      this.history.cut(older, revision, this.#cut);
      slots.setOlder(slot, this.#cut.head);
      this.dropped.add(this.#cut.dropped);
      return false;
    }
    slots.setOlder(slot, 0);
    const isGone = slots.version(slot) === 0 && main < revision;
    this.dropped.add(isGone ? this.history.push(older, main, slots.sub(slot), true) : older);
    return isGone;
  }
}

/** All that is known of a key. */
export interface IndexEntry extends RestoredRevision {
  readonly key: Key;
  /** First of its superseded revisions in the history; 0 = none. */
  readonly older: number;
}

export interface KeyIndexLoader {
  /** Keys ascend; `older` is set by `setOlder`. */
  add(entry: IndexEntry): void;
  /**
   * The superseded revisions of the key added last, newest first: main, sub * 2 + 1 if tombstone.
   */
  setOlder(pairs: readonly number[]): void;
  finish(): void;
}

export interface RestoredRevision {
  readonly main: number;
  readonly sub: number;
  readonly create: number;
  readonly version: number;
  readonly lease: bigint;
}
