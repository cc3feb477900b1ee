import assert from "node:assert/strict";
import { test } from "node:test";
import { tree } from "../commands/tree.ts";
import { endOf, type KeyReader, Level, shown } from "./level.ts";
import { writeTree } from "./tree.ts";

/** Keys in memory, and how many pages were read of them. */
function readerOf(keys: readonly string[]): KeyReader & { pages: number } {
  const all = keys.map((key) => Buffer.from(key, "latin1")).sort((a, b) => a.compare(b));
  const within = (from: Buffer, to: Buffer): Buffer[] =>
    all.filter((key) => key.compare(from) >= 0 && (to.length === 0 || key.compare(to) < 0));
  return {
    pages: 0,
    async page(from, to, limit) {
      this.pages += 1;
      const found = within(from, to);
      return { keys: found.slice(0, limit), hasMore: found.length > limit };
    },
    count: async (from, to) => within(from, to).length,
  };
}

const SLASH = Buffer.from("/");

async function names(reader: KeyReader, path: string, from?: string): Promise<string[]> {
  const level = new Level(reader, SLASH, Buffer.from(path), Buffer.from(from ?? path));
  const found: string[] = [];
  while (!level.isOver) for (const { name } of await level.more()) found.push(name);
  return found;
}

test("level: names up to the next separator, each directory once, its inside jumped over", async () => {
  const many = Array.from({ length: 5_000 }, (_, at) => `a/${at}`);
  const reader = readerOf([...many, "a", "b", "c/x", "c/y/z", "/root"]);
  assert.deepEqual(await names(reader, ""), ["/", "a", "a/", "b", "c/"]);
  assert.equal(reader.pages, 2);
  assert.deepEqual(await names(reader, "c/"), ["x", "y/"]);
  assert.deepEqual(await names(reader, "", "b"), ["b", "c/"]);
  assert.equal((await names(reader, "a/")).length, 5_000);
  assert.deepEqual(await names(readerOf([]), ""), []);
});

test("level: keys of any bytes; what a terminal would obey is quoted", async () => {
  const reader = readerOf(["\xff\xff/a", "\xff\xff/b", "\xff\xff"]);
  assert.deepEqual(await names(reader, ""), ['"\\xff\\xff"', '"\\xff\\xff/"']);
  assert.equal(endOf(Buffer.of(0xff, 0xff)).length, 0);
  assert.deepEqual(endOf(Buffer.of(1, 0xff)), Buffer.of(2));
  assert.equal(shown(Buffer.from("a\u001b[2Jb")), '"a\\x1b[2Jb"');
  assert.deepEqual(await names(readerOf(["a/", "a/b"]), "a/"), [".", "b"]);
});

test("tree: counts, sizes, depth, and no more lines than wanted", async () => {
  const reader = readerOf(["a/b/1", "a/b/2", "a/c", "z"]);
  const draw = async (depth: number, linesMax = 100, isSized = false): Promise<string[]> => {
    const lines: string[] = [];
    const bytesOf = isSized ? async () => 1_500 : undefined;
    const options = { separator: SLASH, depth, linesMax, bytesOf };
    await writeTree(reader, Buffer.alloc(0), options, (line) => lines.push(line));
    return lines;
  };
  assert.deepEqual(await draw(2), [
    "(all keys)  4 keys",
    "├── a/  3 keys",
    "│   ├── b/  2 keys",
    "│   └── c",
    "└── z",
  ]);
  assert.deepEqual(await draw(1, 100, true), [
    "(all keys)  4 keys, 1.5 kB",
    "├── a/  3 keys, 1.5 kB",
    "└── z  1.5 kB",
  ]);
  assert.deepEqual(await draw(3, 2), [
    "(all keys)  4 keys",
    "├── a/  3 keys",
    "│   ├── b/  2 keys",
    "... more than 2 lines: give a prefix, or less --depth",
  ]);
  assert.match(tree.usage, /prefix/);
});
