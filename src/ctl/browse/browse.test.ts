import assert from "node:assert/strict";
import { test } from "node:test";
import type { KeyValue } from "../../client/index.ts";
import type { KeyReader } from "../keys/level.ts";
import { Browser, ENTRIES_MAX } from "./browser.ts";
import { browse } from "./command.ts";
import { TypedReader } from "./typed.ts";

const HEIGHT = 3;

test("typed: arrows, pages, letters; a sequence in two parts; Escape alone", () => {
  const reader = new TypedReader();
  assert.deepEqual(reader.read("\x1b[A\x1bOB\x1b[5~\x1b[1;5C"), ["up", "down", "pageUp"]);
  assert.deepEqual(reader.read("\x1b["), []);
  assert.deepEqual(reader.read("6~q"), ["pageDown", { letter: "q" }]);
  assert.deepEqual(reader.read("\x1b"), ["escape"]);
  assert.deepEqual(reader.read("\r\x7f\x03é\x00"), [
    ...["enter", "backspace", "interrupt"],
    { letter: "é" },
  ]);
});

/** A terminal of three lines over keys in memory. */
async function open(keys: readonly string[]) {
  const all = keys.map((key) => Buffer.from(key));
  const within = (from: Buffer, to: Buffer): Buffer[] =>
    all
      .filter((key) => key.compare(from) >= 0 && (to.length === 0 || key.compare(to) < 0))
      .sort((a, b) => a.compare(b));
  const reader: KeyReader = {
    page: async (from, to, limit) => {
      const found = within(from, to);
      return { keys: found.slice(0, limit), hasMore: found.length > limit };
    },
    count: async (from, to) => within(from, to).length,
  };
  const browser = new Browser({
    reader: () => reader,
    get: async (key) => (all.some((one) => one.equals(key)) ? ({ key } as KeyValue) : undefined),
    linesOf: ({ key }) => Array.from({ length: 5 }, (_, at) => `${key.toString()} line ${at}`),
    separator: Buffer.from("/"),
    root: Buffer.alloc(0),
  });
  await browser.open();
  const typed = new TypedReader();
  return {
    all,
    /** The lines to be seen, `>` before the chosen one, and the foot; "end" when it is over. */
    async type(text: string): Promise<string[]> {
      for (const one of typed.read(text)) {
        if (!(await browser.type(one, HEIGHT))) return ["end"];
      }
      const { title, lines, chosen, foot } = await browser.screen(HEIGHT);
      const body = lines.map((line, at) => (at === chosen ? `>${line}` : ` ${line}`));
      return [title, ...body, foot.replace(/ {2}.*/, "")];
    },
  };
}

const DOWN = "\x1b[B";

test("browse: down into directories, a value by lines, and back", async () => {
  const { type } = await open(["a/b/1", "a/c", "d", "e", "f"]);
  assert.deepEqual(await type(""), ["(all keys)", ">a/", " d", " e", "1 of 4"]);
  assert.deepEqual(await type(DOWN.repeat(9)), ["(all keys)", " d", " e", ">f", "4 of 4"]);
  assert.deepEqual(await type("\x1b[H\r"), ["a/", ">b/", " c", "1 of 2"]);
  assert.deepEqual(await type(`${DOWN}\r`), [
    ...["a/c", " a/c line 0", " a/c line 1", " a/c line 2"],
    "lines 1 to 3 of 5",
  ]);
  assert.equal((await type("\x1b[F")).at(-1), "lines 3 to 5 of 5");
  assert.deepEqual(await type("\x1b[D\x1b[D\x1b[D"), ["(all keys)", ">a/", " d", " e", "1 of 4"]);
  // Typed ahead of what is shown.
  assert.equal((await type(`\r\r`))[0], "a/b/");
  assert.deepEqual(await type("q"), ["end"]);
  assert.deepEqual(await (await open([])).type("\r"), ["(all keys)", "no keys"]);
});

test("browse: search goes to the first at or behind, backspace and Escape take it back", async () => {
  const { type, all } = await open(["apple", "banana", "cherry", "date"]);
  assert.equal((await type("/cx\x7f")).at(-1), "/c");
  assert.deepEqual(await type("\r"), ["(all keys)", ">cherry", " date", "1 of 2"]);
  assert.deepEqual((await type("r/bz\r")).slice(0, 2), ["(all keys)", ">cherry"]);
  assert.equal((await type("/zz\r")).at(-1), "nothing at or behind zz");
  assert.equal((await type("/a\x1b")).at(-1), "1 of 2");
  all.splice(2, 1);
  assert.equal((await type("\r")).at(-1), "cherry is gone");
  assert.equal((await type("r"))[1], ">apple");
  assert.deepEqual(await type("\x03"), ["end"]);
});

test("browse: a level larger than what is kept → told, and reached by search", async () => {
  const keys = Array.from({ length: ENTRIES_MAX + 1_000 }, (_, at) => `k${100_000 + at}`);
  const { type } = await open(keys);
  assert.match((await type("\x1b[F")).at(-1) ?? "", /^only the first 10000 are listed: search/);
  assert.equal((await type("/k110900\r"))[1], ">k110900");
  assert.match(browse.usage, /prefix/);
});
