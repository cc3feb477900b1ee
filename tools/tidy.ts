/**
 * The house rules that neither the compiler, the linter nor the formatter knows: floors and front
 * doors, what may touch the world, one room for each dependency, and no dead files.
 *
 * Every rule is a function of a `Tree`, so that its test can show it a small tree that breaks it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  ENTRY_POINTS,
  FILE_LINES_MAX,
  HOST_USERS,
  LARGE_FILE_LINES_MAX,
  LARGE_FILES,
  LINE_COLUMNS_MAX,
  ROOMS,
  SHARED_PACKAGES,
  SIDE_DOORS,
  SUITES,
  UNTESTED,
} from "./house.ts";
import { lineAt, parseSource, resolveImport } from "./source.ts";
import type { SourceFile } from "./source.ts";

export interface Tree {
  readonly files: ReadonlyMap<string, SourceFile>;
  /** Names in package.json's "dependencies". */
  readonly dependencies: readonly string[];
}

export interface Finding {
  readonly rule: string;
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

export type Rule = (tree: Tree) => Finding[];

export function makeTree(
  texts: Readonly<Record<string, string>>,
  dependencies: readonly string[] = [],
): Tree {
  const files = new Map<string, SourceFile>();
  for (const [path, text] of Object.entries(texts)) files.set(path, parseSource(path, text));
  return { files, dependencies };
}

/** The TypeScript files of src/, test/, bench/ and tools/, without generated ones. */
export function readTree(root: string): Tree {
  const texts: Record<string, string> = {};
  const walk = (directory: string): void => {
    for (const entry of readdirSync(join(root, directory), { withFileTypes: true })) {
      const path = `${directory}/${entry.name}`;
      if (path === "test/contract/gen" || entry.name === "node_modules") continue;
      if (entry.isDirectory()) walk(path);
      else if (/\.(ts|mts|mjs)$/.test(path)) texts[path] = readFileSync(join(root, path), "utf8");
    }
  };
  for (const directory of ["src", "test", "bench", "tools"]) walk(directory);
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    dependencies?: Record<string, string>;
  };
  return makeTree(texts, Object.keys(manifest.dependencies ?? {}));
}

/** Tests, measurements, processes that tests start, and everything outside src/. */
export function isTest(path: string): boolean {
  return /\.(test|bench|child)\.ts$/.test(path) || !path.startsWith("src/");
}

/** "wire" for src/wire/kv.ts; "" for src/index.ts. */
function roomOf(path: string): string {
  const parts = path.split("/");
  return parts.length > 2 ? (parts[1] ?? "") : "";
}

function productFiles(tree: Tree): SourceFile[] {
  return [...tree.files.values()].filter((file) => !isTest(file.path));
}

function mayImport(room: string, target: string): string | undefined {
  const from = ROOMS[room];
  const to = ROOMS[target];
  if (from === undefined) return `room "${room}" has no floor in tools/house.ts`;
  if (to === undefined) return `room "${target}" has no floor in tools/house.ts`;
  if (target === "testing") return "testing/ is for tests only";
  if (target === "host" && !HOST_USERS.includes(room)) return "host/ is handed in through seam/";
  if (from.only?.includes(target) === false)
    return `${room}/ may import only ${from.only.join(", ")}`;
  if (from.never?.includes(target) === true) return `${room}/ must never import ${target}/`;
  const isBelow = to.floor < from.floor;
  const isFriend = from.friends?.includes(target) === true;
  if (isBelow || isFriend) return undefined;
  return `${room}/ (floor ${from.floor}) must not import ${target}/ (floor ${to.floor})`;
}

/** Imports between rooms go downwards, and through the other room's front door. */
export const floors: Rule = (tree) => {
  const findings: Finding[] = [];
  for (const file of productFiles(tree)) {
    const room = roomOf(file.path);
    for (const { specifier, line } of file.imports) {
      if (!specifier.startsWith(".")) continue;
      const target = resolveImport(file.path, specifier);
      const add = (rule: string, message: string): void => {
        findings.push({ rule, path: file.path, line, message });
      };
      if (!target.startsWith("src/")) {
        if (!target.endsWith(".json")) add("floors", `imports ${target} from outside src/`);
        continue;
      }
      const targetRoom = roomOf(target);
      if (targetRoom === room) continue;
      const isDoor = target === `src/${targetRoom}/index.ts` || SIDE_DOORS.includes(target);
      if (targetRoom !== "" && !isDoor) {
        add("front door", `imports ${target} past src/${targetRoom}/index.ts`);
      }
      if (room === "") continue;
      const refusal =
        targetRoom === "" ? "src/ itself is above every room" : mayImport(room, targetRoom);
      if (refusal !== undefined) add("floors", refusal);
    }
  }
  return findings;
};

