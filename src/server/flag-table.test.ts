/** docs/reference/flags.md lists what the table has; with REWRITE=1 this test renews the page. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isValue } from "./command-line.ts";
import { FLAGS } from "./flag-table.ts";

const PAGE = fileURLToPath(new URL("../../docs/reference/flags.md", import.meta.url));
const TABLE = /(^\|[^\n]*\|\n)+/m;

function table(): string {
  const rows = FLAGS.map((flag) => {
    const until = flag.untilMinor === undefined ? "" : `, up to 3.${flag.untilMinor}`;
    const fallback = flag.fallback === "" ? "" : `\`${flag.fallback}\``;
    return `| ${flag.name} | ${flag.kind} | ${fallback} | ${flag.mark}${until} | ${flag.help} |`;
  });
  return `${["| flag | kind | default | here | what |", "|---|---|---|---|---|", ...rows].join("\n")}\n`;
}

test("flags page: lists every flag as the table has it", () => {
  const page = readFileSync(PAGE, "utf8");
  if (process.env["REWRITE"] === "1") writeFileSync(PAGE, page.replace(TABLE, table));
  assert.equal(TABLE.exec(readFileSync(PAGE, "utf8"))?.[0], table());
});

test("flag table: names are unique, and every default is a value of its kind", () => {
  assert.equal(new Set(FLAGS.map((flag) => flag.name)).size, FLAGS.length);
  for (const flag of FLAGS) {
    assert.ok(isValue(flag, flag.fallback), flag.name);
    for (const off of flag.off ?? []) assert.ok(isValue(flag, off), flag.name);
  }
});
