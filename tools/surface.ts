/**
 * Compares docs/reference/surface.md with the names of the tests. `node tools/surface.ts --rewrite`
 * marks what tests prove.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSource } from "./source.ts";

export interface Row {
  /** One id, or the first and last of a range that stands in one row. */
  readonly first: string;
  readonly last: string;
  readonly statement: string;
  /** "proven", "open", "later: why", "differs: why". */
  readonly state: string;
}

const ID = /\b(?:[A-Z]{2}|V2)-\d{2}\b/g;
const ROW = /^\| ((?:[A-Z]{2}|V2)-\d{2})(?: … ((?:[A-Z]{2}|V2)-\d{2}))? \| (.+) \| (.+) \|$/;
const STATE = /^(?:proven|open|later: .+|differs: .+)$/;

export function parseTable(markdown: string): Row[] {
  const rows: Row[] = [];
  for (const line of markdown.split("\n")) {
    const match = ROW.exec(line);
    if (match === null) continue;
    const [, first = "", last = first, statement = "", state = ""] = match;
    rows.push({ first, last, statement, state });
  }
  return rows;
}

/** Ids named by tests, each with one place that names it. Only titles count, not comments. */
export function namedIds(files: ReadonlyMap<string, string>): Map<string, string> {
  const named = new Map<string, string>();
  for (const [path, text] of files) {
    const { code } = parseSource(path, text);
    // Titles are literals: what the blanked code no longer has, up to the body of the test.
    for (const match of code.matchAll(/\b(?:test|it|describe)\s*\(/g)) {
      const lo = match.index + match[0].length;
      for (const id of titleAt(code, text, lo).matchAll(ID)) named.set(id[0], path);
    }
    // A title that is put together above its test, in a constant called name.
    for (const match of code.matchAll(/\bconst name =/g)) {
      const end = code.indexOf(";", match.index);
      for (const id of text.slice(match.index, end).matchAll(ID)) named.set(id[0], path);
    }
  }
  return named;
}

/** The text from `lo` to the first comma outside a literal: the first argument. */
function titleAt(code: string, text: string, lo: number): string {
  const end = code.indexOf(",", lo);
  return text.slice(lo, end < 0 ? text.length : end);
}

function covers(row: Row, id: string): boolean {
  return row.first <= id && id <= row.last && row.first.slice(0, 2) === id.slice(0, 2);
}

export function findProblems(rows: readonly Row[], named: ReadonlyMap<string, string>): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const row of rows) {
    if (seen.has(row.first)) problems.push(`${row.first} stands twice in the table`);
    seen.add(row.first);
    if (!STATE.test(row.state))
      problems.push(`${row.first}: state "${row.state}" is none of the four`);
    const isNamed = [...named.keys()].some((id) => covers(row, id));
    if (row.state === "proven" && !isNamed)
      problems.push(`${row.first} is proven by no test's name`);
  }
  for (const [id, path] of named) {
    const row = rows.find((candidate) => covers(candidate, id));
    if (row === undefined) problems.push(`${path} names ${id}, which is not in the table`);
    else if (row.state === "open") problems.push(`${path} names ${id}, which the table calls open`);
  }
  return problems;
}

/** The table with "open" and "proven" as the tests have it. */
export function rewrite(markdown: string, named: ReadonlyMap<string, string>): string {
  const lines = markdown.split("\n").map((line) => {
    const [row] = parseTable(line);
    if (row === undefined || (row.state !== "open" && row.state !== "proven")) return line;
    const isNamed = [...named.keys()].some((id) => covers(row, id));
    const id = row.first === row.last ? row.first : `${row.first} … ${row.last}`;
    return `| ${id} | ${row.statement} | ${isNamed ? "proven" : "open"} |`;
  });
  return lines.join("\n");
}

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
export const TABLE_PATH = join(ROOT, "docs", "reference", "surface.md");

export function readTests(root: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const directory of ["src", "test"]) {
    const all = readdirSync(join(root, directory), { recursive: true, encoding: "utf8" });
    for (const name of all.filter((path) => path.endsWith(".test.ts"))) {
      files.set(`${directory}/${name}`, readFileSync(join(root, directory, name), "utf8"));
    }
  }
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const markdown = readFileSync(TABLE_PATH, "utf8");
  const named = namedIds(readTests(ROOT));
  if (process.argv.includes("--rewrite")) writeFileSync(TABLE_PATH, rewrite(markdown, named));
  const rows = parseTable(readFileSync(TABLE_PATH, "utf8"));
  for (const problem of findProblems(rows, named)) console.log(problem);
  const open = rows.filter((row) => row.state === "open").map((row) => row.first);
  console.log(`${rows.filter((row) => row.state === "proven").length} proven`);
  console.log(`${open.length} open: ${open.join(" ")}`);
}