/** No file of the product imports itself by a detour; types alone may go round. */
export const cycles: Rule = (tree) => {
  const findings: Finding[] = [];
  const state = new Map<string, "open" | "done">();
  const trail: string[] = [];
  const visit = (path: string): void => {
    state.set(path, "open");
    trail.push(path);
    for (const { specifier, line, isType } of tree.files.get(path)?.imports ?? []) {
      if (!specifier.startsWith(".") || isType) continue;
      const target = resolveImport(path, specifier);
      if (!tree.files.has(target)) continue;
      if (state.get(target) === "open") {
        const loop = [...trail.slice(trail.indexOf(target)), target];
        findings.push({ rule: "cycle", path, line, message: loop.join(" -> ") });
      } else if (state.get(target) === undefined) visit(target);
    }
    trail.pop();
    state.set(path, "done");
  };
  for (const file of productFiles(tree)) if (!state.has(file.path)) visit(file.path);
  return findings;
};

function packageName(specifier: string): string {
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
}

/** Each npm package is declared, used, and known to one room alone, or to those listed. */
export const dependencies: Rule = (tree) => {
  const findings: Finding[] = [];
  const owners = new Map<string, string>();
  for (const file of productFiles(tree)) {
    for (const { specifier, line } of file.imports) {
      if (specifier.startsWith(".") || specifier.startsWith("node:")) continue;
      const name = packageName(specifier);
      const room = roomOf(file.path);
      const add = (message: string): void => {
        findings.push({ rule: "dependency", path: file.path, line, message });
      };
      if (!tree.dependencies.includes(name)) add(`${name} is not in package.json's dependencies`);
      const owner = owners.get(name) ?? room;
      owners.set(name, owner);
      if (SHARED_PACKAGES[name]?.includes(room) === true) continue;
      if (owner !== room) add(`${name} belongs to ${owner}/ alone`);
    }
  }
  for (const name of tree.dependencies) {
    if (owners.has(name)) continue;
    const message = `${name} is imported by no room`;
    findings.push({ rule: "dependency", path: "package.json", line: 1, message });
  }
  return findings;
};

/** Only the rooms at the edge of the machine know Node's modules. */
export const nodeModules: Rule = (tree) =>
  productFiles(tree).flatMap((file) =>
    file.imports
      .filter(({ specifier }) => specifier.startsWith("node:"))
      .filter(() => ROOMS[roomOf(file.path)]?.usesNode !== true)
      .map(({ specifier, line }) => ({
        rule: "node modules",
        path: file.path,
        line,
        message: `${specifier} belongs behind a seam`,
      })),
  );

const WORLD = [
  /\bDate\.now\b/g,
  /\bnew Date\(\s*\)/g,
  /\bMath\.random\b/g,
  /\bsetTimeout\b/g,
  /\bsetInterval\b/g,
  /\bsetImmediate\b/g,
  /\bperformance\.now\b/g,
  /(?<![.\w])process\./g,
  /(?<![.\w])console\./g,
];

/** Clock, randomness, timers, process and console are handed in, so that a test can hold them. */
export const world: Rule = (tree) =>
  productFiles(tree)
    .filter((file) => ROOMS[roomOf(file.path)]?.touchesWorld !== true)
    .flatMap((file) => matches(file, "world", WORLD, (text) => `${text} belongs behind a seam`));

function matches(
  file: SourceFile,
  rule: string,
  patterns: readonly RegExp[],
  message: (text: string) => string,
  text: string = file.code,
): Finding[] {
  return patterns.flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => ({
      rule,
      path: file.path,
      line: lineAt(text, match.index),
      message: message(match[0].trim()),
    })),
  );
}

