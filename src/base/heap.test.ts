import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionError } from "./assert.ts";
import { Heap } from "./heap.ts";
import { Prng } from "./prng.ts";

interface Item {
  due: number;
  position: number;
}

function heapOf(...dues: number[]): { heap: Heap<Item>; items: Item[] } {
  const heap = new Heap<Item>({
    before: (a, b) => a.due < b.due,
    positionOf: (item) => item.position,
    place: (item, position) => {
      item.position = position;
    },
  });
  const items = dues.map((due) => ({ due, position: -1 }));
  for (const item of items) heap.push(item);
  return { heap, items };
}

function drain(heap: Heap<Item>): number[] {
  const out: number[] = [];
  for (let item = heap.pop(); item !== undefined; item = heap.pop()) out.push(item.due);
  return out;
}

test("heap: items come out in order", () => {
  const { heap } = heapOf(5, 1, 4, 1, 3, 9, 2);
  assert.equal(heap.peek()?.due, 1);
  assert.deepEqual(drain(heap), [1, 1, 2, 3, 4, 5, 9]);
  assert.equal(heap.pop(), undefined);
});

test("heap: an item in the middle moves and leaves", () => {
  const { heap, items } = heapOf(5, 1, 4, 7, 3);
  const [five, , four, seven] = items as [Item, Item, Item, Item, Item];
  five.due = 0;
  heap.update(five);
  four.due = 8;
  heap.update(four);
  heap.remove(seven);
  heap.remove(seven);
  assert.equal(seven.position, -1);
  assert.deepEqual(drain(heap), [0, 1, 3, 8]);
});

test("heap: clear lets every item go", () => {
  const { heap, items } = heapOf(3, 1, 2);
  heap.clear();
  assert.equal(heap.size, 0);
  assert.ok(items.every((item) => item.position === -1));
});

test("heap: an item that is in it cannot be pushed again", () => {
  const { heap, items } = heapOf(3);
  assert.throws(() => heap.push(items[0] as Item), AssertionError);
});

test("heap: random pushes, moves and removals keep the order of a sorted array", () => {
  const prng = new Prng(11);
  const { heap, items: model } = heapOf();
  for (let step = 0; step < 20_000; step += 1) {
    const choice = prng.below(10);
    const some = model[prng.below(Math.max(1, model.length))];
    if (choice < 4 || some === undefined) {
      const item = { due: prng.below(1_000), position: -1 };
      heap.push(item);
      model.push(item);
    } else if (choice < 7) {
      some.due = prng.below(1_000);
      heap.update(some);
    } else if (choice < 9) {
      heap.remove(some);
      model.splice(model.indexOf(some), 1);
    } else {
      const first = heap.pop() as Item;
      assert.equal(first.due, Math.min(...model.map((item) => item.due)));
      model.splice(model.indexOf(first), 1);
    }
    assert.equal(heap.size, model.length);
  }
  assert.deepEqual(
    drain(heap),
    model.map((item) => item.due).sort((a, b) => a - b),
  );
});
