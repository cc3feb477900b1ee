/** Pages for operators: what they point to is there. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ROOT } from "./harness/process.ts";

const OPERATING = "docs/operating";

function pages(): string[] {
  const names = readdirSync(join(ROOT, OPERATING)).filter((name) => name.endsWith(".md"));
  return [...names.map((name) => `${OPERATING}/${name}`), "deploy/README.md"];
}

function textOf(page: string): string {
  return readFileSync(join(ROOT, page), "utf8");
}

test("docs: every link of a page for operators leads to a file", () => {
  let links = 0;
  for (const page of pages()) {
    for (const [, target = ""] of textOf(page).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (/^https?:/.test(target)) continue;
      links += 1;
      assert.ok(existsSync(join(ROOT, dirname(page), target)), `${page}: ${target}`);
    }
  }
  assert.ok(links > 50, String(links));
});

test("docs: every page for operators is in the table of pages", () => {
  const index = textOf(`${OPERATING}/README.md`);
  for (const name of readdirSync(join(ROOT, OPERATING))) {
    if (name !== "README.md") assert.ok(index.includes(`(${name})`), name);
  }
});

test("docs: every test that the runbooks name is there, and each row of steps names one", () => {
  const text = textOf(`${OPERATING}/runbooks.md`);
  const named = [...text.matchAll(/`(test\/[\w/.-]+\.test\.ts)`/g)].map(([, path = ""]) => path);
  for (const path of named) assert.ok(existsSync(join(ROOT, path)), path);
  const steps = text.slice(text.indexOf("| task |"), text.indexOf("## The Wire runbook"));
  const rows = steps.trim().split("\n").slice(2);
  assert.ok(rows.length >= 10);
  for (const row of rows) assert.match(row, /`test\/|the tests of|as rolling restart/, row);
});