const BANNED_CODE = [
  /(?<![.\w])(?:const\s+)?enum\s+\w+\s*\{/g,
  /\bexport\s+default\b/g,
  /\bas\s+any\b/g,
  /\.only\s*\(/g,
  /\bdebugger\b/g,
];
/** Spelled in two halves, so that this file does not break its own rule. */
const BANNED_TEXT = [new RegExp(`\\b(?:FIX${"ME"}|TO${"DO"}|XX${"X"})\\b`, "g")];

/** Words that do not belong in a finished tree. */
export const bans: Rule = (tree) =>
  [...tree.files.values()].flatMap((file) => [
    ...matches(file, "ban", BANNED_CODE, (text) => `"${text}" is not used here`),
    ...matches(file, "ban", BANNED_TEXT, (text) => `"${text}": do it or say why not`, file.text),
  ]);

/** A line of `code` without what its blanked literals took; `line` is the same line of the text. */
function withoutGaps(code: string, line: string): string {
  const indent = /^ */.exec(line)?.[0] ?? "";
  return indent + code.trim().replace(/(?<=\S) +(?=\S)/g, " ");
}

/** Lines fit 100 columns but for their literals, which are easier found whole; files 800 lines. */
export const size: Rule = (tree) => {
  const findings: Finding[] = [];
  for (const file of tree.files.values()) {
    const lines = file.text.split("\n");
    const uncommented = file.uncommented.split("\n");
    const codeLines = file.code.split("\n");
    lines.forEach((line, i) => {
      const hasComment = uncommented[i]?.trimEnd() !== line.trimEnd();
      const measured = hasComment ? line : withoutGaps(codeLines[i] ?? "", line);
      if (measured.length <= LINE_COLUMNS_MAX) return;
      const message = `${measured.length} columns, ${LINE_COLUMNS_MAX} at most`;
      findings.push({ rule: "size", path: file.path, line: i + 1, message });
    });
    const limit = LARGE_FILES.includes(file.path) ? LARGE_FILE_LINES_MAX : FILE_LINES_MAX;
    if (lines.length - 1 > limit) {
      const message = `${lines.length - 1} lines, ${limit} at most`;
      findings.push({ rule: "size", path: file.path, line: limit + 1, message });
    }
  }
  return findings;
};

function importersOf(tree: Tree): Map<string, string[]> {
  const importers = new Map<string, string[]>();
  for (const file of tree.files.values()) {
    for (const { specifier } of file.imports) {
      if (!specifier.startsWith(".")) continue;
      const target = resolveImport(file.path, specifier);
      const list = importers.get(target);
      if (list === undefined) importers.set(target, [file.path]);
      else list.push(file.path);
    }
  }
  return importers;
}

/** Every product file is reached from another one; testing/ from a test. */
export const dead: Rule = (tree) => {
  const importers = importersOf(tree);
  return productFiles(tree)
    .filter((file) => !ENTRY_POINTS.includes(file.path))
    .filter((file) => {
      const users = importers.get(file.path) ?? [];
      const isForTests = roomOf(file.path) === "testing";
      return !users.some((user) => isForTests || !isTest(user));
    })
    .map((file) => ({
      rule: "dead file",
      path: file.path,
      line: 1,
      message: "no file of the product imports it",
    }));
};

const HAS_CODE =
  /^\s*(?:export\s+)?(?:(?:async\s+)?function|(?:abstract\s+)?class|const\s+\w+[^=\n]*=\s*(?:async\s*)?\([^)]*\)[^=;]*=>)/m;

/** Files of a room that its own tests reach past the front door, or its suite through it. */
function reachedByTests(tree: Tree): Set<string> {
  const reached = new Set<string>();
  const visit = (from: SourceFile, mayEnter: (target: string) => boolean): void => {
    for (const { specifier } of from.imports) {
      if (!specifier.startsWith(".")) continue;
      const target = resolveImport(from.path, specifier);
      const file = tree.files.get(target);
      if (file === undefined || reached.has(target) || !mayEnter(target)) continue;
      reached.add(target);
      visit(file, mayEnter);
    }
  };
  for (const file of tree.files.values()) {
    if (!file.path.endsWith(".test.ts")) continue;
    const folder = file.path.slice(0, file.path.lastIndexOf("/") + 1);
    visit(file, (target) => {
      if (folder === SUITES[roomOf(target)]) return true;
      return target.startsWith(folder) && !target.endsWith("/index.ts");
    });
  }
  return reached;
}

/**
 * Every file that does something is reached from a test in its folder, or from its room's suite.
 */
export const tested: Rule = (tree) => {
  const reached = reachedByTests(tree);
  return productFiles(tree)
    .filter((file) => !file.path.endsWith("/index.ts") && UNTESTED[file.path] === undefined)
    .filter((file) => roomOf(file.path) !== "testing" && HAS_CODE.test(file.code))
    .filter((file) => {
      const stem = file.path.slice(0, -".ts".length);
      const beside = [".test.ts", ".prop.test.ts", ".fuzz.test.ts"];
      return !reached.has(file.path) && !beside.some((ending) => tree.files.has(stem + ending));
    })
    .map((file) => ({
      rule: "test beside",
      path: file.path,
      line: 1,
      message: "no test in its room reaches it; add one, or list it in tools/house.ts",
    }));
};

export const RULES: readonly Rule[] = [
  floors,
  cycles,
  dependencies,
  nodeModules,
  world,
  bans,
  size,
  dead,
  tested,
];

export function show(findings: readonly Finding[]): string {
  return findings.map((f) => `${f.path}:${f.line}: ${f.rule}: ${f.message}`).join("\n");
}
