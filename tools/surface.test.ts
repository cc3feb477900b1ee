import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { KNOWN_DIFFERENCES } from "../test/compat/differences.ts";
import {
  findProblems,
  namedIds,
  parseTable,
  readTests,
  rewrite,
  ROOT,
  TABLE_PATH,
} from "./surface.ts";

test("surface: the table says of each id what the tests prove", () => {
  const rows = parseTable(readFileSync(TABLE_PATH, "utf8"));
  assert.ok(rows.length > 150);
  const problems = findProblems(rows, namedIds(readTests(ROOT)));
  assert.deepEqual(problems, [], "node tools/surface.ts --rewrite marks what is proven by now");
});

test("surface: the page of differences from etcd 3.4 lists those that the comparison knows", () => {
  const page = readFileSync(join(ROOT, "docs", "reference", "differences.md"), "utf8");
  const listed = [...page.matchAll(/^\| ([A-Z]{2}-\d{2}) \|/gm)].map((match) => match[1]);
  const known = new Set(listed);
  const missing = KNOWN_DIFFERENCES.map((difference) => difference.id).filter(
    (id) => !known.has(id),
  );
  assert.deepEqual(missing, []);
});

const TABLE =
  "| KV-01 | a | proven |\n| KV-02 | b | open |\n| GW-01 … GW-08 | c | later: gateway |\n";
const tests = (...titles: string[]): Map<string, string> =>
  new Map(
    titles.map((title, i) => [`src/${i}.test.ts`, `test("${title}", () => {\n  f("KV-09");\n});`]),
  );

test("surface: ids in titles count, those in bodies and comments do not", () => {
  const text =
    '// KV-03\ntest("a (KV-01, TX-02)", () => {\n  run("KV-04");\n});\ndescribe("RS-01", f);';
  const named = namedIds(new Map([["src/a.test.ts", text]]));
  assert.deepEqual([...named.keys()].sort(), ["KV-01", "RS-01", "TX-02"]);
});

test("surface: proven without a test, tested but open, and unknown ids → each named", () => {
  const rows = parseTable(TABLE);
  assert.deepEqual(findProblems(rows, namedIds(tests("KV-01"))), []);
  assert.deepEqual(findProblems(rows, namedIds(tests("KV-02 KV-77"))), [
    "KV-01 is proven by no test's name",
    "src/0.test.ts names KV-02, which the table calls open",
    "src/0.test.ts names KV-77, which is not in the table",
  ]);
  const twice = parseTable(`${TABLE}| KV-01 | a | done |\n`);
  assert.deepEqual(findProblems(twice, namedIds(tests("KV-01"))), [
    "KV-01 stands twice in the table",
    'KV-01: state "done" is none of the four',
  ]);
});

test("surface: rewriting moves rows between open and proven and leaves the rest", () => {
  const named = namedIds(tests("KV-02"));
  assert.equal(
    rewrite(TABLE, named),
    "| KV-01 | a | open |\n| KV-02 | b | proven |\n| GW-01 … GW-08 | c | later: gateway |\n",
  );
});
