/**
 * The groups of watches, found by the key of a change: a map for single keys, an interval tree for
 * ranges.
 */
import { IntervalTree, type Key } from "../base/index.ts";
import type { ChangeRef } from "./events.ts";
import { WatchGroup, type WatchShape } from "./watch.ts";

export class GroupIndex {
  /** At most eight groups a place: one for each combination of filters and prev_kv. */
  readonly #points = new Map<Key, WatchGroup[]>();
  readonly #ranges = new IntervalTree<WatchGroup[]>();
  #stabbed: WatchGroup[][] = [];

  /** The group of a shape, made if there is none. */
  groupOf(shape: WatchShape): WatchGroup {
    const groups = this.#at(shape) ?? [];
    for (const group of groups) {
      if (areEqual(group.shape, shape)) return group;
    }
    const made = new WatchGroup(shape);
    groups.push(made);
    if (groups.length === 1) {
      if (shape.end === "") this.#points.set(shape.key, groups);
      else this.#ranges.set(shape.key, shape.end, groups);
    }
    return made;
  }

  /** To be called for a group without watches. */
  drop(group: WatchGroup): void {
    const { shape } = group;
    const groups = this.#at(shape);
    const position = groups?.indexOf(group) ?? -1;
    if (groups === undefined || position < 0) return;
    groups.splice(position, 1);
    if (groups.length > 0) return;
    if (shape.end === "") this.#points.delete(shape.key);
    else this.#ranges.delete(shape.key, shape.end);
  }

  #at(shape: WatchShape): WatchGroup[] | undefined {
    return shape.end === "" ? this.#points.get(shape.key) : this.#ranges.get(shape.key, shape.end);
  }

  /** Gives `ref` to each group that sees it; groups that had collected nothing go to `touched`. */
  collect(ref: ChangeRef, touched: WatchGroup[]): void {
    const key = ref.change.key;
    const points = this.#points.get(key);
    if (points !== undefined) collectInto(points, ref, touched);
    if (this.#ranges.size === 0) return;
    this.#ranges.stab(key, this.#stabbed);
    for (const groups of this.#stabbed) collectInto(groups, ref, touched);
    this.#stabbed.length = 0;
  }
}

function collectInto(groups: readonly WatchGroup[], ref: ChangeRef, touched: WatchGroup[]): void {
  for (const group of groups) {
    if (group.synced.length === 0 || !group.sees(ref)) continue;
    if (group.collected.length === 0) touched.push(group);
    group.collected.push(ref);
  }
}

function areEqual(a: WatchShape, b: WatchShape): boolean {
  return (
    a.key === b.key &&
    a.end === b.end &&
    a.dropsPuts === b.dropsPuts &&
    a.dropsDeletes === b.dropsDeletes &&
    a.hasPrevKv === b.hasPrevKv
  );
}
